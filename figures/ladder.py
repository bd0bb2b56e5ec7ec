"""The approximation ladder: what each step from the exact field to the Mills ratio costs (new)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from matplotlib.axes import Axes

from ..simulate import CoupledModel, acquisition_time
from ..theory import Estimate, Rung, Task, ladder
from ..theory.labels import Average
from ..validate import acquisition_times, geometric_mean
from . import describe, style
from .entry import Figure, Picture
from .results import MissingResults, Results, setting

_LENGTHS = (12, 25, 50, 100, 200, 400, 800)
_DIMENSION = 63


def draw(
    rungs: Mapping[int, Sequence[Rung]], trained: Mapping[int, Estimate] | None = None, ax: Axes | None = None
) -> Axes:
    """|t/t_above − 1| of every rung below the first against N, t_above being the rung above: ``rungs[N]``.

    Points: networks, |ratio − 1| of their t_ICL to the topmost rung, with intervals; ``trained[N]`` is the ratio.
    """
    with style.axes(ax) as ax:
        lengths = list(rungs)
        for i in range(1, len(next(iter(rungs.values())))):
            errors = [abs(rungs[n][i].error) for n in lengths]
            ax.plot(lengths, errors, marker=style.MARKERS[i - 1], color=style.SERIES[i - 1], linewidth=0.9,
                    label=rungs[lengths[0]][i].name)  # fmt: skip
        if trained:
            errors = [_distance(one) for one in trained.values()]
            style.plot_estimates(ax, list(trained), errors, color="black", fmt="*", label="networks", zorder=5)
        ax.set(xscale="log", yscale="log", xlabel="context length $N$", ylabel="relative error added")
        style.label_ticks(ax, lengths, len(lengths))
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.3), ncols=3, columnspacing=1.0)
    return ax


def _distance(ratio: Estimate) -> Estimate:
    """|ratio − 1| and its interval."""
    ends = abs(ratio.low - 1), abs(ratio.high - 1)
    nearest = 0.0 if ratio.contains(1.0) else min(ends)
    return Estimate(abs(ratio.value - 1), nearest, max(ends))


def networks_over_theory(results: Results) -> tuple[dict[int, Estimate], list[str]]:
    """Measured over predicted t_ICL of the minimal model from β0 = 0, by N, and the words for the caption."""
    found: dict[int, Estimate] = {}
    words = []
    for name, runs in results.find("acquisition_time_n*", needs=["circuit_accuracy", "time"]).items():
        predicted = results.predicted("acquisition_time", name.removeprefix("acquisition_time_"))
        if setting(runs)["beta0"] != 0.0 or predicted is None:
            continue
        measured = geometric_mean(acquisition_times(runs, "circuit_accuracy").values)
        ends = (end / predicted.value for end in (measured.value, measured.low, measured.high))
        found[setting(runs)["context_length"]] = Estimate(*ends)
        words.append(describe.networks(runs))
    return dict(sorted(found.items())), words


def integrated(task: Task, beta0: float, w0: float, average: Average) -> float:
    """t_ICL from the integrated field with a Gaussian label sum; the binomial's part, below 1e-4, by closed forms."""
    time = float(acquisition_time(CoupledModel(task, nodes=32), beta0, w0, rtol=1e-10, atol=1e-12))
    if average == "gaussian":
        return time
    binomial, gaussian = ladder(task, beta0, w0)[:2]
    return time * binomial.time / gaussian.time


def prepare(results: Results | None = None) -> Picture:
    trained, words = {}, []
    if results is not None:
        with suppress(MissingResults):
            trained, words = networks_over_theory(results)
    rungs = {n: ladder(Task(n, dimension=_DIMENSION), 0.0, integrate=integrated) for n in _LENGTHS}
    caption = (
        f"Error that each approximation adds to t_ICL (K → ∞), as |t/t_above − 1|, from the binomial label sum at "
        f"D = {_DIMENSION} down to the Mills ratio, N = {_LENGTHS[0]}–{_LENGTHS[-1]}, β0 = w0 = 0. "
        + (f"Stars: trained networks against the topmost rung. {'; '.join(words)}." if words else "Theory alone.")
    )
    return Picture(caption, [partial(draw, rungs, trained)])


FIGURE = Figure("approximation_ladder", "Error added at every rung of the approximation ladder", prepare)
