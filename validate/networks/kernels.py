"""Attention read at the target, compiled: the table's rows are read where they stand.

Gathering the context costs more than attending to it: at the paper's size a batch holds 128 × 99 rows of 65 numbers,
and a framework writes them to memory once and reads them back four times. Here one sequence at a time stays in cache.
Tokens are data, so no gradient goes to them, and the backward pass needs the softmax weights only.

Rows are padded with zeros to whole registers: a remainder loop of 31 scalars costs more than the 64 products.
A token is an item with its one-hot label; LayerNorm acts on it through two numbers, its mean m and its inverse standard
deviation r, so that x̂·u = r (x·u_items + u_label − m Σu) and no normalised copy of the table is needed.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numba import config, prange, set_num_threads
from numba.np.ufunc.parallel import threading_layer
from numpy.typing import NDArray

from ...simulate.kernel.cache import compiled_and_kept

Array = NDArray[Any]
# Float32 numbers of one AVX-512 register.
_LANES = 16
# Sums may be reordered, as every matrix product does; NaN and infinity keep their meaning, so divergence is seen.
_FASTMATH = {"contract", "reassoc"}
# A division by zero gives infinity, as everywhere: it must not raise in a thread of a diverged network.
_OPTIONS = {"fastmath": _FASTMATH, "error_model": "numpy"}
# Without Python's lock, so that networks trained side by side do not wait for each other.
_compiled: Callable[[Any], Any] = compiled_and_kept(Path(__file__), parallel=True, nogil=True, **_OPTIONS)

# Rows whose moments one core computes before it takes others: few enough to stay in the first cache.
_ROWS_AT_ONCE = 64
# Products below which one core does all: on a busy machine threads wait for each other longer than the work takes.
_WORK_WORTH_THREADS = 2**18


_here = threading.local()


def set_threads_for(work: int) -> None:
    """Let what follows run on all cores, or on one core if its ``work``, in products, is small."""
    alone = work < _WORK_WORTH_THREADS or getattr(_here, "alone", False)
    set_num_threads(1 if alone else config.NUMBA_NUM_THREADS)  # pyright: ignore


@contextmanager
def on_one_core() -> Iterator[None]:
    """Inside, the compiled loops that this thread calls run on its own core, whatever their work."""
    _here.alone = True
    set_threads_for(0)
    try:
        yield
    finally:
        _here.alone = False


def can_be_shared() -> bool:
    """Whether several threads may call compiled loops at once, known after :func:`launch`."""
    return threading_layer() != "workqueue"


def padded_width(dimension: int) -> int:
    """Numbers P in a padded row of D."""
    return -(-dimension // _LANES) * _LANES


def pad_rows(items: Array) -> Array:
    """``items`` (R, D) in rows of P numbers."""
    out = np.empty((len(items), padded_width(items.shape[1])), items.dtype)
    out[:, : items.shape[1]] = items
    return out


def launch() -> None:
    """Start the threads of compiled loops; where they and PyTorch's share OpenMP this resets PyTorch's number."""
    set_num_threads(config.NUMBA_NUM_THREADS)  # pyright: ignore


@compiled_and_kept(Path(__file__), inline="never", **_OPTIONS)
def _set_moments(rows: Array, moments: Array, dimension: int, epsilon: float) -> None:
    """Mean and inverse standard deviation of the tokens ``rows`` (R, P) into ``moments`` (R, 2); zero their padding."""
    count, padded = rows.shape
    unity, size = rows.dtype.type(1.0), rows.dtype.type(dimension + 2)
    for row in range(count):
        for i in range(dimension, padded):
            rows[row, i] = 0.0
    # Not row by row: a vector that is read while one of its numbers is still on the way waits for it.
    for row in range(count):
        total = unity
        for i in range(padded):
            total += rows[row, i]
        mean = total / size
        # Of the label's two places one holds 1 and one 0; every place of the padding would add mean².
        spread = (unity - mean) ** 2 + (unity + dimension - padded) * mean**2
        for i in range(padded):
            spread += (rows[row, i] - mean) ** 2
        moments[row, 0] = mean
        moments[row, 1] = unity / math.sqrt(spread / size + rows.dtype.type(epsilon))


@_compiled
def row_moments(out: Array, dimension: int, epsilon: float) -> Array:
    """Of the tokens of ``out`` (R, P) mean and inverse standard deviation (R, 2); their padding is set to zero."""
    rows = len(out)
    moments = np.empty((rows, 2), out.dtype)
    for part in prange(-(-rows // _ROWS_AT_ONCE)):
        first, end = part * _ROWS_AT_ONCE, min((part + 1) * _ROWS_AT_ONCE, rows)
        _set_moments(out[first:end], moments[first:end], dimension, epsilon)
    return moments


@compiled_and_kept(Path(__file__), nogil=True, **_OPTIONS)
def target_tokens(rows: Array, labels: Array, target: Array, dimension: int) -> tuple[Array, Array]:
    """Tokens (Q, D + 2) of the rows ``target`` (Q,) of ``rows`` (R, P), with no label in its slot, and the labels."""
    tokens, own = np.zeros((len(target), dimension + 2), rows.dtype), np.empty(len(target), labels.dtype)
    for q in range(len(target)):
        row = target[q]
        own[q] = labels[row]
        for i in range(dimension):
            tokens[q, i] = rows[row, i]
    return tokens, own


@compiled_and_kept(Path(__file__), inline="never", **_OPTIONS)
def _scores(rows: Array, labels: Array, moments: Array, context: Array, own: Array, along: Array, out: Array) -> None:
    """x̂_j·``along`` (D + 2) for every j of the context and, last, the target."""
    dimension, padded, length = len(along) - 2, rows.shape[1], len(context)
    wide = np.zeros(padded, rows.dtype)
    shift, last = rows.dtype.type(0.0), rows.dtype.type(0.0)
    for i in range(dimension):
        wide[i] = along[i]
    for i in range(dimension + 2):
        shift += along[i]
        last += own[i] * along[i]
    for j in range(length):
        row = context[j]
        total = rows.dtype.type(0.0)
        for i in range(padded):
            total += rows[row, i] * wide[i]
        total += along[dimension if labels[row] > 0 else dimension + 1]
        out[j] = (total - moments[row, 0] * shift) * moments[row, 1]
    out[length] = last


@compiled_and_kept(Path(__file__), inline="never", **_OPTIONS)
def _combine(rows: Array, labels: Array, moments: Array, context: Array, own: Array, weight: Array, out: Array) -> None:
    """Σ_j weight_j x̂_j over the context and, last, the target, into ``out`` (D + 2)."""
    dimension, padded, length = len(out) - 2, rows.shape[1], len(context)
    wide = np.zeros(padded, rows.dtype)
    shift, positive, negative = rows.dtype.type(0.0), rows.dtype.type(0.0), rows.dtype.type(0.0)
    for j in range(length):
        row = context[j]
        scaled = weight[j] * moments[row, 1]
        shift += scaled * moments[row, 0]
        if labels[row] > 0:
            positive += scaled
        else:
            negative += scaled
        for i in range(padded):
            wide[i] += scaled * rows[row, i]
    for i in range(dimension):
        out[i] = wide[i] - shift + weight[length] * own[i]
    out[dimension] = positive - shift + weight[length] * own[dimension]
    out[dimension + 1] = negative - shift + weight[length] * own[dimension + 1]


@_compiled
def attend_forward(
    rows: Array, labels: Array, moments: Array, context: Array, own: Array, direction: Array, epsilon: float
) -> tuple[Array, Array]:
    """x̄ = Σ_j softmax_j(x̂_j·u) x̂_j over the context and the target itself.

    ``rows`` (R, P) and ``moments`` (R, 2) are those of :func:`row_moments`, ``labels`` (R,); ``context`` (Q, N) holds
    row numbers, ``own`` (Q, D + 2) the normalised targets and ``direction`` (Q, D + 2) the vectors u. Returns x̄
    (Q, D + 2) and the softmax weights (Q, N + 1), the target's last. With ``epsilon`` > 0, LayerNorm's, no one else has
    read the rows: those of sequence q are q N to (q + 1) N, and their moments are set here, where they are in cache.
    """
    sequences, length = context.shape
    average = np.empty_like(direction)
    weights = np.empty((sequences, length + 1), rows.dtype)
    for q in prange(sequences):
        if epsilon > 0:
            drawn = slice(q * length, (q + 1) * length)
            _set_moments(rows[drawn], moments[drawn], direction.shape[1] - 2, epsilon)
        weight = weights[q]
        _scores(rows, labels, moments, context[q], own[q], direction[q], weight)
        top, total = weight.max(), rows.dtype.type(0.0)
        for j in range(length + 1):
            weight[j] = math.exp(weight[j] - top)
            total += weight[j]
        for j in range(length + 1):
            weight[j] /= total
        _combine(rows, labels, moments, context[q], own[q], weight, average[q])
    return average, weights


@_compiled
def attend_backward(
    rows: Array, labels: Array, moments: Array, context: Array, own: Array, weights: Array, average: Array, error: Array
) -> Array:
    """The gradient (Q, D + 2) that reaches u from the gradient g, ``error``, of the averages.

    ∂/∂u = Σ_j p_j (g·x̂_j − g·x̄) x̂_j
    """
    sequences, length = context.shape
    out = np.empty_like(error)
    for q in prange(sequences):
        slope = np.empty(length + 1, rows.dtype)
        _scores(rows, labels, moments, context[q], own[q], error[q], slope)
        mean = rows.dtype.type(0.0)
        for i in range(error.shape[1]):
            mean += error[q, i] * average[q, i]
        for j in range(length + 1):
            slope[j] = weights[q, j] * (slope[j] - mean)
        _combine(rows, labels, moments, context[q], own[q], slope, out[q])
    return out


@compiled_and_kept(Path(__file__), **_OPTIONS)
def _answer(overlap: Array, label: Array, beta: Any) -> tuple[Any, Any]:
    """Σ_j p_j ℓ_j with p = softmax(β overlap), and its derivative in β, Σ_j p_j (ℓ_j − a) overlap_j."""
    top = (beta * overlap).max()
    total, mean, first, second = 0.0, 0.0, 0.0, 0.0
    for j in range(len(overlap)):
        weight = math.exp(beta * overlap[j] - top)
        total += weight
        mean += weight * label[j]
        first += weight * overlap[j]
        second += weight * label[j] * overlap[j]
    mean /= total
    return mean, second / total - mean * (first / total)


@_compiled
def answer_overlaps(
    overlaps: Array, labels: Array, square: Array, beta: Array, target_in_softmax: bool
) -> tuple[Array, Array]:
    """As :func:`attend_minimal`, from ``overlaps`` x_T·x_j and ``labels`` (Q, N) and ``square`` |x_T|² (Q,)."""
    sequences, length = overlaps.shape
    answer, slope = np.empty(sequences, overlaps.dtype), np.empty(sequences, overlaps.dtype)
    for q in prange(sequences):
        overlap, label = np.empty(length + 1, overlaps.dtype), np.zeros(length + 1, overlaps.dtype)
        overlap[:length], label[:length] = overlaps[q], labels[q]
        overlap[length] = square[q]
        count = length + 1 if target_in_softmax else length
        answer[q], slope[q] = _answer(overlap[:count], label[:count], beta[q])
    return answer, slope


@_compiled
def attend_minimal(
    items: Array, labels: Array, context: Array, target: Array, beta: Array, target_in_softmax: bool
) -> tuple[Array, Array]:
    """Answer a = Σ_j p_j ℓ_j with p = softmax(β x_T·x_j), and ∂a/∂β = Σ_j p_j (ℓ_j − a) x_T·x_j, both (Q,).

    ``items`` (R, D), ``labels`` (R,); ``context`` (Q, N) and ``target`` (Q,) hold row numbers, ``beta`` (Q,).
    """
    sequences, length = context.shape
    dimension = items.shape[1]
    answer, slope = np.empty(sequences, items.dtype), np.empty(sequences, items.dtype)
    for q in prange(sequences):
        overlap, label = np.zeros(length + 1, items.dtype), np.zeros(length + 1, items.dtype)
        x = items[target[q]]
        count = length + 1 if target_in_softmax else length
        for j in range(count):
            row = context[q, j] if j < length else target[q]
            for i in range(dimension):
                overlap[j] += items[row, i] * x[i]
            if j < length:
                label[j] = labels[row]
        answer[q], slope[q] = _answer(overlap[:count], label[:count], beta[q])
    return answer, slope
