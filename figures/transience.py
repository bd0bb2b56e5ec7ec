"""Transience under weight decay: ICL acquired and lost, when, and how the two losses are tied (paper, 2e, 6d, A6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..theory import Task
from ..theory.decay.phases import LASTING, TRANSIENT
from ..validate import Claim
from ..validate.claim import network_words
from ..validate.experiments.transience_losses import asymptotic_loss, tracked_loss
from ..validate.experiments.transience_tools import phases
from ..validate.values import Value, ends
from . import picture, style
from .catalogue import FIGURES
from .picture import Picture
from .results import Results, setting

_ACCURACIES = {"icl_accuracy": ("ICL", style.ICL), "iwl_accuracy": ("IWL", style.IWL)}
_NEEDS = ("icl_accuracy", "iwl_accuracy", "icl_loss", "iwl_loss", "seed", "time", "decay_attention")
#: Experiments over λ; of the minimal model's the first is drawn.
_MINIMAL, _TRANSFORMER = ("transience_phases", "transience_decay"), ("transience_transformer", "paper_transience")
_PARTS = {"whole": "whole network", "circuit": "ICL circuit"}


def draw_curves(
    runs: xr.Dataset, averaged: xr.Dataset | None = None, ax: Axes | None = None, title: str = "",
    lost: Mapping[str, Value | None] | None = None,
) -> Axes:  # fmt: skip
    """ICL and IWL accuracy against time, one line a seed; dashed: co-integrations (other seeds, no sequences).

    Both datasets are over (seed, time). ``lost`` holds predicted times from acquisition to loss by their method:
    upright lines with their intervals, counted from the median acquisition of these networks.
    """
    with style.axes(ax) as ax:
        for name, (words, colour) in _ACCURACIES.items():
            for i in range(runs.sizes["seed"]):
                curve = runs[name].isel(seed=i)
                ax.plot(runs.time, curve, color=colour, linewidth=0.9, label=words if i == 0 else None)
            for i in range(0 if averaged is None else averaged.sizes["seed"]):
                assert averaged is not None
                ax.plot(averaged.time, averaged[name].isel(seed=i), color=colour, linewidth=0.8, linestyle="--",
                        label=f"{words}, co-integration" if i == 0 else None)  # fmt: skip
        acquired = _median_acquisition(runs)
        for (method, value), colour in zip((lost or {}).items(), (style.THEORY, style.OTHER), strict=False):
            if (bounds := None if value is None else ends(value)) is not None and np.isfinite(acquired + bounds[0]):
                ax.axvline(acquired + bounds[0], color=colour, linestyle="-.", label=f"loss predicted, {method}")
                if np.isfinite(bounds[2]):
                    ax.axvspan(acquired + bounds[1], acquired + bounds[2], color=colour, alpha=0.13, linewidth=0)
        first = float(runs.time[1])
        ax.set(xscale="log", xlim=(first, None), xlabel="gradient-flow time $t$", ylabel="accuracy", ylim=(0.4, 1.03))
        style.plain_ticks(ax.xaxis)
        style.legend_above(ax, title)
    return ax


def _median_acquisition(runs: xr.Dataset) -> float:
    """When the median network first exceeds 95 %; ∞ if it does not."""
    above = (runs.icl_accuracy > 0.95).transpose("seed", "time").values
    first = np.where(above.any(1), runs.time.values[above.argmax(1)], np.inf)
    return float(np.median(first))


def draw_plane(runs: xr.Dataset, ax: Axes | None = None, title: str = "") -> Axes:
    """IWL accuracy against ICL accuracy along training, coloured by λ: the medians over seeds, with their direction.

    Circles: where single networks end.
    """
    with style.axes(ax) as ax:
        decays = runs.decay_attention.values
        for decay, colour in zip(decays, style.shades(decays), strict=True):
            at_decay = runs[["icl_accuracy", "iwl_accuracy"]].sel(decay_attention=decay)
            x, y = (np.median(_last_values_kept(at_decay[name]), axis=0) for name in ("icl_accuracy", "iwl_accuracy"))
            ax.plot(x, y, color=colour, linewidth=1.4, label=rf"$\lambda$ = {decay:g}")
            _arrows(ax, x, y, colour)
            for i in range(at_decay.sizes["seed"]):
                ended = at_decay.isel(seed=i).dropna("time").isel(time=slice(-1, None))
                ax.plot(ended.icl_accuracy, ended.iwl_accuracy, "o", color=colour, alpha=0.5, markersize=3)
        ax.plot([0.5], [0.5], "s", color=style.THEORY, markersize=4, label="start")
        ax.plot([], [], "o", color=style.THEORY, alpha=0.5, markersize=3, label="end, one network each")
        ax.set(xlabel="ICL accuracy", ylabel="IWL accuracy", xlim=(0.4, 1.03), ylim=(0.4, 1.03))
        style.legend_above(ax, title, 3)
    return ax


def _last_values_kept(values: xr.DataArray) -> np.ndarray:
    """(seed, time), where a network that has ended keeps its last value, so that medians go on."""
    readings = values.transpose("seed", "time").values
    last = np.maximum.accumulate(np.where(np.isfinite(readings), np.arange(readings.shape[1]), 0), axis=1)
    return np.take_along_axis(readings, last, axis=1)


def _arrows(ax: Axes, x: np.ndarray, y: np.ndarray, colour: Any, count: int = 2) -> None:
    """The way along a line, shown at equal parts of its length."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    for part in np.arange(1, count + 1) / (count + 1):
        i = int(np.clip(np.searchsorted(length, part * length[-1]), 1, len(x) - 1))
        if length[i] > length[i - 1]:
            ax.annotate("", xy=(x[i], y[i]), xytext=(x[i - 1], y[i - 1]),
                        arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.2})  # fmt: skip


def draw_times(
    x: Sequence[float],
    measured: Mapping[str, Sequence[Value | None]],
    predicted: Mapping[str, Sequence[Value | None]],
    xlabel: str,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Time from acquisition to loss of ICL: points with intervals measured, lines with bands predicted."""
    with style.axes(ax) as ax:
        for (label, times), colour in zip(predicted.items(), (style.THEORY, style.OTHER), strict=False):
            style.plot_band(ax, x, times, color=colour, label=label)
        for (label, times), colour, marker in zip(measured.items(), (style.MEASURED, style.ICL), "os", strict=False):
            style.plot_estimates(ax, x, times, color=colour, fmt=marker, label=label)
        finite = sum(len(style.known(means)) for means in measured.values())
        style.logarithmic(ax, finite, "no network loses ICL within its budget")
        ax.set(xlabel=xlabel, ylabel=r"$t_{loss}$ (gradient-flow time)")
        style.legend_above(ax, title)
    return ax


def draw_losses(runs: xr.Dataset, task: Task, ax: Axes | None = None, title: str = "") -> Axes:
    """L_ICL against L_IWL from acquisition to loss of ICL: points of every network, coloured by λ.

    Lines: the stable ICL branch at the same λ; dotted: the asymptotic law L_ICL · L_IWL = λ w/a.
    """
    with style.axes(ax) as ax:
        decays = [float(d) for d in runs.decay_attention.values]
        for decay, colour in zip(decays, style.shades(decays), strict=True):
            at_decay = runs.sel(decay_attention=decay)
            seen = [0.3, 0.3]
            for i in range(at_decay.sizes["seed"]):
                network = at_decay.isel(seed=i).dropna("time", subset=["icl_loss"])
                kept = network.isel(time=_holding(network.icl_accuracy.values))
                if not kept.sizes["time"]:
                    continue
                seen = [min(seen[0], float(kept.iwl_loss.min())), max(seen[1], float(kept.iwl_loss.max()))]
                label = rf"$\lambda$ = {decay:g}" if i == 0 else None
                ax.plot(kept.iwl_loss, kept.icl_loss, ".", color=colour, markersize=2, label=label)
            levels = np.geomspace(max(seen[0], 1e-6), min(seen[1], 0.69), 15)  # each is a continuation of its own
            ax.plot(levels, [tracked_loss(task, decay, level) for level in levels], color=colour, linewidth=1.1)
            ax.plot(levels, [asymptotic_loss(task, decay, level) for level in levels], color=colour, linestyle=":",
                    linewidth=0.9)  # fmt: skip
        known = sum(int(np.isfinite(np.asarray(line.get_ydata(), dtype=float)).sum()) for line in ax.get_lines())
        style.logarithmic(ax, known, "no network acquires ICL")
        ax.plot([], [], color="0.4", linewidth=1.1, label="fixed point, predicted")
        ax.plot([], [], color="0.4", linestyle=":", linewidth=0.9, label="$λ w/a$, predicted")
        ax.set(xlabel=r"loss of IWL $L_{IWL}$ (nat)", ylabel=r"loss of ICL $L_{ICL}$ (nat)")
        style.legend_above(ax, title, 3)
    return ax


def _holding(accuracy: np.ndarray) -> slice:
    """From the acquisition of ICL (95 %) to its loss: the last evaluation above 75 %."""
    above = np.flatnonzero(accuracy > 0.95)
    return slice(int(above[0]), int(np.flatnonzero(accuracy > 0.75)[-1]) + 1) if above.size else slice(0)


def _title(fixed: Mapping[str, Any], over: str = "") -> str:
    """Network, N and K, the last where it is not what is varied."""
    k = "" if over == "task_diversity" else f", K = {fixed['task_diversity']:g}"
    return f"{network_words(fixed['network'])}, N = {fixed['context_length']}{k}"


def _networks_over_decay(results: Results) -> dict[str, xr.Dataset]:
    """Networks over λ by experiment: of the minimal model from the first that has them, and of the transformer."""
    kinds = (_MINIMAL, _TRANSFORMER)
    kinds_found = [[(name, runs) for name in names for runs in results.datasets(name, needs=_NEEDS)] for names in kinds]
    if not any(kinds_found):
        raise results.missing(*FIGURES["transience"].experiments)
    return {name: runs for those in kinds_found for name, runs in those[:1]}


def _transient(runs: xr.Dataset) -> float:
    """The λ at which most networks are transient; of several the smallest, where ICL lasts longest."""
    kinds = phases(runs, "icl_accuracy")
    share = [(kinds.sel(decay_attention=d) == TRANSIENT).mean() for d in runs.decay_attention.values]
    lasting = [(kinds.sel(decay_attention=d) == LASTING).mean() for d in runs.decay_attention.values]
    chosen = int(np.argmax(share)) if max(share) > 0 else int(np.argmax(lasting))
    return float(runs.decay_attention.values[chosen])


def prepare_curves(results: Results) -> Picture:
    panels, captions = [], []
    for name, runs in _networks_over_decay(results).items():
        decay = _transient(runs)
        at_decay = runs.sel(decay_attention=decay)
        other = results.datasets(name, "calibration", "cointegration", needs=_NEEDS)
        averaged = other[0].sel(decay_attention=decay) if other else None
        fixed = setting(runs)
        title = rf"{_title(fixed)}, $\lambda$ = {decay:g}"
        at = {field: fixed[field] for field in ("network", "context_length", "task_diversity", "learning_rate")}
        claims = results.select(quantity="t_loss", decay=decay, **at)
        lost = {claim.method: claim.predicted for claim in claims}
        panels.append(partial(draw_curves, at_decay, averaged, title=title, lost=lost))
        captions.append(picture.networks(at_decay.assign_attrs(runs.attrs)))
    caption = (
        "ICL is transient under weight decay of the attention: accuracy on novel items (ICL) and on training items "
        f"without a copy (IWL), one line a seed; dashed: co-integration at other seeds; upright: the predicted "
        f"loss of ICL. {'; '.join(captions)}."
    )
    return Picture(caption, panels)


def prepare_plane(results: Results) -> Picture:
    by_kind = _networks_over_decay(results)
    caption = (
        "ICL against IWL accuracy along training, coloured by weight decay λ: medians over seeds; circles: ends of "
        "single networks. "
        f"{picture.networks(*by_kind.values())}."
    )
    return Picture(caption, [partial(draw_plane, runs, title=_title(setting(runs))) for runs in by_kind.values()])


def prepare_times(results: Results) -> Picture:
    by_experiment = results.select(
        experiment=list(FIGURES["transience_time"].experiments), quantity="t_loss"
    ).experiments()
    if not by_experiment:
        raise results.missing(*FIGURES["transience_time"].experiments)
    rates: dict[str, Any] = {}
    panels = []
    for claims in by_experiment.values():
        rate = claims[0].at["learning_rate"]
        other = rates.setdefault(claims[0].network, rate) != rate
        panels.append(_times(claims, rf", $\eta$ = {rate:g}" if other else ""))
    caption = (
        "How long ICL lasts, from its acquisition (95 %) to its loss (75 %), under weight decay; networks that keep it "
        "to the end, or never acquire it, have no point. Lines with bands: predicted from other seeds. "
        f"{'; '.join(picture.behind(results, claims) for claims in by_experiment.values())}."
    )
    return Picture(caption, panels)


def _times(claims: Sequence[Claim], rate: str) -> partial[Axes]:
    """t_loss over what differs between the claims of one experiment: λ or K; the rate in words where it is another."""
    over = "task_diversity" if len({claim.at["task_diversity"] for claim in claims}) > 1 else "decay"
    x = sorted({float(claim.at[over]) for claim in claims})  # pyright: ignore[reportArgumentType]

    def column(name: str, kind: str) -> dict[str, list[Value | None]]:
        """Measured values by part, or predicted ones by method, over x."""
        table: dict[str, list[Value | None]] = {}
        for claim in claims:
            key = _PARTS[claim.part] if kind == "part" else f"{claim.method}, predicted"
            value = getattr(claim, name)
            if value is not None:
                table.setdefault(key, [None] * len(x))[x.index(float(claim.at[over]))] = value  # pyright: ignore[reportArgumentType]
        return table

    label = r"weight decay $\lambda$ (1/time)" if over == "decay" else "task diversity $K$"
    first = claims[0]
    fixed = {"network": first.network, **first.at}
    return partial(
        draw_times,
        x,
        column("measured", "part"),
        column("predicted", "method"),
        label,
        title=_title(fixed, over) + rate,
    )


def prepare_losses(results: Results) -> Picture:
    datasets = [runs for name in FIGURES["loss_relation"].experiments for runs in results.datasets(name, needs=_NEEDS)]
    if not datasets:
        raise results.missing(*FIGURES["loss_relation"].experiments)
    runs, fixed = datasets[0], setting(datasets[0])
    task = Task(fixed["context_length"], dimension=fixed["dimension"])
    caption = (
        "How the two losses are tied from acquisition to loss of ICL: L_ICL against L_IWL, coloured by λ. Lines: the "
        "stable fixed point of (w, β) at the margin of L_IWL; dotted: its asymptotic law L_ICL L_IWL = λ w/a. "
        f"{picture.networks(runs)}."
    )
    return Picture(caption, [partial(draw_losses, runs, task, title=_title(setting(runs)))])
