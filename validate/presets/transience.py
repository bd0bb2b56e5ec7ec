"""Experiments on transience: at the size of an hour and a half on two cores, and at the paper's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...theory import Task
from ..experiments import LossRelation, TransformerTransience, TransiencePhases, TransienceTime
from ..protocol import Experiment
from ..training.config import Run
from .base import MINIMAL, TRANSFORMER, couplings, memories

#: What was known, tried or changed before and after results were seen; stands in every report.
NOTE = """
Everything that decides a result was fixed, and committed, before the first of these networks was trained. λ, K and the
budgets were chosen with the coupled equations and perceptrons trained alone (seed 5001). Four trial runs at seeds 9000
and 9001 and λ = 1e-2, two of the minimal model and two co-integrations, came before: from them come the end of a run at
the loss of the circuit's accuracy, not the whole network's, and the law's fit over the whole run of the memory, not
over its tail. Perceptrons at seed 5000, and runs at seeds 9000 to 9007 for their time, were tried as well. After a
first pass with three networks a row had left every time of loss undecided, there are eight; λ, K and bars stayed. All
t_loss then lay about 14 % below co-integration: networks at half the learning rate, with the same predictions, say in
the preset transience whether their steps are to blame. Rows at different λ share their seeds, so they are not
independent of each other. Predictions changed after results had been seen: the asymptotic law of the losses was L_ICL
L_IWL = λ W(L_IWL/λ), which takes attention to be complete (a = 1) on a branch where it is not, and was found 2.77 times
too low; corrected in the derivation to λ w/a, and judged on the same networks, it fails by 1.65. The fixed point of the
averaged field, which never took a = 1, stays at 2.26. t_loss ∝ 1/λ is kept as the limit λ → 0 up to logarithms; the
derivation now says that λ r_K t_loss has no limit.
"""

# Not among the seeds of other presets, of other experiments, or of trials.
_SEED, _CALIBRATION_SEED = 500, 5100


def minimal_experiments(
    run: Run, transient: Sequence[float], never: Sequence[float], within: float,
    diversities: Mapping[float, Sequence[float]], seeds: int,
) -> tuple[Experiment, ...]:  # fmt: skip
    """t_loss over λ and, at one λ, over K; phases over λ within a time; the two losses."""
    (decay, task_diversity) = next(iter(diversities.items()))

    def alone(k: float, seeds: int = seeds):
        settings = {"dimension": int(run.task.dimension), "width": run.width, "until": 0.005, "budget": run.budget}
        return memories({int(k): seeds}, _CALIBRATION_SEED, **settings)

    memory = alone(run.task.task_diversity)
    return (
        TransienceTime(run, "decay_attention", transient, memory, seeds, _CALIBRATION_SEED),
        TransienceTime(
            run.with_(decay_attention=decay),
            "task_diversity",
            task_diversity,
            [training for k in task_diversity for training in alone(k)],
            seeds,
            _CALIBRATION_SEED,
            name="transience_diversity",
        ),
        TransiencePhases(run, [*transient, *never], within, memory, seeds, _CALIBRATION_SEED),
        LossRelation(run, transient, seeds, _CALIBRATION_SEED),
    )


_RUN = MINIMAL.with_(
    task=Task(context_length=25, task_diversity=500, dimension=63), seed=_SEED, width=128, budget=9000.0,
    evaluate_every=20.0, stop_acquired=False, stop_memorised=1e-3, stop_lost=0.7,
)  # fmt: skip
_TRANSFORMER = TRANSFORMER.with_(
    context_length=31,
    task_diversity=2048,
    seed=_SEED,
    budget=6000.0,
    evaluate_every=25.0,
    stop_memorised=0.01,
    stop_lost=0.65,
)
#: Twice K*, so that memory is not long in taking over. 80,000 steps of a third of a millisecond.
_SMALL_TRANSFORMER = _TRANSFORMER.with_(
    context_length=15, task_diversity=768, seed=_SEED + 70, learning_rate=0.1, budget=8000.0, evaluate_every=20.0
)
_DECADE, _NEVER = (2e-3, 3.2e-3, 5e-3, 8e-3, 1.26e-2, 2e-2), (3.2e-2, 5e-2, 8e-2)

WORKSTATION: tuple[Experiment, ...] = minimal_experiments(
    _RUN, _DECADE, _NEVER, within=3000.0, diversities={8e-3: (300, 500, 1000, 1600)}, seeds=8
)

#: What preceded the two parts of the preset of that name; stands in its report.
TRANSIENCE_NOTES = (
    """
The minimal model: the workstation preset's eight seeds left every t_loss over λ undecided, about 14 % below
co-integration, and asked for up to 52. These are 40 networks and 40 co-integrations at each λ, at seeds that nobody had
seen: their number, λ, K, bars and measures were fixed, and committed, before the first was trained. The workstation's
runs are not among them. Rows at different λ share their seeds, so they are not independent of each other.
""",
    """
The transformer: λ and the budgets were chosen with perceptrons trained alone. Networks were first trained at K = 2048:
none that acquired ICL lost it by t = 4000. So they are trained at twice K* now; trials there, two each at seeds 9700
and 9701, lost ICL at t = 4300 and 3400 for λ = 3e-3, 2200 and 1850 for 6e-3, 1100 and 1000 for 1e-2, where the reduced
transformer, solved after that and never changed, lost it 920, 460 and 260 after training began. λ_c is predicted as
before. This part stood in the preset workstation when it was trained.
""",
)
_FRESH_SEED, _FRESH_CALIBRATION_SEED, _FRESH = 700, 5200, 40
_FRESH_MEMORY = memories({500: _FRESH}, _FRESH_CALIBRATION_SEED, dimension=63, width=128, until=0.005, budget=9000.0)
_FRESH_RUN = _RUN.with_(seed=_FRESH_SEED)

TRANSIENCE: tuple[Experiment, ...] = (
    TransienceTime(_FRESH_RUN, "decay_attention", _DECADE, _FRESH_MEMORY, _FRESH, _FRESH_CALIBRATION_SEED),
    TransienceTime(
        _FRESH_RUN.with_(learning_rate=0.15), "decay_attention", (5e-3, 1.26e-2), _FRESH_MEMORY, _FRESH,
        _FRESH_CALIBRATION_SEED, calibration_rate=_RUN.learning_rate, name="transience_half_rate",
    ),
    TransformerTransience(
        _SMALL_TRANSFORMER, (3e-3, 4.5e-3, 6.7e-3, 1e-2, 1.5e-2, 3e-2, 6e-2), calibration_decay=6e-3, seeds=6,
        first_calibration_seed=_CALIBRATION_SEED + 70,
        coupling=couplings(
            (512, 1024), 4, _CALIBRATION_SEED + 90, dimension=31, width=128, learning_rate=0.1
        ),
    ),
)  # fmt: skip

_EPOCH = 4.69  # 469 steps at the paper's learning rate
_AT_PAPER = {"learning_rate": 0.01, "batch_size": 128, "test_size": 2000, "evaluate_every": 20 * _EPOCH}
_BIG_RUN = _RUN.with_(
    task=Task.from_len_context(100, task_diversity=10000, dimension=63, target_in_softmax=True), width=512,
    budget=50_000 * _EPOCH, **_AT_PAPER,
)  # fmt: skip
_BIG_TRANSFORMER = _TRANSFORMER.with_(
    task=Task.from_len_context(100, task_diversity=15000, dimension=63), width=512, budget=50_000 * _EPOCH, **_AT_PAPER
)

# λ of the minimal model by the coupled equations: beyond 1.1e-2 it never acquires ICL at N = 99.
PAPER: tuple[Experiment, ...] = (
    *minimal_experiments(
        _BIG_RUN, (8e-4, 1.3e-3, 2e-3, 3.2e-3, 5e-3, 8e-3), (1.6e-2, 2.5e-2, 4e-2), within=60_000.0,
        diversities={3.2e-3: (2500, 5000, 10000, 20000)}, seeds=10,
    ),
    TransformerTransience(
        _BIG_TRANSFORMER, (1e-3, 1.5e-3, 2e-3, 3e-3, 4e-3, 6e-3, 8e-3, 1e-2), calibration_decay=3e-3, seeds=10,
        first_calibration_seed=_CALIBRATION_SEED,
    ),
)  # fmt: skip

_TOY = _RUN.with_(
    task=Task(context_length=6, task_diversity=32, dimension=15), width=16, batch_size=16, budget=60.0,
    evaluate_every=3.0, test_size=200,
)  # fmt: skip
_TOY_TRANSFORMER = _TRANSFORMER.with_(
    task=Task(11, 64, 15), width=32, batch_size=32, learning_rate=0.1, budget=20.0, evaluate_every=2.0, test_size=200
)

SMOKE: tuple[Experiment, ...] = (
    *minimal_experiments(_TOY, (0.06, 0.1), (0.4,), within=50.0, diversities={0.06: (32, 64)}, seeds=2),
    TransformerTransience(
        _TOY_TRANSFORMER,
        (5e-2, 0.5),
        5e-2,
        seeds=2,
        first_calibration_seed=_CALIBRATION_SEED,
        coupling=couplings((32, 64), 2, until=0.2, dimension=15, width=32, learning_rate=0.1),
        members=2,
        draws=50,
    ),
)
