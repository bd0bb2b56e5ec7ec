"""The ladder of approximations to t_ICL: what each adds to the error, beside trained networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes

from ..simulate import CoupledModel, coupled_acquisition_time
from ..theory import Estimate, Rung, Task, ladder
from ..theory.contexts.labels import Average
from . import picture, style
from .picture import Picture
from .results import Results

_LENGTHS, _DIMENSION = (12, 25, 50, 100, 200, 400, 800), 63
_RUNGS = {
    "gaussian": "Gaussian label sum", "orthogonal": r"orthogonal items, $D → \infty$",
    "variation of constants": "closed form", "early": "early system", "crossover": "crossover function, blow-up",
    "mills": "no drag, Mills' ratio",
}  # fmt: skip


def draw_ladder(
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
                    label=_RUNGS.get(name := rungs[lengths[0]][i].name, name))  # fmt: skip
        if trained:
            errors = [_distance(error) for error in trained.values()]
            style.plot_estimates(ax, list(trained), errors, color="black", fmt="*", label="networks", zorder=5)
        ax.set(
            xscale="log",
            yscale="log",
            xlabel="context length $N$",
            ylabel="error added to the time\nof acquisition, relative",
        )
        style.label_ticks(ax, lengths, len(lengths))
        style.legend_above(ax, "from exact (circles) to crude (plus signs)", 2)
    return ax


def _distance(ratio: Estimate) -> Estimate:
    """|ratio − 1| and its interval."""
    ends = abs(ratio.low - 1), abs(ratio.high - 1)
    nearest = 0.0 if ratio.contains(1.0) else min(ends)
    return Estimate(abs(ratio.value - 1), nearest, max(ends))


def networks_over_theory(results: Results) -> tuple[dict[int, Estimate], str]:
    """Measured over predicted t_ICL of the minimal model from β0 = 0, by N, and the words for the caption."""
    claims = results.select(experiment="acquisition_time", quantity="t_ICL", beta0=0.0)
    ratios = {int(claim.at["context_length"]): claim.compared for claim in claims}  # pyright: ignore[reportArgumentType]
    return {n: ratio for n, ratio in sorted(ratios.items()) if ratio}, picture.behind(results, claims) if claims else ""


def integrated(task: Task, beta0: float, w0: float, average: Average) -> float:
    """t_ICL from the integrated field with a Gaussian label sum; the binomial's part, below 1e-4, by closed forms."""
    time = float(coupled_acquisition_time(CoupledModel(task, nodes=32), beta0, w0, rtol=1e-10, atol=1e-12))
    if average == "gaussian":
        return time
    binomial, gaussian = ladder(task, beta0, w0)[:2]
    return time * binomial.time / gaussian.time


def prepare_ladder(results: Results | None = None) -> Picture:
    trained, words = ({}, "") if results is None else networks_over_theory(results)
    rungs = {n: ladder(Task(n, dimension=_DIMENSION), 0.0, integrate=integrated) for n in _LENGTHS}
    caption = (
        f"Error that each approximation adds to t_ICL (K → ∞), as |t/t_above − 1|, from the binomial label sum at "
        f"D = {_DIMENSION} down to the Mills ratio, N = {_LENGTHS[0]}–{_LENGTHS[-1]}, β0 = w0 = 0. "
        + (f"Stars: trained networks against the topmost rung. {words}." if words else "Theory alone.")
    )
    return Picture(caption, [partial(draw_ladder, rungs, trained)])
