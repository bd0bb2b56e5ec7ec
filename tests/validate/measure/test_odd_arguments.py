"""What is no number, no share and no dataset is refused by name, and nothing else is taken for one."""

import numpy as np
import pytest
import xarray as xr

from iclrace.validate import (
    Extremes,
    Looks,
    PValue,
    Range,
    accuracy_at,
    acquisition_times,
    compare_tails,
    fit_log_normal,
    geometric_mean,
    loss_times,
    measure_acquisition_time,
    measure_bimodality,
    measure_power_law,
    measure_threshold,
    power,
    seeds_for,
    spread_for,
)

RUNS = xr.Dataset({"icl_accuracy": (("seed", "time"), np.linspace(0.5, 1.0, 20).reshape(2, 10))},
                  {"time": np.arange(10.0)})  # fmt: skip
TIMES = {"times": [1.0, 2.0, 3.0, 4.0, 5.0], "ended": 10.0}
SCAN = {"task_diversity": [1, 2, 3, 4], "accuracy": [[0.5, 0.5], [0.6, 0.5], [0.9, 0.8], [1.0, 1.0]]}
CALLS = {
    accuracy_at: {"runs": RUNS, "budget": 5.0},
    acquisition_times: {"runs": RUNS},
    loss_times: {"runs": RUNS},
    compare_tails: TIMES,
    fit_log_normal: TIMES,
    measure_acquisition_time: TIMES,
    geometric_mean: {"samples": [1.0, 2.0, 3.0]},
    measure_bimodality: {"samples": [0.5, 0.6, 0.9, 0.95, 1.0]},
    measure_power_law: {"x": [1.0, 2.0, 3.0, 4.0], "y": [1.0, 2.0, 3.1, 4.0]},
    measure_threshold: SCAN,
    power: {"seeds": 4, "bar": 1.2, "spread": 0.1},
    seeds_for: {"bar": 1.2, "spread": 0.1},
    spread_for: {"bar": 1.2, "seeds": 4},
    Looks: {},
    Range: {"value": 1.0, "low": 0.5, "high": 2.0},
    Extremes: {"median": 1.0, "least": 0.5, "greatest": 2.0},
    PValue: {"p": 0.1, "test": "dip"},
}
NONE_OF_THEM = ("1.0", b"1", 1j, np.array(["1", "2"]), {}, np.datetime64("2020"), [[1], [1, 2]], float("nan"), abs)
NUMBERS = {
    accuracy_at: ("budget",),
    acquisition_times: ("level",),
    loss_times: ("acquired_level", "lost_level", "after"),
    **{
        call: ("confidence",) for call in CALLS if "measure" in call.__name__ or call in (compare_tails, fit_log_normal)
    },
    geometric_mean: ("samples", "confidence"),
    measure_threshold: ("task_diversity", "confidence", "seed", "paired"),
    power: ("seeds", "bar", "spread", "off"),
    seeds_for: ("bar", "spread", "wanted", "off", "most"),
    spread_for: ("bar", "seeds", "wanted"),
    Looks: ("shares",),
    Range: ("value", "low", "high"),
    Extremes: ("median", "least", "greatest"),
    PValue: ("p", "statistic"),
}


@pytest.mark.parametrize(("call", "argument"), [(call, name) for call, names in NUMBERS.items() for name in names])
@pytest.mark.parametrize("value", NONE_OF_THEM, ids=str)
def test_what_is_no_number_is_refused_by_name(call, argument, value):
    with pytest.raises(ValueError, match=f"Argument '{argument}'"):
        call(**CALLS[call] | {argument: value})


@pytest.mark.parametrize("call", [call for call in NUMBERS if "confidence" in NUMBERS[call]])
@pytest.mark.parametrize("value", [0.0, 1.0, -0.5, 95.0, [0.9, 0.95]])
def test_a_confidence_lies_between_none_and_all(call, value):
    with pytest.raises(ValueError, match="Argument 'confidence'"):
        call(**CALLS[call], confidence=value)


@pytest.mark.parametrize("call", [accuracy_at, acquisition_times, loss_times])
def test_runs_are_datasets_over_time_with_the_accuracy_that_is_asked_for(call):
    for runs in (None, RUNS["icl_accuracy"], {"icl_accuracy": 1.0}, RUNS.isel(time=0)):
        with pytest.raises(ValueError, match="Argument 'runs'"):
            call(**CALLS[call] | {"runs": runs})
    for accuracy in ("icl_acuracy", 1.0, {}, None):
        with pytest.raises(ValueError, match="Argument 'accuracy'"):
            call(**CALLS[call], accuracy=accuracy)


def test_there_are_as_many_ends_as_times_or_one():
    with pytest.raises(ValueError, match="Argument 'ended'"):
        measure_acquisition_time([1.0, 2.0, 3.0], [10.0, 10.0])
    with pytest.raises(ValueError, match="Argument 'looks'"):
        power(4, 1.2, 0.1, looks=(1.0,))
    assert type(measure_threshold(**SCAN).value) is float
