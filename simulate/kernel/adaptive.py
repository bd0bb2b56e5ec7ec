"""Bogacki and Shampine's pair of orders 3 and 2 with error control, for fields whose every evaluation is an average.

A table that is linear between its readings has a derivative that jumps there, so that a higher order would gain
nothing. Steps end wherever the error allows; the event is found on the cubic Hermite interpolant of its step.
"""

import math
from pathlib import Path

import numpy as np

from ...theory.reduced_transformer import readout
from .parts import entry_point, part
from .reduced_field import SIZE, accuracy, rates, workspace

_SAFETY, _LEAST, _MOST = 0.9, 0.2, 5.0
_BISECTIONS = 12
# What the compiled integrator is made of: it is kept as long as these are what they are.
_SOURCES = (
    *(Path(__file__).with_name(name) for name in ("adaptive.py", "parts.py", "lighter.py", "reduced_field.py")),
    Path(str(readout.__file__)),
)
REACHED, TOO_MANY_STEPS, FAILED = 0, 1, 2


@part()
def step(time, h, y, k1, p, growth, total, table, contexts, work, stages, new, error):
    """One step from ``y`` with slope ``k1``: ``new``, its slope in ``stages[3]``, and the estimated error."""
    k2, k3, k4, at = stages[1], stages[2], stages[3], stages[0]
    for j in range(SIZE):
        at[j] = y[j] + 0.5 * h * k1[j]
    rates(time + 0.5 * h, at, p, growth, total, table, contexts, work, k2)
    for j in range(SIZE):
        at[j] = y[j] + 0.75 * h * k2[j]
    rates(time + 0.75 * h, at, p, growth, total, table, contexts, work, k3)
    for j in range(SIZE):
        new[j] = y[j] + h * (2.0 * k1[j] + 3.0 * k2[j] + 4.0 * k3[j]) / 9.0
    rates(time + h, new, p, growth, total, table, contexts, work, k4)
    for j in range(SIZE):
        error[j] = h * (-5.0 * k1[j] / 72.0 + k2[j] / 12.0 + k3[j] / 9.0 - k4[j] / 8.0)


@part()
def _norm(error, y, new, rtol, atol):
    worst = 0.0
    for j in range(SIZE):
        if not math.isfinite(new[j]):
            return math.inf
        worst = max(worst, abs(error[j]) / (atol[j] + rtol * max(abs(y[j]), abs(new[j]))))
    return worst


@part()
def _crossing(time, h, y, k1, new, k4, level, p, total, table, contexts, work, at):
    """When the accuracy crosses ``level`` within a step."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        x = 0.5 * (low + high)
        for j in range(SIZE):
            at[j] = (
                (1 + 2 * x) * (1 - x) ** 2 * y[j] + x * x * (3 - 2 * x) * new[j]
                + h * x * (1 - x) * ((1 - x) * k1[j] - x * k4[j])
            )  # fmt: skip
        if accuracy(time + x * h, at, p, total, table, contexts, work) > level:
            high = x
        else:
            low = x
    return time + 0.5 * (low + high) * h


@entry_point(*_SOURCES, nogil=True)
def integrate(y, p, growth, total, table, contexts, budget, level, stop, rtol, atol, most, saved):
    """From ``y`` at t = 0 to the budget, or to where the accuracy first exceeds ``level`` if ``stop``.

    Fills rows of ``saved`` with (t, accuracy, state) after every step, thinned evenly to what it holds, and returns
    (t_acquired, accuracy at the end, steps, status, rows). ``y`` is left at the end.
    """
    work = workspace(table.shape[1], contexts[0].shape[1])
    stages, new, error, k1 = np.empty((4, SIZE)), np.empty(SIZE), np.empty(SIZE), np.empty(SIZE)
    time, h, steps, rows, stride, status = 0.0, min(0.05, budget), 0, 0, 1, REACHED
    rates(time, y, p, growth, total, table, contexts, work, k1)
    before = accuracy(time, y, p, total, table, contexts, work)
    acquired = 0.0 if before > level else math.inf
    while time < budget and not (stop and acquired < math.inf):
        if steps >= most:
            status = TOO_MANY_STEPS
            break
        h = min(h, budget - time)
        step(time, h, y, k1, p, growth, total, table, contexts, work, stages, new, error)
        norm = _norm(error, y, new, rtol, atol)
        steps += 1
        if norm > 1.0 and h < 1e-9 * budget:
            status = FAILED
            break
        if norm <= 1.0:
            after = accuracy(time + h, new, p, total, table, contexts, work)
            if acquired == math.inf and after > level:
                acquired = _crossing(
                    time, h, y, k1, new, stages[3], level, p, total, table, contexts, work, stages[0]
                )  # fmt: skip
            time, before = time + h, after
            for j in range(SIZE):
                y[j], k1[j] = new[j], stages[3, j]
            if rows == saved.shape[0]:
                rows //= 2
                stride *= 2
                for i in range(rows):
                    for j in range(saved.shape[1]):
                        saved[i, j] = saved[2 * i + 1, j]
            if steps % stride == 0:
                saved[rows, 0], saved[rows, 1] = time, after
                for j in range(SIZE):
                    saved[rows, 2 + j] = y[j]
                rows += 1
        factor = _MOST if norm == 0.0 else _SAFETY * norm ** (-1.0 / 3.0)
        h *= min(_MOST, max(_LEAST, factor))
    return acquired, before, steps, status, rows
