"""Writes docs/derivation.md from the derivation's own objects: ``python -m iclrace.docs.derivation [path]``."""

import math
import sys
from pathlib import Path

from iclrace.theory import (
    Exponent,
    PowerLawMemory,
    Task,
    acquisition_clock,
    acquisition_time,
    clock_at_acquisition,
    exponents,
    fixed_points,
    fold,
    fold_margin,
    ladder,
    mean_transience_time,
    mills_ratio,
    threshold,
    threshold_slopes,
    tracking_weight,
)
from iclrace.theory.common.files import written_whole
from iclrace.theory.derivation import Step, chain
from iclrace.theory.derivation.step import latex

from .derivation_text import CORRECTIONS, EXPERIMENTAL, FAILURE, HEADER, PENCIL

CONTEXT_LENGTHS = (25, 50, 100, 200, 400, 800, 1600)
STARTS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0)


def render() -> str:
    """The whole document, in Markdown."""
    steps = "\n".join(_step(number, step) for number, step in enumerate(chain(), start=1))
    return "\n".join(
        [
            HEADER,
            steps,
            _validity_table(),
            _exponent_table(exponents()),
            _budget_table(),
            _ladder_table(),
            _pencil(),
            EXPERIMENTAL,
            _corrections(),
            FAILURE,
        ]
    )


def _pencil() -> str:
    """The chain followed once with numbers."""
    task, memory = Task(100), PowerLawMemory(3.9, 0.7)
    tau, later = (float(acquisition_clock(beta0, 0.0, 0.5)) for beta0 in (0.0, 1.0))
    star, field_clock = threshold(task, memory, 0.0), float(clock_at_acquisition(task, 0.0))
    repeating = Task(100, task_diversity=round(star.value))
    start, end = float(memory.margin(field_clock, 8000.0)), float(fold_margin(task, 1e-4))
    last = float(memory.clock(end, 8000.0))
    loss = float(mean_transience_time(task, memory, 1e-4, start, task_diversity=8000.0))
    return PENCIL.format(
        mills=f"{float(mills_ratio(-0.5)):.4f}",
        tau=f"{tau:.4f}",
        blow_up=f"{200.0 * tau:.1f}",
        time=f"{float(acquisition_time(task, 0.0)):.1f}",
        clock=f"{100.0 * tau:.1f}",
        star=f"{float(memory.critical_diversity(100.0 * tau)):.0f}",
        exact=f"{star.value:.0f}",
        high=f"{star.high:.0f}",
        copies=f"{1.0 + 99.0 / repeating.task_diversity:.2f}",
        repeated=f"{float(clock_at_acquisition(repeating, 0.0, repeats=True)):.1f}",
        field_clock=f"{field_clock:.1f}",
        consistent=f"{threshold(task, memory, 0.0, repeats=True).value:.0f}",
        at_budget=f"{threshold(task, memory, 0.0, budget=1e4).value:.0f}",
        slope=f"{threshold_slopes(task, memory, 0.0, budget=1e4)['clock']:.2f}",
        shifted=f"{0.5 / math.e:.4f}",
        ratio=f"{later / tau:.3f}",
        star_ratio=f"{(later / tau) ** (1.0 / 0.7):.3f}",
        constant=f"{-math.log(1e-4) - end:.2f}",
        fold=f"{end:.2f}",
        last=f"{last:.0f}",
        start=f"{start:.2f}",
        mean=f"{(last - field_clock) / (1e-4 * loss):.1f}",
        loss=f"{loss:.3g}",
    )


def _corrections() -> str:
    """What the full equations move, computed."""
    task = Task(100)
    folds = [fold(task, decay) for decay in (1e-4, 1e-3, 5e-3)]
    return CORRECTIONS.format(
        clocks=", ".join(f"{float(clock_at_acquisition(Task(n, dimension=63), 0.0)):.1f}" for n in (25, 50, 100)),
        folds=", ".join(f"{point.margin:.2f}" for point in folds if point is not None),
        tracked=f"{float(tracking_weight(math.exp(-3.0), 1e-6)):.2f}",
        branch=f"{fixed_points(task, 1e-6, 3.0)[-1].w:.2f}",
    )


def _step(number: int, step: Step) -> str:
    lines = [f"## {number}. {step.title}", ""]
    lines += [f"- *Assumed:* {assumption}" for assumption in step.assumptions]
    lines.append("")
    for part in step.body:
        lines += [part if isinstance(part, str) else f"$${latex(part)}$$", ""]
    lines += [f"- *Checked ({check.kind}):* {check.claim}." for check in step.checks]
    return "\n".join([*lines, ""])


def _validity_table() -> str:
    """Every step's statement, what it assumes, where it was shown, and how far off it is there."""
    lines = [
        "## What holds where",
        "",
        "The errors are measured against the rung above or against integration, in the domain given; the tests of the",
        "functions named hold them. What a step assumes adds to what the steps above it assume.",
        "",
        "| step | statement | assumes | domain | error there | in the code |",
        "|---|---|---|---|---|---|",
    ]
    for number, step in enumerate(chain(), start=1):
        held = step.validity
        names = ", ".join(f"`{name}`" for name in held.code)
        assumed = " ".join(step.assumptions)
        cells = (f"{number} {step.title}", held.statement, assumed, held.domain, held.error, names)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def _budget_table() -> str:
    """The exponents of K* at finite budgets, for one memory."""
    task, memory = Task(100), PowerLawMemory(3.9, 0.7)
    lines = [
        "### At a finite budget",
        "",
        "K*(T), its exponents, and the width of the transition in ln K over σ_β (N = 100, β0 = 0, A = 3.9, ν = 0.7,",
        "p = 1, L = 3, no repeats; t_ICL(K → ∞) = 277). The exponents in N and β0 are those of I* times",
        "d ln K*/d ln I*.",
        "",
        "| T | K* | I*, N | β0 | A | rate ratio | width/σ_β |",
        "|---|---|---|---|---|---|---|",
    ]
    for budget in (400.0, 600.0, 1e3, 1e4, 1e6, math.inf):
        slopes = threshold_slopes(task, memory, 0.0, budget=budget)
        star = threshold(task, memory, 0.0, budget=budget).value
        at = "∞" if math.isinf(budget) else f"{budget:g}"
        values = [slopes[name] for name in ("context_length", "beta0", "amplitude", "rate_ratio")]
        cells = [at, f"{star:.0f}", *(f"{value:.2f}" for value in values), f"{abs(slopes['beta0']):.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _exponent_table(laws: tuple[Exponent, ...]) -> str:
    lines = [
        "## Exponents",
        "",
        "d ln(quantity)/d ln(variable), and d ln(quantity)/dβ0 for β0, by sympy. The regime is where the local slope",
        "of the exact expression is within 5 % of the exponent (within 0.05 where the exponent is 0).",
        "",
        "| quantity | variable | branch | exponent | regime |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {e.quantity} | {e.variable} | {e.branch} | ${e.latex}$ | {e.where} |" for e in laws]
    return "\n".join([*lines, ""])


def _ladder_table() -> str:
    """t_ICL at D = 63 and the relative error that each further approximation makes."""
    lines = [
        "## Ladder",
        "",
        "t_ICL (K → ∞, D = 63, one copy, to 95 % accuracy) under the exact label sum, and the relative error, in",
        "percent, that each further approximation adds to the rung above. The times of the first three rungs are",
        "`acquisition_time`'s; the test-suite integrates the field beside them and finds them within 0.3 %.",
        "",
        "| N | β0 | t_ICL | Gaussian | D → ∞ | early system | to its blow-up | no drag |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for length in CONTEXT_LENGTHS:
        for start in STARTS:
            rungs = {rung.name: rung for rung in ladder(Task(length, dimension=63), start)}
            names = ("gaussian", "orthogonal", "early", "crossover", "mills")
            errors = " | ".join(_percent(rungs[name].error) for name in names)
            lines.append(f"| {length} | {start:g} | {rungs['binomial'].time:.4g} | {errors} |")
    return "\n".join([*lines, ""])


def _percent(error: float) -> str:
    text = f"{100.0 * error:.1f}"
    return "0.0" if text == "-0.0" else text  # no signed zero, whose sign would hang on the last bit


def main(path: str = "docs/derivation.md") -> None:
    """Write the document to ``path``."""
    with written_whole(Path(path)) as partial:
        partial.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:2])
