"""Smoother first attention: t_ICL of transformers with W_Q and W_K scaled down, over t_ICL without (new)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from ..theory import Estimate
from ..validate import acquisition_times, geometric_mean
from ..validate.experiments.transformer_acquisition import ratio_of
from . import describe, style
from .entry import Figure, Picture
from .results import Results, setting
from .scans import column


def draw(
    lengths: Sequence[int], measured: Sequence[Estimate], predicted: Sequence[Estimate], ax: Axes | None = None
) -> Axes:
    """Points with intervals: the ratio measured at each N; line: by the theory with the smaller σ_s."""
    with style.axes(ax) as ax:
        style.plot_band(ax, lengths, predicted, color=style.THEORY, label="predicted from $σ_s$")
        style.plot_estimates(ax, lengths, measured, label="measured")
        ax.axhline(1.0, color="0.7", linewidth=0.6)
        ax.set(xscale="log", xlabel="context length $N$", ylabel=r"$t_{ICL}$ scaled over plain", ylim=(0, None))
        style.label_ticks(ax, lengths)
        style.legend_above(ax, "transformer")
    return ax


def prepare(results: Results) -> Picture:
    scaled = results.find("attention_control_scaled_*", needs=["icl_accuracy", "time"])
    labels = sorted(
        (name.rpartition("_")[2] for name in scaled), key=lambda label: _of(results, "scaled", label)[1]
    )  # fmt: skip
    pairs = {label: [_of(results, kind, label)[0] for kind in ("scaled", "plain")] for label in labels}
    measured = [ratio_of(*pair) for pair in pairs.values()]
    predicted = column([results.predicted("attention_control", label) for label in labels])
    lengths = [_of(results, "scaled", label)[1] for label in labels]
    scale = setting(next(iter(scaled.values()))).get("attention_scale", 1)
    caption = (
        f"Acquisition time at K → ∞ of transformers whose W_Q and W_K start {scale:g} times as large, over that of "
        "the others: smaller scores at the start, less drag. Line: the averaged field with the scores' widths of "
        f"untrained weights. {'; '.join(describe.networks(runs) for runs in scaled.values())}."
    )
    return Picture(caption, [partial(draw, lengths, measured, predicted)])


def _of(results: Results, kind: str, label: str) -> tuple[Estimate, int]:
    """t_ICL of one kind of networks, and N."""
    runs = results.one_of(f"attention_control_{kind}_{label}", needs=["icl_accuracy", "time"])
    return geometric_mean(acquisition_times(runs).values), int(setting(runs)["context_length"])


FIGURE = Figure("attention_control", "A smoother first attention", prepare, (), ("attention_control",))
