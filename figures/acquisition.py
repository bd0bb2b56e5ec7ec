"""t_ICL at K → ∞ against context length, and what it is spread over (paper, figures 6b, A4, A5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..theory import AcquisitionDistribution, Estimate, Task, acquisition_distribution
from ..validate import acquisition_times
from . import describe, style
from .entry import Figure, Picture
from .results import MissingResults, Results, setting
from .scans import column

Times = Mapping[float, np.ndarray]


def draw(
    series: Mapping[str, Times],
    predicted: Mapping[str, tuple[Sequence[float], Sequence[Estimate]]],
    xlabel: str = "context length $N$",
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Circles: t_ICL of single networks over N, medians joined; lines with bands: predicted, by the same labels first.

    Networks that never acquired ICL are left out of the circles and count in the medians.
    """
    with style.axes(ax) as ax:
        colours = dict(zip([*series, *(p for p in predicted if p not in series)], style.SERIES, strict=False))
        for label, (x, estimates) in predicted.items():
            words = f"{label}, predicted" if label in series else label
            style.plot_band(ax, x, estimates, color=colours[label], label=words)
        for (label, times), marker in zip(series.items(), style.MARKERS, strict=False):
            at = np.concatenate([np.full(np.isfinite(t).sum(), x) for x, t in times.items()])
            seen = np.concatenate([t[np.isfinite(t)] for t in times.values()])
            ax.plot(at, seen, marker, color=colours[label], markerfacecolor="none", markersize=3.5, label=label)
            if label not in predicted:
                ax.plot(list(times), [_median(t) for t in times.values()], color=colours[label], linewidth=0.7)
        found = sum(int(np.isfinite(t).sum()) for times in series.values() for t in times.values())
        style.logarithmic(ax, found, "no network acquires ICL within its budget")
        ax.set(xlabel=xlabel, ylabel=r"$t_{ICL}$ (gradient-flow time)")
        if found:
            style.label_ticks(ax, sorted({x for times in series.values() for x in times}), most=7)
        style.legend_above(ax, title, 2)
    return ax


def _median(times: np.ndarray) -> float:
    middle = float(np.sort(times)[times.size // 2])
    return middle if np.isfinite(middle) else np.nan


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
        ax.step(seen, share, where="post", color=style.MEASURED, label=f"measured, {times.size} networks")
        ax.fill_between(seen, np.clip(share - radius, 0, 1), np.clip(share + radius, 0, 1), step="post",
                        color=style.MEASURED, alpha=0.15, linewidth=0)  # fmt: skip
        if law is not None:
            t = np.geomspace(seen[0] / 2, budget, 300)
            ax.plot(t, law.cdf(t), color=style.THEORY, linestyle="--", label=r"theory, $\beta_0 \sim N(0, 1)$")
        ax.axvline(budget, color="0.7", linewidth=0.6)
        ax.set(xscale="log", xlabel=r"$t_{ICL}$ (gradient-flow time)", ylabel="fraction acquired", ylim=(0, 1.02))
        style.plain_ticks(ax.xaxis)
        style.legend_above(ax, title, 1)
    return ax


def _circuit(runs: xr.Dataset) -> np.ndarray:
    """t_ICL of every network: of the minimal model's circuit, of the transformer as a whole."""
    name = "circuit_accuracy" if setting(runs)["network"] == "minimal" else "icl_accuracy"
    return acquisition_times(runs, name).values.ravel()


def _several(results: Results, experiment: str, needs: Sequence[str]) -> dict[str, xr.Dataset]:
    """K → ∞ networks at two context lengths or more."""
    found = results.find(f"{experiment}_n*", needs=needs)
    if len({setting(runs)["context_length"] for runs in found.values()}) < 2:
        raise MissingResults(
            f"Argument 'results' must hold {experiment}_n*.nc at two context lengths or more, but {results.directory} "
            f"does not; make them with `iclrace validate --preset workstation -e {experiment} --out "
            "results/workstation`."
        )
    return found


def _exact(runs: xr.Dataset, results: Results, experiment: str, name: str) -> Estimate | None:
    return results.predicted(experiment, name.removeprefix(f"{experiment}_"))


def prepare_minimal(results: Results) -> Picture:
    found = _several(results, "acquisition_time", ["circuit_accuracy", "time"])
    series: dict[str, dict[float, np.ndarray]] = {}
    said: dict[str, dict[float, Estimate | None]] = {}
    order = sorted(found.items(), key=lambda item: (-setting(item[1])["beta0"], setting(item[1])["context_length"]))
    for name, runs in order:
        fixed = setting(runs)
        label = rf"$\beta_0$ = {fixed['beta0']:g}"
        series.setdefault(label, {})[fixed["context_length"]] = _circuit(runs)
        said.setdefault(label, {})[fixed["context_length"]] = _exact(runs, results, "acquisition_time", name)
    predicted = {label: (list(one), column(list(one.values()))) for label, one in said.items()}
    caption = (
        "Acquisition time of the ICL circuit at K → ∞: circles single networks, lines the exact averaged field at "
        f"finite D, no fit. {'; '.join(describe.networks(runs) for runs in found.values())}."
    )
    return Picture(caption, [partial(draw, series, predicted, title="minimal model")])


def _transformer_panel(results: Results, experiment: str, title: str) -> tuple[partial[Axes], list[xr.Dataset]]:
    found = _several(results, experiment, ["icl_accuracy", "time"])
    ordered = sorted(found.items(), key=lambda item: setting(item[1])["context_length"])
    times = {float(setting(runs)["context_length"]): _circuit(runs) for _, runs in ordered}
    predicted = {}
    for kind in ("flat", "rough"):
        points = [(setting(runs)["context_length"], results.predicted(experiment,
                  f"{kind}_{name.removeprefix(f'{experiment}_')}")) for name, runs in ordered]  # fmt: skip
        if any(one for _, one in points):
            known = [(n, one) for n, one in points if one]
            predicted[f"one point, {kind} attention"] = ([n for n, _ in known], [one for _, one in known])
    return partial(draw, {"networks": times}, predicted, title=title), [runs for _, runs in ordered]


def prepare_transformer(results: Results) -> Picture:
    panels, datasets = [], []
    for experiment, title in (("transformer_acquisition", "transformer"), ("two_layer_acquisition", "two layers")):
        try:
            panel, mine = _transformer_panel(results, experiment, title)
        except MissingResults:
            if not panels and experiment == "two_layer_acquisition":
                raise
            continue
        panels.append(panel)
        datasets += mine
    caption = (
        "Acquisition time of the transformer at K → ∞: circles single networks, thin line medians; bands: the "
        "averaged field with flat attention, or with scores as rough as those of untrained weights, through one point. "
        f"{'; '.join(describe.networks(runs) for runs in datasets)}."
    )
    return Picture(caption, panels)


def prepare_spread(results: Results) -> Picture:
    found = results.find("acquisition_spread*_networks", "transformer_acquisition_n*", needs=["icl_accuracy", "time"])
    most = max(found.values(), key=lambda runs: (setting(runs)["network"] == "transformer") * runs.sizes["seed"])
    panels, captions = [], []
    for runs in [one for name, one in found.items() if name.startswith("acquisition_spread")] + [most]:
        fixed = setting(runs)
        if any(panel.args[0].size == runs.sizes["seed"] for panel in panels):
            continue
        minimal = fixed["network"] == "minimal"
        task = Task(fixed["context_length"], dimension=fixed["dimension"])
        law = acquisition_distribution(task, 0.0, 1.0, fixed["w0"]) if minimal else None
        title = f"{'minimal model' if minimal else 'transformer'}, N = {fixed['context_length']}"
        panels.append(partial(draw_spread, _circuit(runs), fixed["budget"], law, title=title))
        captions.append(describe.networks(runs))
    caption = (
        "The long tail: distribution function of t_ICL at K → ∞, with the 95 % band of Dvoretzky, Kiefer and "
        f"Wolfowitz; grey line: end of training. {'; '.join(captions)}."
    )
    return Picture(caption, panels)


def prepare_burstiness(results: Results) -> Picture:
    found = results.find("burstiness_m*", needs=["circuit_accuracy", "time"])
    ordered = sorted(found.items(), key=lambda item: setting(item[1])["copies"])
    times = {float(setting(runs)["copies"]): _circuit(runs) for _, runs in ordered}
    said = column([_exact(runs, results, "burstiness", name) for name, runs in ordered])
    caption = (
        "Burstiness: acquisition time of the ICL circuit at K → ∞ with m copies of the target in the context: circles "
        "single networks, line the exact averaged field, no fit. "
        f"{'; '.join(describe.networks(runs) for _, runs in ordered)}."
    )
    panel = partial(draw, {"networks": times}, {"networks": (list(times), said)}, "copies in the context $m$")
    return Picture(caption, [partial(panel, title="minimal model")])


MINIMAL = Figure(
    "acquisition_minimal",
    "t_ICL against context length, minimal model",
    prepare_minimal,
    ("6b",),
    ("acquisition_time",),
)
TRANSFORMER = Figure(
    "acquisition_transformer",
    "t_ICL against context length, transformer with one and two layers",
    prepare_transformer,
    ("6b", "A5"),
    ("transformer_acquisition", "two_layer_acquisition"),
)
BURSTINESS = Figure("burstiness", "t_ICL against copies in the context", prepare_burstiness, (), ("burstiness",))
SPREAD = Figure(
    "acquisition_spread",
    "The long tail of t_ICL",
    prepare_spread,
    ("6b", "A4"),
    ("acquisition_spread", "transformer_acquisition"),
)
