"""Every figure of the package, by name; what draws it is imported when it is drawn."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ..theory.common.arguments import choice, require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from .picture import Picture
    from .results import MissingResults, Results


@dataclass(frozen=True)
class Figure:
    """An entry of the catalogue.

    Parameters
    ----------
    name : str
        By content.
    title : str
        One line.
    source : str
        "module:function" of this room: results → Picture. With ``experiments`` empty it is called with None and needs
        no results.
    paper : sequence of str
        Figures of the paper that show the same, such as "2b".
    experiments : sequence of str
        Names of the experiments whose results it needs.
    """

    name: str
    title: str
    source: str
    paper: Sequence[str] = ()
    experiments: Sequence[str] = ()

    @property
    def needs(self) -> str:
        """What must be there, in words."""
        return ", ".join(self.experiments) or "nothing (theory alone)"

    def picture(self, results: Results | None = None) -> Picture:
        """The figure for a results folder; ``ValueError`` names the command that makes what is missing."""
        if self.experiments:
            require(results is not None, "results", f"be given: {self.name} needs {self.needs}", results)
        module, function = self.source.split(":")
        return getattr(import_module(f".{module}", __package__), function)(results)


_COUPLING = ("coupling_conditions", "coupling_rates", "coupling_lengths", "coupling_beyond")
_PAPER = ("paper_threshold", "paper_lengths")
# fmt: off
_ENTRIES: tuple[Figure, ...] = (
    Figure("race", "Memory's clock against the reading that ICL needs",
           "scan:prepare_race", (), ("threshold",)),
    Figure("verdicts", "Every prediction at a glance",
           "verdicts:prepare", (), ("any experiment",)),
    Figure("accuracy_minimal", "Accuracy against K, minimal model",
           "accuracy:prepare_minimal", ("2b", "2c", "3"), ("threshold",)),
    Figure("accuracy_other_data", "Accuracy against K with copies, skewed frequencies and other rates",
           "accuracy:prepare_other", (), ("threshold_burstiness", "threshold_skew", "kinetics_half_rate")),
    Figure("accuracy_transformer", "Accuracy against K, transformer",
           "accuracy:prepare_transformer", ("2b", "2c"), ("transformer_scaling", "audit")),
    Figure("accuracy_own", "Accuracy against K, networks and items of one's own",
           "accuracy:prepare_own", (), ("own_threshold",)),
    Figure("clock_collapse", "ICL is acquired at one reading of the clock",
           "scan:prepare_collapse", (), ("threshold",)),
    Figure("learning_curves", "ICL is acquired abruptly, at a time of each seed's own",
           "acquisition:prepare_curves", ("2d", "3"), ("audit", "acquisition_time")),
    Figure("landscape", "Loss landscape over (w, β), with trajectories",
           "theory:prepare_landscape", ("4",), ()),
    Figure("memory_curves", "c1, c2, c3 and I_K(t) of the memory alone",
           "memory:prepare_curves", ("5", "A2", "A3"), ("memory_law", "paper_memory")),
    Figure("memory_law", "Memorisation law I_K = A K^ν",
           "memory:prepare_law", ("5", "A3"), ("memory_law", "memory_depth", "paper_memory")),
    Figure("memory_depth", "The memory's clock with two and three layers",
           "memory:prepare_depth", (), ("memory_depth",)),
    Figure("acquisition_minimal", "t_ICL against context length, minimal model",
           "acquisition:prepare_minimal", ("6b",), ("acquisition_time",)),
    Figure("acquisition_transformer", "t_ICL against context length, transformer with one and two layers",
           "acquisition:prepare_transformer", ("6b", "A5"), ("transformer_acquisition", "two_layer_acquisition")),
    Figure("acquisition_spread", "The long tail of t_ICL",
           "acquisition:prepare_spread", ("6b", "A4"),
           ("acquisition_spread", "transformer_acquisition", "transformer_tail")),
    Figure("burstiness", "t_ICL against copies in the context",
           "acquisition:prepare_burstiness", (), ("burstiness", "transformer_statistics")),
    Figure("threshold_minimal", "K* against context length, minimal model",
           "threshold:prepare_minimal", ("6a", "A7"), ("threshold",)),
    Figure("threshold_transformer", "K* against context length, transformer",
           "threshold:prepare_transformer", ("6a", "A7"), ("transformer_scaling",)),
    Figure("kinetics_or_capacity", "Kinetics or capacity",
           "threshold:prepare_kinetics", (), ("kinetics", "capacity", "transformer_kinetics", "transformer_rates")),
    Figure("threshold_shifts", "How far three knobs move K*",
           "shifts:prepare", (), ("kinetics_knobs", "kinetics_rates")),
    Figure("threshold_budget", "K* against the time of training",
           "threshold:prepare_budget", (), ("budget", "transformer_budget", "rivals_budgets")),
    Figure("bimodality", "Two kinds of outcome near K*",
           "outcomes:prepare", ("6c",),
           ("bimodality", "transformer_outcomes", "paper_outcomes", "controls_kinds_n15", "controls_kinds_n7",
            "controls_kinds_n15_r2")),
    Figure("transience", "ICL is acquired and lost again",
           "transience:prepare_curves", ("2e", "3"),
           ("transience_phases", "transience_transformer", "paper_transience")),
    Figure("icl_against_iwl", "ICL against IWL along training",
           "transience:prepare_plane", ("6d",), ("transience_phases", "transience_transformer", "paper_transience")),
    Figure("transience_time", "How long ICL lasts under weight decay",
           "transience:prepare_times", ("A6",),
           ("transience_decay", "transience_diversity", "transience_half_rate", "transience_transformer",
            "paper_transience")),
    Figure("loss_relation", "How ICL and IWL loss are tied",
           "transience:prepare_losses", (), ("transience_losses", "transience_decay")),
    Figure("balanced_labels", "Balanced against i.i.d. labels",
           "outcomes:prepare_labels", ("6e", "A8"), ("context_labels", "transformer_statistics", "paper_labels")),
    Figure("independence_audit", "Are the transformer's two circuits independent?",
           "threshold:prepare_audit", (), ("audit",)),
    Figure("coupling_threshold", "K* measured against predicted under sixteen conditions",
           "coupling:prepare_threshold", (), _COUPLING),
    Figure("coupling_accuracy", "Accuracy against K under sixteen conditions",
           "accuracy:prepare_conditions", (), _COUPLING),
    Figure("susceptibility", "K* without a sigmoid: variance over seeds and Binder's cumulant",
           "susceptibility:prepare", (), ("coupling_lengths_many", "coupling_lengths")),
    Figure("coupling_acquisition", "t_ICL of the transformer without a calibrated point",
           "coupling:prepare_acquisition", ("6b",), ("coupling_acquisition",)),
    Figure("rivals_acquisition", "t_ICL at a share of fresh items, and with copies",
           "rivals:prepare", (), ("rivals_fresh", "rivals_fresh_minimal", "rivals_copies")),
    Figure("accuracy_paper", "Accuracy against K at the paper's own size",
           "accuracy:prepare_paper", ("2b", "2c"), _PAPER),
    Figure("threshold_paper", "K* against context length at the paper's own size",
           "threshold:prepare_paper", ("6a",), (*_PAPER, "paper_exponent")),
    Figure("acquisition_paper", "t_ICL at the paper's own size",
           "coupling:prepare_paper_acquisition", ("6b",), ("paper_acquisition",)),
    Figure("controls_accuracy", "Accuracy against K where the circuits share nothing",
           "accuracy:prepare_controls", (), ("controls_lengths", "controls_rates", "controls_held_gain")),
    Figure("ladder", "From a linear readout to the whole transformer, rung by rung",
           "controls:prepare_ladder", (), ("controls_ladder",)),
    Figure("attention_control", "A smoother first attention",
           "acquisition:prepare_control", (), ("attention_control",)),
    Figure("phase_diagram", "P(acquire ICL) over N and K",
           "theory:prepare_probability", ("6a",), ()),
    Figure("phases_decay", "Phases of training over λ and K",
           "theory:prepare_phases", ("A6",), ()),
    Figure("exponent_crossover", "Crossover of the exponent of t_ICL in β0",
           "theory:prepare_crossover", (), ()),
    Figure("approximation_ladder", "Error added at every rung of the approximation ladder",
           "ladder:prepare_ladder", (), ()),
    Figure("work_precision", "Speed of the ODE ensembles at equal error",
           "work_precision:prepare", (), ("python -m benchmarks.ode",)),
)
# fmt: on
FIGURES: dict[str, Figure] = {entry.name: entry for entry in _ENTRIES}


def find(name: str) -> list[Figure]:
    """The figure of a name, or those that stand for a figure of the paper, such as "2b".

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> [figure.name for figure in find("4")]
    ['landscape']
    """
    if name in FIGURES:
        return [FIGURES[name]]
    entries = [entry for entry in _ENTRIES if name.removeprefix("fig") in entry.paper]
    if not entries:
        choice("name", name, FIGURES, otherwise="a figure of the paper, such as 2b")
    return entries


def draw(name: str, results: Results | None = None, ax: Axes | Sequence[Axes] | None = None) -> Canvas:
    """Figure ``name`` (or the first for a figure of the paper), on ``ax`` or on new axes.

    Raises
    ------
    ValueError
        For an unknown name, for results that are missing (the message names the command that makes them), or for an
        ``ax`` that does not hold one axes a panel.
    StoreError
        If a file is damaged or from another version; the message names it.

    Examples
    --------
    >>> from matplotlib import pyplot
    >>> ax = draw("exponent_crossover", ax=pyplot.figure().add_subplot()).axes[0]
    >>> [one.get_label() for one in ax.get_lines()][:2]
    ['closed form, $N → ∞$', 'integrated, $N$ = 100']
    """
    return find(name)[0].picture(results).draw(ax)


def available(results: Results) -> Iterator[tuple[Figure, Picture | MissingResults]]:
    """Every figure of the catalogue: its picture, or what it misses in ``results``."""
    from .results import MissingResults

    for entry in _ENTRIES:
        try:
            yield entry, entry.picture(results)
        except MissingResults as missing:
            yield entry, missing


def save_all(
    results: Results, out: str | os.PathLike[str], suffix: str = ".png", *, of_results: bool = False
) -> tuple[list[Path], dict[str, MissingResults]]:
    """Write every figure whose results are there to ``out``; returns the files, and what the others miss.

    With ``of_results`` only those that show something of this folder, and none again that was drawn after its results
    were written and the package was last changed.
    """
    from .results import MissingResults
    from .style import save

    made: list[Path] = []
    missing: dict[str, MissingResults] = {}
    changed = _last_change(results.directory) if of_results else math.inf
    for entry in _ENTRIES:
        path = Path(out) / f"{entry.name}{suffix}"
        if of_results and not entry.experiments:
            continue
        if path.exists() and path.stat().st_mtime > changed:
            made.append(path)
            continue
        try:
            made.append(save(entry.picture(results).draw(), path))
        except MissingResults as why:
            missing[entry.name] = why
    return made, missing


def _last_change(folder: Path) -> float:
    """When anything was last written that a figure of a results folder shows, or that draws it."""
    package = Path(__file__).parents[1]
    drawing = (
        path for room in ("theory", "simulate", "validate", "figures") for path in (package / room).rglob("*.py")
    )
    shown = (*folder.glob("*.nc"), *folder.glob("summary.json"), *folder.glob("ode.json"))
    return max(path.stat().st_mtime for path in (*drawing, *shown))
