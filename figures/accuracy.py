"""Final ICL and IWL accuracy against task diversity, with the predicted threshold (paper, figures 2b, 2c, 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..simulate import CoupledModel, sweep
from ..theory import Estimate, Task, icl_accuracy
from ..validate.clocks import stored_memory
from . import describe, style
from .entry import Figure, Picture
from .results import Results, setting
from .scans import scans

Curve = tuple[Sequence[float], Sequence[float]]


def draw(
    runs: xr.Dataset,
    predicted: Estimate | None = None,
    ax: Axes | None = None,
    title: str = "",
    theory: Curve | None = None,
) -> Axes:
    """Circles: final accuracies of single networks; lines: their means; vertical line and band: predicted K*.

    Parameters
    ----------
    runs : Dataset with ``icl_accuracy`` and ``iwl_accuracy`` over (task_diversity, seed, time)
    predicted : Estimate, optional
        K* and its interval; not drawn where infinite.
    theory : (K, accuracy), optional
        ICL accuracy of the circuit that the coupled equations end with; ``circuit_accuracy`` is then drawn as crosses.
    """
    with style.axes(ax) as ax:
        k = runs.task_diversity.values
        for name, label, colour in (("icl_accuracy", "ICL", style.ICL), ("iwl_accuracy", "IWL", style.IWL)):
            ends = last(runs[name])
            ax.plot(k, ends.mean("seed"), color=colour, label=label, alpha=0.6)
            ax.plot(np.repeat(k, ends.sizes["seed"]), ends.transpose("task_diversity", "seed").values.ravel(), "o",
                    color=colour, markerfacecolor="none")  # fmt: skip
        if theory is not None:
            ax.plot(*theory, color=style.THEORY, linewidth=1.0, label="ICL circuit, coupled equations")
            ends = last(runs.circuit_accuracy).transpose("task_diversity", "seed")
            ax.plot(np.repeat(k, ends.sizes["seed"]), ends.values.ravel(), "x", color=style.MEASURED,
                    label="ICL circuit alone")  # fmt: skip
        if predicted is not None and np.isfinite(predicted.value):
            style.mark_prediction(ax, predicted, f"predicted $K^*$ = {predicted.value:.0f}")
        ax.set(xscale="log", xlabel="task diversity $K$", ylabel="accuracy", ylim=(0.4, 1.03))
        style.label_ticks(ax, k)
        style.legend_above(ax, title)
    return ax


def last(values: xr.DataArray) -> xr.DataArray:
    """The last finite value along ``time``; NaN where there is none."""

    def end(one: np.ndarray) -> float:
        finite = one[np.isfinite(one)]
        return float(finite[-1]) if finite.size else np.nan

    return xr.apply_ufunc(end, values, input_core_dims=[["time"]], vectorize=True)


def coupled_accuracy(runs: xr.Dataset, alone: xr.Dataset) -> Curve:
    """The circuit's ICL accuracy at the budget over K, from the coupled equations with the measured memory."""
    fixed = setting(runs)
    k = runs.task_diversity.values
    diversities = np.geomspace(k.min(), k.max(), 120)
    task = Task(fixed["context_length"], task_diversity=float(k[0]), dimension=fixed["dimension"])
    axes = {"task_diversity": diversities, "beta0": [fixed["beta0"]], "w0": [fixed["w0"]]}
    found = sweep(CoupledModel(task, stored_memory(alone)), axes, (0.0, fixed["budget"])).squeeze(drop=True)
    accuracy = icl_accuracy(found.w.values, found.beta.values, replace(task, task_diversity=np.inf))
    return diversities.tolist(), accuracy.tolist()


def prepare_minimal(results: Results) -> Picture:
    panels, captions = [], []
    for scan in scans(results, "threshold"):
        alone, fixed = scan.memory, scan.setting
        theory = None if alone is None or fixed["beta0"] is None else coupled_accuracy(scan.runs, alone)
        title = f"minimal model, N = {fixed['context_length']}"
        panels.append(partial(draw, scan.runs, scan.predicted("threshold"), title=title, theory=theory))
        captions.append(describe.networks(scan.runs))
    caption = (
        "Final accuracy on novel items with a copy in the context (ICL) and on training items without one (IWL); lines "
        "are means. Dashed with band: K* predicted from perceptrons trained alone; black: the circuit's accuracy by "
        f"the coupled equations with their memory curves, crosses: as measured. {'; '.join(captions)}."
    )
    return Picture(caption, panels)


def prepare_transformer(results: Results) -> Picture:
    panels, captions = [], []
    for scan in scans(results, "transformer_scaling", "audit"):
        title = f"transformer, N = {scan.setting['context_length']}"
        predicted = scan.predicted("layer-normed") or scan.predicted("threshold")
        panels.append(partial(draw, scan.runs, predicted, title=title))
        captions.append(describe.networks(scan.runs))
    caption = (
        "Final accuracy of the transformer on novel items with a copy in the context (ICL) and on training items "
        "without one (IWL); lines are means. Dashed with band: K* from layer-normed perceptrons trained alone and the "
        f"transformer's own t_ICL at K → ∞. {'; '.join(captions)}."
    )
    return Picture(caption, panels)


MINIMAL = Figure(
    "accuracy_minimal", "Accuracy against K, minimal model", prepare_minimal, ("2b", "2c", "3"), ("threshold",)
)
TRANSFORMER = Figure(
    "accuracy_transformer",
    "Accuracy against K, transformer",
    prepare_transformer,
    ("2b", "2c"),
    ("transformer_scaling", "audit"),
)
