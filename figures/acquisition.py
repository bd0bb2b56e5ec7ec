"""When ICL is acquired at K → ∞: learning curves, t_ICL against N and copies, and its long tail (paper, 2d, 6b, A4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..theory import AcquisitionDistribution, Task, acquisition_distribution
from ..validate import Claim, Claims, acquisition_times
from ..validate.claim import network_words
from ..validate.values import Value
from . import picture, style
from .catalogue import FIGURES
from .picture import Picture
from .results import Results, setting

Times = Mapping[float, np.ndarray]
_LABELS = {"context_length": "context length $N$", "copies": "copies in the context $m$"}


def draw(
    series: Mapping[str, Times],
    predicted: Mapping[str, tuple[Sequence[float], Sequence[Value | None]]],
    xlabel: str = _LABELS["context_length"],
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Circles: t_ICL of single networks over N, medians joined; lines with bands: predicted, by the same labels first.

    Networks that never acquired ICL are left out of the circles and count in the medians.
    """
    with style.axes(ax) as ax:
        colours = dict(zip([*series, *(p for p in predicted if p not in series)], style.SERIES, strict=False))
        for label, (x, values) in predicted.items():
            words = f"{label}, predicted" if label in series else label
            style.plot_band(ax, x, values, color=colours[label], label=words)
        for (label, times), marker in zip(series.items(), style.MARKERS, strict=False):
            at = np.concatenate([np.full(np.isfinite(t).sum(), x) for x, t in times.items()])
            seen = np.concatenate([t[np.isfinite(t)] for t in times.values()])
            ax.plot(at, seen, marker, color=colours[label], markerfacecolor="none", markersize=3.5, label=label)
            if label not in predicted:
                ax.plot(list(times), [_median(t) for t in times.values()], color=colours[label], linewidth=0.7)
        finite = sum(int(np.isfinite(t).sum()) for times in series.values() for t in times.values())
        style.logarithmic(ax, finite, "no network acquires ICL within its budget")
        ax.set(xlabel=xlabel, ylabel="time to acquire ICL")
        if finite:
            style.label_ticks(ax, sorted({x for times in series.values() for x in times}), most=7)
        style.legend_above(ax, title, 2)
    return ax


def _median(times: np.ndarray) -> float:
    middle = float(np.sort(times)[times.size // 2])
    return middle if np.isfinite(middle) else np.nan


def draw_ratios(claims: Iterable[Claim], coordinate: str, ax: Axes | None = None, title: str = "") -> Axes:
    """Points with intervals: ratios of t_ICL measured over a coordinate; line: predicted."""
    ordered = sorted(claims, key=lambda claim: float(claim.at[coordinate]))  # pyright: ignore[reportArgumentType]
    x = [float(claim.at[coordinate]) for claim in ordered]  # pyright: ignore[reportArgumentType]
    with style.axes(ax) as ax:
        style.plot_band(ax, x, [claim.predicted for claim in ordered], color=style.THEORY, label="predicted from $σ_s$")
        style.plot_estimates(ax, x, [claim.measured for claim in ordered], label="measured")
        ax.axhline(1.0, color="0.7", linewidth=0.6)
        ax.set(xscale="log", xlabel=_LABELS[coordinate], ylim=(0, None))
        style.label_ticks(ax, x)
        style.legend_above(ax, title)
    return ax


def draw_spread(
    times: np.ndarray,
    budget: float,
    law: AcquisitionDistribution | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Distribution function of t_ICL, measured with its 95 % band, and the theory's; censored at the budget."""
    with style.axes(ax) as ax:
        seen = np.sort(times[np.isfinite(times)])
        share = np.arange(1, seen.size + 1) / times.size
        radius = np.sqrt(np.log(2 / 0.05) / (2 * times.size))
        ax.step(seen, share, where="post", color=style.MEASURED, label=f"measured, {times.size} networks, 95 % band")
        ax.fill_between(seen, np.clip(share - radius, 0, 1), np.clip(share + radius, 0, 1), step="post",
                        color=style.MEASURED, alpha=0.15, linewidth=0)  # fmt: skip
        if law is not None and seen.size:
            t = np.geomspace(seen[0] / 2, budget, 300)
            ax.plot(t, law.cdf(t), color=style.THEORY, linestyle="--", label=r"theory, $\beta_0 \sim N(0, 1)$")
        ax.axvline(budget, color="0.7", linewidth=0.6, label="end of training")
        ax.set(xscale="log", xlabel="time to acquire ICL", ylabel="fraction acquired", ylim=(0, 1.02))
        style.plain_ticks(ax.xaxis)
        style.legend_above(ax, title, 1)
    return ax


def draw_curves(
    runs: xr.Dataset,
    learning_rate: float,
    predicted: Value | None = None,
    accuracy: str = "icl_accuracy",
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """One line a network; the upper axis counts steps; vertical line: a predicted time of acquisition.

    Parameters
    ----------
    runs : Dataset with the named accuracy over (seed, time)
    learning_rate : float
    predicted : Estimate, optional
        Gradient-flow time.
    """
    with style.axes(ax) as ax:
        for i, (seed, colour) in enumerate(zip(runs.seed.values, style.shades(runs.seed.values), strict=True)):
            label = "one network each" if i == 0 else None
            ax.plot(runs.time, runs[accuracy].sel(seed=seed), color=colour, linewidth=0.9, label=label)
        for value, *_ in style.known([predicted]):
            ax.axvline(value, color=style.THEORY, linestyle="--", label="predicted")
        ax.axhline(0.95, color="0.7", linewidth=0.6, label="counts as acquired")
        ax.legend(loc="center left", fontsize=6)
        ax.set(xlabel="gradient-flow time $t$", ylabel="ICL accuracy", ylim=(0.4, 1.03))
        steps = ax.secondary_xaxis(
            "top", functions=(partial(np.multiply, 1 / learning_rate), partial(np.multiply, learning_rate))
        )
        steps.set_xlabel(f"steps{title and f'   ({title})'}")
    return ax


def accuracy_of(runs: xr.Dataset) -> str:
    """The accuracy that acquisition is read from: of the minimal model's circuit, of the transformer as a whole."""
    return "circuit_accuracy" if setting(runs)["network"] == "minimal" else "icl_accuracy"


def single_times(runs: xr.Dataset) -> np.ndarray:
    """t_ICL of every network."""
    return acquisition_times(runs, accuracy_of(runs)).values.ravel()


def prepare_minimal(results: Results) -> Picture:
    datasets = results.datasets("acquisition_time", needs=["circuit_accuracy", "time"])
    if len({setting(runs)["context_length"] for runs in datasets}) < 2:
        raise results.missing("acquisition_time")
    series: dict[str, dict[float, np.ndarray]] = {}
    predicted: dict[str, tuple[Sequence[float], Sequence[Value | None]]] = {}
    for runs in sorted(datasets, key=lambda runs: (-setting(runs)["beta0"], setting(runs)["context_length"])):
        series.setdefault(_start(setting(runs)["beta0"]), {})[setting(runs)["context_length"]] = single_times(runs)
    claims = results.select(experiment="acquisition_time", quantity="t_ICL")
    for beta0 in sorted({float(claim.at["beta0"]) for claim in claims}, reverse=True):  # pyright: ignore[reportArgumentType]
        predicted[_start(beta0)] = over(claims.select(beta0=beta0), "context_length")
    caption = (
        "Acquisition time of the ICL circuit at K → ∞: circles single networks, lines the exact averaged field at "
        f"finite D, no fit. {picture.networks(*datasets)}."
    )
    return Picture(caption, [partial(draw, series, predicted, title="minimal model")])


def _start(beta0: float) -> str:
    return rf"$\beta_0$ = {beta0:g}"


def over(claims: Iterable[Claim], coordinate: str) -> tuple[list[float], list[Value | None]]:
    """What claims predict over a coordinate, in its order."""
    ordered_claims = sorted((float(claim.at[coordinate]), i, claim) for i, claim in enumerate(claims))  # pyright: ignore[reportArgumentType]
    return [x for x, _, _ in ordered_claims], [claim.predicted for *_, claim in ordered_claims]


def by_method(claims: Claims, coordinate: str) -> dict[str, tuple[list[float], list[Value | None]]]:
    """:func:`over` for each method."""
    return {
        method: over(claims.select(method=method), coordinate)
        for method in dict.fromkeys(claim.method for claim in claims)
    }


def prepare_transformer(results: Results) -> Picture:
    panels, datasets = [], []
    for experiment, title in (("transformer_acquisition", "transformer"), ("two_layer_acquisition", "two layers")):
        by_length = results.datasets(experiment, needs=["icl_accuracy", "time"])
        by_length = sorted(by_length, key=lambda runs: setting(runs)["context_length"])
        if len(by_length) < 2:
            continue
        times = {float(setting(runs)["context_length"]): single_times(runs) for runs in by_length}
        claims = results.select(experiment=experiment, quantity="t_ICL")
        panels.append(partial(draw, {"networks": times}, by_method(claims, "context_length"), title=title))
        datasets += by_length
    if not panels:
        raise results.missing(*FIGURES["acquisition_transformer"].experiments)
    caption = (
        "Acquisition time of the transformer at K → ∞: circles single networks, thin line medians; bands: the "
        "averaged field with flat attention, or with scores as rough as those of untrained weights, through one point. "
        f"{picture.networks(*datasets)}."
    )
    return Picture(caption, panels)


def prepare_spread(results: Results) -> Picture:
    """Every dataset whose spread of ln t_ICL is claimed."""
    claims = results.select(quantity="sd of ln t_ICL")
    datasets = results.behind(claims, needs=["icl_accuracy", "time"])
    if not datasets:
        raise results.missing(*FIGURES["acquisition_spread"].experiments)
    panels = []
    for runs in datasets:
        fixed = setting(runs)
        task = Task(fixed["context_length"], dimension=fixed["dimension"])
        law = acquisition_distribution(task, 0.0, 1.0, fixed["w0"]) if fixed["network"] == "minimal" else None
        copies = "" if fixed.get("copies", 1) == 1 else f", {fixed['copies']} copies"
        title = f"{network_words(fixed['network'])}, N = {fixed['context_length']}{copies}"
        panels.append(partial(draw_spread, single_times(runs), fixed["budget"], law, title=title))
    caption = (
        "The long tail: distribution function of t_ICL at K → ∞, with the 95 % band of Dvoretzky, Kiefer and "
        f"Wolfowitz; grey line: end of training. {picture.networks(*datasets)}."
    )
    return Picture(caption, panels)


def prepare_burstiness(results: Results) -> Picture:
    datasets = results.datasets("burstiness", needs=["circuit_accuracy", "time"])
    panels, described = [], [picture.networks(*datasets)] if datasets else []
    if datasets:
        times = {float(setting(runs)["copies"]): single_times(runs) for runs in datasets}
        predicted = {"networks": over(results.select(experiment="burstiness", quantity="t_ICL"), "copies")}
        times = {"networks": dict(sorted(times.items()))}
        panels.append(partial(draw, times, predicted, _LABELS["copies"], title="minimal model"))
    if ratios := results.select(experiment="transformer_statistics", quantity="t_ICL ratio"):
        panels.append(partial(draw_ratios, ratios, "copies", title="transformer, $t_{ICL}$ over that of one copy"))
        described.append(picture.behind(results, ratios))
    if not panels:
        raise results.missing(*FIGURES["burstiness"].experiments)
    caption = (
        "Burstiness: acquisition time at K → ∞ with m copies of the target in the context. Minimal model: circles "
        "single networks (ICL circuit), line the exact averaged field, no fit. Transformer: over t_ICL with one copy, "
        f"line the averaged field with the scores of untrained weights. {'; '.join(described)}."
    )
    return Picture(caption, panels)


def prepare_control(results: Results) -> Picture:
    claims = results.select(experiment="attention_control", quantity="t_ICL ratio")
    if not claims:
        raise results.missing("attention_control")
    caption = (
        f"Acquisition time at K → ∞ of transformers whose W_Q and W_K start {claims[0].at['attention_scale']:g} times "
        "as large, over that of the others: smaller scores at the start, less drag. Line: the averaged field with the "
        f"scores' widths of untrained weights. {picture.behind(results, claims)}."
    )
    return Picture(
        caption, [partial(draw_ratios, claims, "context_length", title="transformer, $t_{ICL}$ scaled over plain")]
    )


def prepare_curves(results: Results) -> Picture:
    """Transformers at K → ∞ that calibrate the audit, and minimal models whose t_ICL is predicted."""
    endless = {"network": "transformer", "task_diversity": np.inf}
    calibrated = results.datasets("audit", "calibration")
    shown: list[tuple[xr.Dataset, Value | None]] = [
        (runs, None) for runs in calibrated if endless.items() <= setting(runs).items()
    ]
    for claim in results.select(experiment="acquisition_time", quantity="t_ICL", beta0=0.0):
        if (datasets := results.behind(claim, needs=["circuit_accuracy"])) and style.known([claim.predicted]):
            shown.append((datasets[0], claim.predicted))
            break
    if not shown:
        raise results.missing(*FIGURES["learning_curves"].experiments)
    panels, captions = [], []
    for runs, predicted in shown:
        fixed = setting(runs)
        title = f"{network_words(fixed['network'])}, $K → ∞$"
        panels.append(partial(draw_curves, runs, fixed["learning_rate"], predicted, accuracy_of(runs), title=title))
        legend = "; ICL circuit, dashed: predicted without a fit" if predicted else ""
        captions.append(f"{picture.networks(runs)}{legend}")
    caption = "ICL accuracy against time, one line a seed; grey line: 95 %. " + ". ".join(captions) + "."
    return Picture(caption, panels)
