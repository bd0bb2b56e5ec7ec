"""The driver on an experiment of one's own, and experiments that no preset trains yet."""

import json
import math

import pytest

from iclrace.theory import Task
from iclrace.validate import Preset, Run, run
from iclrace.validate.experiments import ContextLabels


@pytest.mark.slow
def test_balanced_contexts_split_at_the_saddle(tmp_path):
    """K → ∞: with balanced labels a network acquires if and only if its β0 is positive; with i.i.d. ones most do."""
    task = Task(20, math.inf, 31)
    network = Run("minimal", task, 0, width=8, learning_rate=0.2, budget=200.0, evaluate_every=2.0, test_size=300)
    report = run(
        Preset("mine", "", [ContextLabels(network, seeds=12, bar=1.5, name="context_labels")]), tmp_path, progress=False
    )
    iid, balanced, turned_away = report.claims
    assert turned_away.measured.value == 1  # every one of β0 < 0
    # The predictions are for the networks' own β0: one that ends near the budget may fall on either side.
    assert iid.predicted is not None and balanced.predicted is not None
    assert abs(iid.measured.value - iid.predicted.value) <= 1.5 / 12
    assert abs(balanced.measured.value - balanced.predicted.value) <= 1.5 / 12
    assert iid.measured.value > balanced.measured.value
    (entry,) = json.loads((tmp_path / "predictions.json").read_text())["experiments"].values()
    assert [one["data"] for one in entry["claims"]] == [["iid"], ["balanced"], ["balanced"]]
    assert entry["before_training"]
