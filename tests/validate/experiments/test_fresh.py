"""t_ICL at a share of fresh items and over copies: limits of the race, and what the methods may see."""

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr

from iclrace.theory import Estimate, Task, acquisition_clock
from iclrace.validate import Run
from iclrace.validate.experiments import AcquisitionTime, FreshRace, Starvation
from iclrace.validate.experiments.acquisition_methods import field_ratio
from iclrace.validate.experiments.fresh import RACE, STARVATION, race_time
from iclrace.validate.presets import PRESETS
from iclrace.validate.protocol import Plan, predict
from iclrace.validate.training.jobs import train

RUN = Run("transformer", Task(6, 16, 5), 0, width=8, learning_rate=0.1, batch_size=16, budget=2.0, evaluate_every=0.2,
          test_size=64)  # fmt: skip


def memory(stiffness, rate=1.0):
    """A memory whose c1 = e^{−g I}/2 falls as late in training: I = ln(1 + g r t/2)/g, g the ``stiffness``."""
    time = np.linspace(0.0, 100.0, 20_001)
    clock = np.log1p(0.5 * stiffness * rate * time) / stiffness
    return xr.Dataset({"clock": ("time", clock), "c1": ("time", 0.5 * np.exp(-stiffness * clock))}, {"time": time})


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_the_race_at_a_share_of_fresh_items_has_its_limits(share):
    """t_ICL(K → ∞) if nothing is memorised; starvation's if all is at once; the root of the law between them."""
    reading = 40.0
    assert race_time(memory(1e-7), share, reading) == pytest.approx(2 * reading, rel=1e-4)
    assert race_time(memory(1e4), share, reading) == pytest.approx(2 * reading / share, rel=1e-4)
    t = race_time(memory(0.2), share, reading)
    assert math.log1p(0.1 * (1 - share) * t) / 0.2 + share * t / 2 == pytest.approx(reading, rel=1e-5)
    assert 2 * reading < t < 2 * reading / share


def test_twice_the_memorys_rate_reads_twice_the_clock():
    assert race_time(memory(1e4, 2.0), 0.2, 40.0, rate_ratio=2.0) == pytest.approx(40 / 0.2, rel=1e-4)


@pytest.mark.parametrize("budget", [400.0, 0.4])
def test_starvation_and_race_are_frozen_from_calibration_runs_alone(tmp_path, budget):
    """And both say never where the networks at K → ∞ never do."""
    endless = RUN.with_(task_diversity=math.inf, seed=5, budget=budget, stop_acquired=True)
    race = FreshRace(endless, 2, scrambled=RUN.with_(seed=5, scrambled=True))
    experiment = AcquisitionTime({"one": RUN.with_(fresh_share=0.5)}, 1, 1.2, (Starvation(endless, 2), race))
    plan = Plan.of(experiment)
    calibrated = {}
    for label, jobs in plan.calibration.items():
        calibrated[label] = train([job for job in jobs if isinstance(job, Run)], tmp_path, progress=False)
    said = {claim.method: claim.predicted for claim in predict(plan, calibrated)}
    race, starvation = said[RACE], said[STARVATION]
    assert isinstance(race, Estimate) and isinstance(starvation, Estimate)
    if budget < 1:
        assert race.value == starvation.value == math.inf
    else:  # the memory's clock is a head start
        assert race.low <= race.value < starvation.value < math.inf


def test_a_share_of_none_is_refused():
    with pytest.raises(ValueError, match="share"):
        AcquisitionTime({"one": RUN}, 1, 1.2, (Starvation(),))
    with pytest.raises(ValueError, match="rate ratio"):
        AcquisitionTime({"one": RUN.with_(fresh_share=0.5, rate_ratio=2.0)}, 1, 1.2, (FreshRace(),))


def test_copies_act_in_the_field_as_a_shorter_context_with_less_drag():
    """For N → ∞: τ*(s²/2m)/m, by the closed form of the early clock; 3 % at N = 4000, which ends at a finite β."""
    single = float(acquisition_clock(0.0, 0.0, 0.5))
    for copies in (2, 4):
        run = RUN.with_(context_length=4000, dimension=10_000, copies=copies)
        expected = float(acquisition_clock(0.0, 0.0, 0.5 / copies)) / copies / single
        assert field_ratio(run) == pytest.approx(expected, rel=0.03)
    experiment: Any = PRESETS["rivals"].only(["rivals_copies"]).experiments[0]
    assert field_ratio(experiment.runs["m1"]) == 1.0
