"""K* of networks whose circuits share nothing: from a clock that runs alone, and from equations without coupling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr

from ...theory.reduced_transformer import CouplingRun, MeasuredCoupling, ReducedTransformer, Terms
from ...theory.reduced_transformer.readout import gate_of
from ..data.seeds import Purpose, derive_seed
from ..data.sequences import Sequences
from ..measure.clocks import clock_at
from ..measure.times import geometric_mean
from ..networks.foreign import network_named
from ..networks.stacked import sequence_tokens
from ..predict.reduced import crossing, members_of, model_of, solved
from ..predict.threshold import Prediction
from ..protocol import Jobs, Trained, couplings_in
from ..training.config import Run, addresses
from ..training.perceptrons import squared_gradient
from .scan import Scan
from .transformer_methods import EndlessClock, predict_threshold_at

#: Untrained networks whose readout is looked at, sequences and directions in each.
_NETWORKS, _SEQUENCES, _DIRECTIONS = 8, 400, 4
#: In place of what vanishes, where the table asks for positive numbers.
_NOTHING = 1e-9
EVERY = Terms()
SEPARATE, LINEAR = ("separate circuits", "held gain"), ("held gain", "linear readout")
NO_MEMORY = ("linear readout", "held gates")


@dataclass(frozen=True)
class Start:
    """What reads the attention in untrained networks: k, G², ⟨|∇f|²⟩, and f's deviation over novel targets."""

    kernel: float
    mean_gradient: float
    slope_square: float
    novel_std: float


def untrained(run: Run) -> Start:
    """Means over eight networks like ``run`` as they are initialised, with seeds of their own."""
    starts = [_start(run, run.seed + 1000 + s) for s in range(_NETWORKS)]
    return Start(*np.mean(starts, axis=0))


def _start(run: Run, seed: int) -> tuple[float, float, float, float]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, Purpose.INITIALISATION))
        network = network_named(run.network).factory(run)
        v = F.normalize(torch.randn(_DIRECTIONS, int(run.task.dimension) + 2), dim=-1)
    sequences = Sequences(replace(run.task, task_diversity=math.inf), [math.inf], [seed], run.batch_size)
    given, readout = network.read(sequence_tokens(sequences.icl_test(_SEQUENCES))[0])  # pyright: ignore[reportCallIssue]
    given = given.detach().requires_grad_(True)
    logits = readout(given)
    (slopes,) = torch.autograd.grad(logits.sum(), given, create_graph=True)
    kernels = [squared_gradient(slopes.mean(0) @ direction, list(network.parameters())) for direction in v]
    slopes = slopes.detach()
    return (
        float(np.mean(kernels)), float(slopes.mean(0).square().sum()), float(slopes.square().sum(1).mean()),
        float(logits.detach().std()),
    )  # fmt: skip


def control_model(
    run: Run, coupling: MeasuredCoupling | None = None, terms: Terms = EVERY
) -> tuple[ReducedTransformer, MeasuredCoupling]:
    """The equations of a transformer or of one of the control networks, and the couplings that they read.

    Of circuits that share nothing k and G² are those of the untrained readout, whatever the clock: the memory neither
    speeds them up nor turns the scores, and no residual reaches what reads the attention. A linear readout has the same
    gain for all targets, and a kernel that does not grow. ``coupling`` is that of perceptrons alone; None where there
    is no memory.
    """
    if run.network == "transformer":
        assert coupling is not None
        return model_of(run, terms), coupling
    start, linear, separate = untrained(run), run.network in LINEAR, run.network in SEPARATE
    if linear:
        terms = replace(terms, aligned_readout=False, gain_spread=False)
    if separate:
        terms = replace(
            terms, shared_gain=False, self_attention=False, residual=False, context_offset=False, own_token=False
        )
    model = ReducedTransformer(
        run.task.context_length, int(run.task.dimension), copies=run.task.copies, width=run.width,
        residual_scale=0.0 if separate else 1.0, terms=terms,
        **({} if linear else {"gate": gate_of(start.kernel, int(run.task.dimension) + 2, run.width)}),
    )  # fmt: skip
    runs = (_no_memory(start, linear),) if coupling is None else coupling.runs
    return model, MeasuredCoupling([_held(run, start) for run in runs])


def _held(run: CouplingRun, start: Start) -> CouplingRun:
    """The same memory beside a readout of its own, which stays as it starts."""
    full = lambda value: np.full_like(run.clock, max(value, _NOTHING))  # noqa: E731
    return replace(
        run, gain=full(start.kernel), mean_gradient=full(start.mean_gradient), slope_square=full(start.slope_square),
        noise_cost=full(0.0),
    )  # fmt: skip


def _no_memory(start: Start, linear: bool) -> CouplingRun:
    """Couplings at a clock that does not run; a linear readout has no noise but what it reads off the target."""
    two = lambda value: np.full(2, max(value, _NOTHING))  # noqa: E731
    return CouplingRun(
        2.0, np.array([0.0, 1.0]), two(0.5), np.zeros((2, 1)), two(0.0), two(0.0),
        two(0.0 if linear else start.novel_std), two(0.0), two(0.0), two(0.0),
    )  # fmt: skip


def clock_scale(run: Run) -> float:
    """Factor on the memory's speed beside what r does in the equations: where circuits are separate, r is its alone."""
    return run.rate_ratio if run.network in SEPARATE else 1.0


@dataclass(frozen=True)
class IndependentRace:
    """K*: where the perceptron alone, r times as fast, has its clock at I* = r t_ICL(K → ∞)/2 by the end of the budget.

    t_ICL is measured on networks of other seeds at K → ∞; the perceptrons are those of the scan's couplings.
    """

    clock: EndlessClock
    name: str = "independent race"

    def calibration(self, label: str, scan: Scan) -> Mapping[str, Jobs]:
        return {**self.clock.calibration(label, scan), f"coupling_{label}": scan.coupling}

    def predict(self, label: str, scan: Scan, calibrated: Trained) -> Mapping[str, Prediction]:
        curves = couplings_in(calibrated[f"coupling_{label}"])
        end = scan.read.budget * scan.run.rate_ratio
        memory = xr.Dataset(
            {"clock": ("run", [clock_at(curve, end) for curve in curves.curves])},
            {"task_diversity": ("run", [training.task_diversity for training in curves.trainings])},
            {"runs": addresses(curves.trainings)},
        )
        return {"K*": predict_threshold_at(self.clock.predict(label, scan, calibrated)["I*"], memory)}


@dataclass(frozen=True)
class UncoupledEquations:
    """K*: where the mean accuracy of reduced transformers without coupling rises through 3/4 at the end of the budget.

    Parameters
    ----------
    members : starts at the quantiles of β0 and w0, for every calibration seed
    draws : contexts sampled for each start, beside their mirror images
    """

    members: int = 6
    draws: int = 1000
    name: str = "equations, nothing shared"

    def calibration(self, label: str, scan: Scan) -> Mapping[str, Jobs]:
        return {f"coupling_{label}": scan.coupling}

    def predict(self, label: str, scan: Scan, calibrated: Trained) -> Mapping[str, Prediction]:
        curves = couplings_in(calibrated[f"coupling_{label}"])
        grid = scan.around
        speed = {float(k): clock_scale(scan.run) for k in grid}
        crossings = []
        for calibration_seed, table in enumerate(curves.tables()):
            model, coupling = control_model(scan.read, table)
            ends = [
                solved(model, member, grid, scan.read.budget, self.draws, speed).icl_accuracy.values
                for member in members_of(model, [coupling], self.members, calibration_seed * self.members)
            ]
            crossings.append(crossing(grid, np.mean(ends, 0)))
        inputs = (
            f"perceptrons alone, {addresses(curves.trainings)}",
            f"readouts of {_NETWORKS} untrained networks",
        )
        return {"K*": Prediction(geometric_mean(crossings), inputs)}
