"""How far three knobs move the transformer's K*: predicted, measured, and expected of a fixed capacity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes

from ..validate import Claims
from ..validate.experiments.shifts import KNOBS, SHIFT
from ..validate.values import Value
from . import picture, style
from .catalogue import FIGURES
from .picture import Picture
from .results import Results

_WORDS = {
    "residual_scale": "length of the target in the residual, $c$ (memory alone)",
    "beta0": r"score of a copy at the start, $\beta_0$ (ICL alone)",
    "rate_ratio": "perceptron's learning rate over the attention's, $r$ (both)",
}
_COLOURS = {"reduced transformer": style.THEORY, "layer-normed perceptrons": style.OTHER}
_NAMES = {"layer-normed perceptrons": "independent circuits"}


def draw(
    levels: Sequence[float], measured: Sequence[Value | None], predicted: Mapping[str, Sequence[Value | None]],
    xlabel: str, title: str = "", ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """ln K*/K*(base) over the levels of one knob, in their order: lines predicted, dots measured, dotted a capacity."""
    with style.axes(ax) as ax:
        ax.axhline(0.0, color=style.IWL, linestyle=":", label="a capacity")
        for method, forecast in predicted.items():
            colour = _COLOURS.get(method, style.IWL)
            known = [(i, *style.known([value])[0]) for i, value in enumerate(forecast) if _bounded(value)]
            if known:
                at, value, low, high = zip(*known, strict=True)
                ax.plot(at, value, color=colour, marker="_", markersize=9, label=_NAMES.get(method, method))
                ax.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
        for i, observed in enumerate(measured):
            for y, low, high in style.known([observed]):
                ax.errorbar(
                    i, y, yerr=[[y - low], [high - y]], fmt="o", color=style.MEASURED,
                    label="measured" if i == 0 else None,
                )  # fmt: skip
        ax.set(xlabel=xlabel, ylabel="$\\ln K^*/K^*_{base}$", title=title, xlim=(-0.4, len(levels) - 0.6))
        ax.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
    return ax


def _bounded(value: Value | None) -> bool:
    """Whether a shift has at least one finite end; without any it is not drawn."""
    return any(low > -1e300 or high < 1e300 for _, low, high in style.known([value]))


def prepare(results: Results) -> Picture:
    claims = Claims(claim for claim in results.select(quantity=SHIFT) if "knob" in claim.at)
    if not claims:
        raise results.missing(*FIGURES["threshold_shifts"].experiments)
    panels = []
    for knob in KNOBS:
        of_knob = claims.select(knob=knob)
        levels = sorted({float(claim.at[knob]) for claim in of_knob})
        if not levels:
            continue
        by = {
            method: [next(iter(of_knob.select(method=method, **{knob: level})), None) for level in levels]
            for method in dict.fromkeys(claim.method for claim in of_knob)
        }
        first = next(iter(by.values()))
        measured = [None if claim is None else claim.measured for claim in first]
        predicted = {
            method: [None if claim is None else claim.predicted for claim in shifts] for method, shifts in by.items()
        }
        panels.append(partial(draw, levels, measured, predicted, _WORDS[knob]))
    panels[0] = partial(_with_legend, panels[0])
    caption = (
        "How far one knob moves K* of the transformer from that of the base (residual 1, β0 = 0, r = 1), with as many "
        "parameters: the target's length in the residual c, which memory alone reads; the mean score of a copy at the "
        "start β0, which is the ICL circuit's alone; the rate of the perceptron over the attention's r, both. Lines "
        "with bands: predicted, nothing fitted; dots: measured, with intervals; dotted: what a capacity would say. "
        f"{picture.behind(results, claims)}."
    )
    return Picture(caption, panels, height=1.7)


def _with_legend(panel, ax: Axes) -> Axes:
    panel(ax=ax).legend()
    return ax
