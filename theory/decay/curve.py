"""The curve of fixed points of (w, β) under weight decay, with β as its coordinate, for many tasks and decays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ..acquisition.planar import coefficients, deviations
from ..contexts.attention import Attended, attended_label, context_nodes
from ..contexts.labels import NODES
from ..field import force
from ..loss import curvatures
from ..task import Task

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Range of margins searched: at −30 ICL would have to unlearn, at 80 its residual is 1e-35.
MARGINS = (-30.0, 80.0)
#: Points of the curve well beyond β = 0; below, 40 more.
POINTS = 241
#: Steps of Newton, and the last one, in w and φ, after which its error, the square of that, is rounding.
STEPS, SETTLED = 30, 1e-8
#: Points × nodes solved at a time: 16 MiB per temporary array.
CHUNK = 2**21


class Flow(NamedTuple):
    """Averages at points (point, β): drives of w and β, mean residual, and minus the loss's Hessian over (w, β, φ)."""

    drive: Array
    pull: Array
    residual: Array
    ww: Array
    wb: Array
    wf: Array
    bb: Array
    bf: Array


class Curve(NamedTuple):
    """The fixed points at each β > 0, arrays (point, β): w, φ and dφ/dβ, all single-valued there."""

    beta: Array
    w: Array
    margin: Array
    slope: Array

    def at(self, index: NDArray[np.intp]) -> Curve:
        """Columns ``index`` (point, column)."""
        return Curve(*(np.take_along_axis(array, index, axis=1) for array in self))

    def rows(self, which: NDArray[np.intp] | Mask) -> Curve:
        """The curves of these points."""
        return Curve(*(array[which] for array in self))


class Tasks(NamedTuple):
    """Tasks and decays λ, flat arrays or numbers, in whose common shape (point,) the curves are found."""

    task: Task
    decay: Array

    def of(self, which: NDArray[np.intp] | Mask) -> Tasks:
        """Those of the points."""
        return Tasks(self.task.points(which), self.decay[which])


def curves(tasks: Tasks) -> Curve:
    """From β near 0 to well beyond the fold (β ≈ ln N − 1), where φ falls below any of interest."""
    # without ICL β falls off like e^{−φ}; a balanced branch starts at β = 0, where e^β − 1 loses its digits
    low = np.geomspace(1e-9 if tasks.task.labels == "iid" else 1e-3, 0.02, 40, endpoint=False)
    top = np.broadcast_to(np.log(tasks.task.context_length) + 8.0, tasks.decay.shape)
    high = 0.02 + (top[:, None] - 0.02) * np.linspace(0.0, 1.0, POINTS)
    return curve_at(tasks, np.concatenate([np.broadcast_to(low, (top.size, low.size)), high], axis=1))


def curve_at(tasks: Tasks, beta: Array, near: tuple[Array, Array] | None = None) -> Curve:
    """w and φ of the fixed point at each β > 0 (point, β), by Newton in both, from ``near`` or as :func:`_guessed`.

    At given (β, φ), E[σ(−φ − w a) a] falls with w while λ w rises: one w. With it, w E[σ(−u) ∂a/∂β] falls with φ: one
    φ, clipped to :data:`MARGINS`. Where Newton does not arrive there is a bisection in φ.
    """
    step = max(1, CHUNK // (beta.shape[1] * NODES))
    if beta.shape[0] > step:
        parts = []
        for first in range(0, beta.shape[0], step):
            rows = np.arange(first, min(first + step, beta.shape[0]))
            parts.append(curve_at(tasks.of(rows), beta[rows], None if near is None else (near[0][rows], near[1][rows])))
        return Curve(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    averages, decay = _Averages(tasks, beta), np.broadcast_to(tasks.decay[:, None], beta.shape)
    w, margin = _guessed(averages, decay, beta) if near is None else near
    w, margin, settled = _newton(averages, decay, beta, w, margin)
    lost = ~settled
    if lost.any():
        row, column = np.nonzero(lost)
        here = _Averages(tasks.of(row), beta[row, column][:, None])
        at = decay[row, column][:, None], beta[row, column][:, None]
        coarse_w, coarse_margin = _bisected(here, *at)
        inside = (coarse_margin > MARGINS[0] + 0.01) & (coarse_margin < MARGINS[1] - 0.01)
        fine_w, fine_margin, converged = _newton(here, *at, coarse_w, coarse_margin)
        kept = inside & converged
        w[lost] = np.where(kept, fine_w, coarse_w)[:, 0]
        margin[lost] = np.where(kept, fine_margin, coarse_margin)[:, 0]
    margin = np.clip(margin, *MARGINS)
    return Curve(beta, w, margin, _slope(averages.at(w, margin), decay))


class _Averages:
    """Averages over contexts at fixed β (point, β), whatever w and φ."""

    def __init__(self, tasks: Tasks, beta: Array) -> None:
        task = tasks.task
        self.attended: Attended | None = None
        if np.any(task.score_std):  # one task: terms that fluctuate are no line in the label sum
            context = context_nodes(task.single(), "gaussian", NODES)
            self.attended, self.weight = attended_label(beta, task, context), context.weight
            return
        self.x, self.weights, self.squares, unit = deviations(task.expanded(), "gaussian", NODES)
        self.line = coefficients(beta, task.expanded(), unit)

    def at(self, w: Array, margin: Array) -> Flow:
        if self.attended is not None:
            point = (w[..., None], self.attended, margin[..., None], self.weight)
            (drive, pull, residual), (ww, wb, wf, bb, bf, _) = force(*point), curvatures(*point)
            return Flow(drive, pull, residual, -ww, -wb, -wf, -bb, -bf)
        a, g, a1, g1, a2, g2 = self.line
        residual = expit(-(margin + w * a)[..., None] - (w * g)[..., None] * self.x)
        first, second = residual @ self.weights, (residual * (1.0 - residual)) @ self.squares
        r0, r1, s0, s1, s2 = first[..., 0], first[..., 1], second[..., 0], second[..., 1], second[..., 2]
        turn = a1 * r0 + g1 * r1
        return Flow(
            a * r0 + g * r1,
            w * turn,
            r0,
            -(a**2 * s0 + 2.0 * a * g * s1 + g**2 * s2),
            turn - w * (a * a1 * s0 + (a * g1 + g * a1) * s1 + g * g1 * s2),
            -(a * s0 + g * s1),
            w * (a2 * r0 + g2 * r1) - w**2 * (a1**2 * s0 + 2.0 * a1 * g1 * s1 + g1**2 * s2),
            -w * (a1 * s0 + g1 * s1),
        )


def _guessed(averages: _Averages, decay: Array, beta: Array) -> tuple[Array, Array]:
    """w and φ where σ(−u) is e^{−u}, with a = ā + g x and normal x; NaN where no w solves that.

        ⟨e^{−w g x} (ā + g x)⟩ ∝ ā − w g²   ⇒   w² (ā′ − w g g′) = β (ā − w g²)

    whose left side less its right one is convex in w and rises: Newton from above the root falls to it.
    """
    if averages.attended is not None:
        return np.full(beta.shape, np.nan), np.full(beta.shape, np.nan)
    a, g, a1, g1, _, _ = averages.line
    with np.errstate(all="ignore"):
        w = np.minimum(np.sqrt(beta * a / a1), a / g**2)
        for _ in range(8):
            excess = w**2 * (a1 - w * g * g1) - beta * (a - w * g**2)
            w = w - excess / (2.0 * w * a1 - 3.0 * w**2 * g * g1 + beta * g**2)
        ratio = (a - w * g**2) / (decay * w)
        return w, np.log(np.maximum(ratio - 1.0, 1e-3 * ratio)) - w * a + 0.5 * (w * g) ** 2


def _newton(averages: _Averages, decay: Array, beta: Array, w: Array, margin: Array) -> tuple[Array, Array, Mask]:
    """w and φ, and where the last step was small enough."""
    settled = np.zeros(beta.shape, dtype=bool)
    with np.errstate(all="ignore"):
        for _ in range(STEPS):
            flow = averages.at(w, margin)
            drive, pull, drive_w, pull_w = flow.drive - decay * w, flow.pull - decay * beta, flow.ww - decay, flow.wb
            determinant = drive_w * flow.bf - flow.wf * pull_w
            dw = (drive * flow.bf - flow.wf * pull) / determinant
            dmargin = (drive_w * pull - drive * pull_w) / determinant
            w = np.where(settled, w, np.clip(w - dw, 0.2 * w, 5.0 * w))
            margin = np.where(settled, margin, margin - np.clip(dmargin, -4.0, 4.0))
            settled = settled | ((np.abs(dw) <= SETTLED * w) & (np.abs(dmargin) <= SETTLED * (1.0 + np.abs(margin))))
            if np.all(settled | ~np.isfinite(w)):
                break
    return w, margin, settled


def point_at(tasks: Tasks, margin: Array, start: Curve, low: Array, high: Array) -> Curve:
    """The fixed point at ``margin`` with β in (``low``, ``high``), by Newton in w and β from ``start``; all (point, 1).

    NaN where it does not arrive. It also goes where a β has two φ, as at D of a few, where one is lost to
    :func:`curve_at`.
    """
    w, beta, decay = start.w, np.clip(start.beta, low, high), tasks.decay[:, None]
    settled = np.zeros(beta.shape, dtype=bool)
    with np.errstate(all="ignore"):
        for _ in range(2 * STEPS):
            flow = _Averages(tasks, beta).at(w, margin)
            drive, pull, ww, bb = flow.drive - decay * w, flow.pull - decay * beta, flow.ww - decay, flow.bb - decay
            determinant = ww * bb - flow.wb**2
            dw, dbeta = (drive * bb - flow.wb * pull) / determinant, (ww * pull - flow.wb * drive) / determinant
            settled = (np.abs(dw) <= SETTLED * w) & (np.abs(dbeta) <= SETTLED * beta)
            w, beta = np.clip(w - dw, 0.2 * w, 5.0 * w), np.clip(beta - dbeta, low, high)
            if np.all(settled | ~np.isfinite(w)):
                break
        inside = settled & (beta > low) & (beta < high)
        slope = _slope(_Averages(tasks, beta).at(w, margin), decay)
        return Curve(*(np.where(inside, array, np.nan) for array in (beta, w, margin, slope)))


def eigenvalues(tasks: Tasks, curve: Curve) -> tuple[Array, Array]:
    """Growth rates of small deviations of (w, β) at points of the curve, ascending: those of a symmetric Jacobian."""
    flow, decay = _Averages(tasks, curve.beta).at(curve.w, curve.margin), tasks.decay[:, None]
    ww, bb = flow.ww - decay, flow.bb - decay
    mean, distance = 0.5 * (ww + bb), np.hypot(0.5 * (ww - bb), flow.wb)
    far = np.where(mean < 0.0, mean - distance, mean + distance)
    near = (ww * bb - flow.wb**2) / far  # not the difference of what is large
    return np.minimum(far, near), np.maximum(far, near)


def mean_residuals(tasks: Tasks, curve: Curve) -> Array:
    """E[σ(−u)] at points of the curve."""
    return _Averages(tasks, curve.beta).at(curve.w, curve.margin).residual


def _slope(flow: Flow, decay: Array) -> Array:
    """dφ/dβ along the curve: both balances hold at every β."""
    with np.errstate(all="ignore"):
        determinant = (flow.ww - decay) * flow.bf - flow.wf * flow.wb
        return (flow.wb**2 - (flow.ww - decay) * (flow.bb - decay)) / determinant


def _bisected(averages: _Averages, decay: Array, beta: Array) -> tuple[Array, Array]:
    """w and φ at each β, φ to 1e-4, within :data:`MARGINS`."""
    low, high = np.full(beta.shape, MARGINS[0]), np.full(beta.shape, MARGINS[1])
    w = np.full(beta.shape, 1.0)
    for _ in range(20):
        margin = 0.5 * (low + high)
        w = _readout(averages, decay, margin, w)
        pull = averages.at(w, margin).pull - decay * beta
        low, high = np.where(pull > 0.0, margin, low), np.where(pull > 0.0, high, margin)
    margin = 0.5 * (low + high)
    return _readout(averages, decay, margin, w), margin


def _readout(averages: _Averages, decay: Array, margin: Array, guess: Array) -> Array:
    """The w of E[σ(−φ − w a) a] = λ w, by Newton within a bracket, from ``guess``."""
    low = np.zeros_like(margin)
    high = np.maximum(averages.at(low, margin).drive, 0.0) / decay + 1e-300  # the drive is largest at w = 0
    w = np.where((guess > low) & (guess < high), guess, 0.5 * high)
    for _ in range(60):
        flow = averages.at(w, margin)
        excess = flow.drive - decay * w
        low, high = np.where(excess > 0.0, w, low), np.where(excess > 0.0, high, w)
        newton = w - excess / (flow.ww - decay)
        following = np.where((newton > low) & (newton < high), newton, 0.5 * (low + high))
        if np.all(np.abs(following - w) <= 1e-9 * (1.0 + w)):
            return following
        w = following
    return w
