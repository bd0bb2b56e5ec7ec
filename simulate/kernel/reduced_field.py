"""The reduced transformer's field, compiled; bound to :mod:`iclrace.theory.reduced_transformer` by a test."""

import math

import numpy as np

from ...theory.reduced_transformer.readout import LARGEST, SCALE
from .parts import part

# Places in the array of parameters.
D, ITEMS, LABEL2, RATE, ATTENTION, RESIDUAL, DECAY, COPIES, DIVERSITY = range(9)
SELF_ATTENTION, STORED, GROWTH, READS_TARGET, CANCELS, SPREADS, ALIGNS, OFFSETS, REMEMBERS, CLOCK, FRESH = range(9, 20)
PARAMETERS = 20
SIZE = 13
SUMS = 16

# Sums may be reordered; infinities keep their meaning, since a step that fails must be seen to fail.
_compiled = part(fastmath={"reassoc", "contract", "arcp", "nsz"})


@_compiled
def workspace(columns, length):
    """Arrays for :func:`rates`: row, weights, scales, sums by the margin's rank, sums."""
    return np.empty(columns), np.empty(length), np.empty(6), np.empty((columns - 7, 2)), np.empty(SUMS)


@_compiled
def read_row(table, fraction, row):
    """The couplings at J/I_K(∞) = ``fraction``: linear between the even readings, constant beyond the last."""
    last = table.shape[0] - 1
    place = min(max(fraction, 0.0), 1.0) * last
    i = min(int(place), last - 1)
    share = place - i
    for j in range(row.size):
        row[j] = (1.0 - share) * table[i, j] + share * table[i + 1, j]


@_compiled
def grown_by(gain, growth):
    """k(Y)/k(0) at Y = ``gain``; see ``readout_growth`` in theory."""
    last = growth.size - 1
    place = math.asinh(abs(gain) / SCALE) / math.asinh(LARGEST / SCALE) * last
    i = min(int(place), last - 1)
    if place >= last:
        return growth[last] * (abs(gain) / LARGEST) ** (4.0 / 3.0)
    return growth[i] + (place - i) * (growth[i + 1] - growth[i])


@_compiled
def scales(p, y, time, out):
    """item, own, common, label, square, label_square; see ``score_scales`` in theory."""
    d, unit = p[D], p[ATTENTION] ** 2 * math.exp(-2.0 * p[DECAY] * time)
    a = unit / 3.0
    ratio = math.sqrt(2.0) * y[2] / (d * a) if p[GROWTH] != 0.0 else 0.0
    cosh = math.sqrt(1.0 + ratio * ratio)
    rough = math.exp(y[3])
    on_label = unit * math.sqrt(p[LABEL2] * cosh) / 3.0
    labelled = math.exp(y[4]) * on_label
    out[0] = rough * unit * math.sqrt(d / 18.0) * cosh
    out[1] = rough * unit * math.sqrt(d) / 3.0 * math.sqrt(2.0 * cosh * cosh - 1.0)
    out[2] = rough * on_label
    out[3] = math.sqrt(labelled * labelled + y[5] * y[5])
    out[4] = 2.0 * a * cosh
    out[5] = a * (1.0 + cosh)


@_compiled
def _attend(i, scale, beta, along, offset, contexts, weights):
    """Attention of draw i, of label score ``along``, into ``weights``; that on the target and the attended label."""
    labels, items, overlaps, own, common, _, _, _, _ = contexts
    n = labels.shape[1]
    on_self = scale[1] * own[i] + math.sqrt(2.0) * beta - scale[2] * common[i] - offset
    top = on_self
    for j in range(n):
        width = scale[1] / math.sqrt(2.0) if overlaps[i, j] == 1.0 else scale[0]  # a copy's item is the target's
        weights[j] = width * items[i, j] + beta * overlaps[i, j] + along * labels[i, j]
        top = max(top, weights[j])
    on_self = math.exp(on_self - top)
    total = on_self
    for j in range(n):
        weights[j] = math.exp(weights[j] - top)
        total += weights[j]
    attended = 0.0
    for j in range(n):
        weights[j] /= total
        attended += weights[j] * labels[i, j]
    return on_self / total, attended


@_compiled
def gain_variance(p, y, row):
    """Variance of the label gain over targets."""
    return y[1] * max(row[4] - row[1], 0.0) / p[D] if p[SPREADS] != 0.0 else 0.0


@_compiled
def _sums(scale, p, y, row, contexts, weights, of_rank, sums):
    """Averages over the draws of everything that the rates need."""
    labels, _, overlaps, _, _, label, target, slope, rank = contexts
    n, copies = labels.shape[1], int(p[COPIES])
    d, scatter = p[D], math.sqrt(gain_variance(p, y, row))
    known = (row.size - 7) // 2 if p[FRESH] != 0.0 else row.size - 7  # ranks of items; those of fresh targets follow
    residual, answer = (y[8], y[11]) if p[READS_TARGET] != 0.0 else (0.0, 0.0)
    for k in range(SUMS):
        sums[k] = 0.0
    for q in range(of_rank.shape[0]):
        of_rank[q, 0] = of_rank[q, 1] = 0.0
    for i in range(labels.shape[0]):
        along = scale[3] * label[i] + answer * target[i] + y[6]
        on_self, m = _attend(i, scale, y[2], along, y[12], contexts, weights)
        spread, w = 1.0 - on_self - m * m, y[0] + scatter * slope[i]
        wrong = 1.0 / (1.0 + math.exp(row[7 + rank[i]] + w * m + residual * target[i] - y[9] * label[i]))
        curve, direct = wrong * (1.0 - wrong), residual + w * answer * spread
        on_copies = towards = others = squares = firsts = 0.0
        for j in range(copies):
            on_copies += weights[j]
            towards += weights[j] * overlaps[i, j] * (labels[i, j] - m)
        for j in range(copies, n):
            a, lean = weights[j], labels[i, j] - m
            towards += a * overlaps[i, j] * lean
            others += a * a
            squares += a * a * lean * lean
            firsts += a * (1.0 - 2.0 * a) * lean
        towards -= math.sqrt(2.0) * on_self * m
        noise, g = others + 0.5 * on_copies * on_copies, wrong * w * spread
        sums[0] += wrong * m
        if rank[i] < known:
            sums[1] += wrong
        sums[2] += curve
        sums[3] += wrong * w * towards
        sums[4] += d * on_self * noise + d / math.sqrt(2.0) * (on_copies * noise - 0.5 * on_copies * on_copies)
        sums[5] += wrong * w * firsts - curve * w * w * squares
        sums[6] += g
        of_rank[rank[i], 0] += g
        of_rank[rank[i], 1] += 1.0
        sums[9] += m * label[i]
        sums[10] += curve * direct
        sums[11] += curve * w * spread
        sums[12] += wrong * w * on_self * m
        sums[13] += on_self * noise
        sums[14] += on_self * on_self
        sums[15] += (on_self * (1.0 - on_self)) ** 2
        sums[8] += wrong * w * m * (on_self - 2.0 * spread) - curve * (w * spread) ** 2
    for q in range(of_rank.shape[0]):
        if of_rank[q, 1] > 0.0:
            sums[7] += of_rank[q, 0] ** 2 / of_rank[q, 1]
    for k in range(SUMS):
        sums[k] /= labels.shape[0]


@_compiled
def rates(time, y, p, growth, total, table, contexts, work, out):
    """d(state)/dt into ``out``; ``work`` holds (row, weights, scale, sums by rank, sums)."""
    row, weights, scale, of_rank, sums = work
    read_row(table, y[7] / total, row)
    scales(p, y, time, scale)
    d, dim, s2, r = p[D], p[ITEMS], p[LABEL2], p[RATE]
    reads = p[READS_TARGET] != 0.0
    _sums(scale, p, y, row, contexts, weights, of_rank, sums)
    w, value = y[0], y[1]
    gain = row[0]
    if p[ALIGNS] != 0.0:
        gain += row[6] * (grown_by(w / math.sqrt(value), growth) - 1.0)
    drive, wrong, curve = sums[0], sums[1], sums[2]
    drift = r * gain * value + s2 * (row[1] + w * w / value)
    out[0] = drift * drive - r * gain * math.sqrt(value) * p[RESIDUAL] * sums[10] - p[DECAY] * w
    out[1] = 2.0 * s2 * w * drive - 2.0 * p[DECAY] * value
    out[2] = d * d / (2.0 * dim) * scale[4] * sums[3] - 2.0 * p[DECAY] * y[2]
    if p[SELF_ATTENTION] != 0.0:
        out[2] += d / (math.sqrt(2.0) * dim) * scale[4] * row[3] / 3.0 * sums[4]
    out[12] = -3.0 * p[DECAY] * y[12]
    if p[OFFSETS] != 0.0:
        a = p[ATTENTION] ** 2 / 3.0
        ahead = sums[12] - (row[3] / 3.0 * sums[13] if p[SELF_ATTENTION] != 0.0 else 0.0)
        out[12] += s2 * math.sqrt(a**4 + 8.0 * a * y[12] ** 2 / s2) * ahead
    out[3] = d * d / (2.0 * dim * dim) * scale[4] * sums[5]
    kernel = s2 * d * scale[5]
    slope = sums[8]
    if scale[3] > 0.0:  # no label score is left to be echoed otherwise
        slope += sums[11] * y[9] / scale[3]
    out[4] = kernel / dim * slope
    out[5] = out[6] = out[8] = out[9] = out[10] = out[11] = 0.0
    k = p[DIVERSITY]
    if p[STORED] != 0.0 and k < np.inf:
        removed = kernel / dim * slope - 2.0 * p[DECAY]
        out[5] = removed * y[5] + kernel * math.sqrt(sums[7] / (k * dim))
        out[6] = removed * y[6] + kernel * sums[6] / k
    speed = r * p[CLOCK]
    if p[REMEMBERS] != 0.0 and k < np.inf and p[CLOCK] == 1.0:
        speed += row[4] * (d * sums[14] + scale[4] * d * d / 3.0 * sums[15]) / (k * row[5])
    out[7] = speed * wrong
    if reads:
        grown = out[0] / math.sqrt(value) - 0.5 * w * out[1] / (value * math.sqrt(value))
        out[8] = p[RESIDUAL] * grown - speed * row[5] * sums[10]
        out[11] = kernel / dim * (sums[8] * y[11] - sums[11] * y[8]) - 2.0 * p[DECAY] * y[11]
    if p[CANCELS] != 0.0:
        left = w * sums[9] - y[9]
        out[9] = (speed * row[5] + r * gain) * curve * left
        out[10] = r * gain * curve * left


@_compiled
def accuracy(time, y, p, total, table, contexts, work):
    """ICL accuracy on novel items."""
    row, weights, scale, _, _ = work
    label, target = contexts[5], contexts[6]
    read_row(table, y[7] / total, row)
    scales(p, y, time, scale)
    read = answer = 0.0
    if p[READS_TARGET] != 0.0:
        read, answer = p[RESIDUAL] * y[0] / math.sqrt(y[1]), y[11]
    variance = gain_variance(p, y, row)
    right = 0.0
    for i in range(label.size):
        _, m = _attend(i, scale, y[2], scale[3] * label[i] + answer * target[i], y[12], contexts, weights)
        logit = y[0] * m + read * target[i] - y[10] * label[i]
        right += 0.5 * math.erfc(-logit / math.sqrt(2.0 * (row[2] * row[2] + variance * m * m)))
    return right / label.size
