"""The stored results: measured again they say the same, and a changed number is seen."""

import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from iclrace.theory import Estimate

SCRIPT = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "reproduce.py"), run_name="reproduce")


@pytest.mark.parametrize("preset", ["laptop", pytest.param("workstation", marks=pytest.mark.slow)])
def test_stored_claims_are_measured_and_predicted_again(preset):
    close = SCRIPT["close"]
    measured, predicted = list(SCRIPT["remeasured"](preset)), list(SCRIPT["repredicted"](preset))
    assert len(measured) >= 20 and len(predicted) >= 2
    assert all(close(stored.measured, now.measured) and stored.seeds == now.seeds for stored, now in measured)
    assert all(close(stored.predicted, now.predicted) for stored, now in predicted)


def test_another_number_is_another_number():
    close, one = SCRIPT["close"], Estimate(400.0, 350.0, 450.0)
    assert close(one, replace(one)) and not close(one, replace(one, high=450.0000001)) and not close(one, None)
    assert not close(one, replace(one, confidence=0.9))
