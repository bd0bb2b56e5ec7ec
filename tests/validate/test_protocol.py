"""The order of an experiment is enforced: what a prediction sees, what is frozen when, and when networks are added."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import xarray as xr

from iclrace.theory import Estimate, Task
from iclrace.validate import (
    Answer,
    Claim,
    Looks,
    Preset,
    ProtocolError,
    PValue,
    Run,
    RunStore,
    StoreError,
    frozen,
    run,
    train,
)
from iclrace.validate import protocol as steps
from iclrace.validate.frozen import freeze, read_frozen
from iclrace.validate.protocol import Plan, clocks_in
from iclrace.validate.training.memory import MemoryTraining

RUN = Run("minimal", Task(6, 16, 5), 0, width=8, learning_rate=0.2, batch_size=16, budget=4.0, evaluate_every=1.0,
          test_size=20)  # fmt: skip


@dataclass(frozen=True)
class Loss:
    """Does the last training loss equal that of other seeds?"""

    bar: float = 1.5
    value: float = 0.7
    seeds: int = 2
    asks: str = "calibration"
    store: object = None
    name: str = "loss"

    def calibration(self):
        return {"calibration": [RUN.with_(seed=90 + s) for s in range(2)]}

    def networks(self):
        return {"networks": [RUN.with_(seed=s) for s in range(self.seeds)]}

    def predict(self, calibrated):
        if self.store is not None:
            RunStore(self.store).load(RUN.with_(seed=0))
        assert len(calibrated[self.asks].seed) == 2
        return [Claim("loss", "minimal", Estimate.exact(self.value), self.bar, inputs=("other seeds",))]

    def measure(self, claim, trained, confidence):
        last = trained["networks"].train_loss.isel(time=-1).values
        return Estimate(float(last.mean()), float(last.min()) * 0.99, float(last.max()) * 1.01, confidence)


def go(experiment, out, looks=None, **options):
    preset = Preset("mine", "", [experiment], looks=looks or Looks())
    return run(preset, out, progress=False, **options)


def test_a_prediction_that_asks_for_a_networks_result_fails(tmp_path):
    for name in ("networks", "anything"):
        with pytest.raises(ProtocolError, match=f"asks for '{name}', which is no calibration run"):
            go(Loss(asks=name), tmp_path)
    # Nor may it read the store, where the networks lie from an earlier call.
    train([RUN.with_(seed=s) for s in range(2)], tmp_path, progress=False)
    with pytest.raises(ProtocolError, match="asks the store"):
        go(Loss(store=tmp_path), tmp_path)
    assert not (tmp_path / "predictions.json").exists()
    assert RunStore(tmp_path).load(RUN.with_(seed=0)).sizes["time"] == 5  # and it is open again afterwards


def test_a_run_is_not_calibration_and_network_at_once():
    class Both(Loss):
        def networks(self):
            return {"networks": [RUN.with_(seed=91)]}

    with pytest.raises(ProtocolError, match="calibrates with 1 of the runs that it predicts"):
        Plan.of(Both())


def test_predictions_are_on_the_disk_before_a_network_is_trained(tmp_path, monkeypatch):
    order = []
    original = frozen.write_text
    monkeypatch.setattr(frozen, "write_text", lambda path, text: (order.append(path.name), original(path, text)))
    import iclrace.validate.training.jobs as training
    from iclrace.validate import run as module  # noqa: F401

    group = training.train_group
    monkeypatch.setattr(
        training, "train_group", lambda runs, *a, **k: (order.append(runs[0].seed), group(runs, *a, **k))
    )
    go(Loss(), tmp_path)
    assert order == [90, "predictions.json", 0]


def test_a_changed_bar_after_training_is_refused_or_kept_beside_the_old_one_with_its_reason(tmp_path):
    go(Loss(bar=1.5), tmp_path)
    before = (tmp_path / "summary.json").read_text()
    with pytest.raises(ProtocolError, match="bar of loss"):
        go(Loss(bar=3.0), tmp_path)
    with pytest.raises(ProtocolError, match="predicted of loss"):
        go(Loss(value=0.8), tmp_path)
    assert (tmp_path / "summary.json").read_text() == before
    go(Loss(bar=3.0), tmp_path, reason="the bar was a misprint")
    entry = read_frozen(tmp_path / "predictions.json")["loss"]
    assert entry["claims"][0]["bar"] == 3.0 and entry["revisions"][0]["claims"][0]["bar"] == 1.5
    assert entry["revisions"][0]["reason"] == "the bar was a misprint"
    told = json.loads((tmp_path / "summary.json").read_text())
    assert told["experiments"]["loss"]["revisions"][0]["reason"] == "the bar was a misprint"
    assert told["claims"][0]["bar"] == 3.0


def test_before_training_a_prediction_may_still_change_and_afterwards_rounding_does_not_count(tmp_path):
    path, claim = tmp_path / "predictions.json", Claim("K*", "minimal", Estimate.exact(100.0), 1.2)
    freeze(path, {"one": [claim]}, {"one": False})
    other = replace(claim, predicted=Estimate.exact(120.0))
    assert freeze(path, {"one": [other]}, {"one": False})["one"] == [other]
    nearly = replace(claim, predicted=Estimate.exact(120.0 * (1 + 1e-12)))
    assert freeze(path, {"one": [nearly]}, {"one": True})["one"] == [other]  # the frozen one stands
    assert read_frozen(path)["one"]["before_training"]
    late = freeze(path, {"one": [other], "two": [claim]}, {"one": True, "two": True})
    assert late["two"] == [claim] and not read_frozen(path)["two"]["before_training"]
    with pytest.raises(ProtocolError, match="the claim about K"):
        freeze(path, {"one": [replace(other, method="another")]}, {"one": True})
    path.write_text("{}")
    with pytest.raises(StoreError, match=r"predictions\.json"):
        freeze(path, {"one": [claim]}, {"one": True})


def test_networks_are_added_until_the_claim_is_decided(tmp_path):
    looks = Looks((0.25, 0.5, 1.0))
    report = go(Loss(seeds=8, bar=20.0), tmp_path / "clear", looks)
    assert report.claims[0].verdict.kind == "holds" and report.claims[0].seeds == 2
    assert report.claims[0].measured.confidence == looks.confidences[0]
    report = go(Loss(seeds=8, bar=1.0001), tmp_path / "hopeless", looks)
    assert report.claims[0].seeds == 8 or report.claims[0].verdict.kind == "fails"


def test_a_p_value_is_asked_of_all_networks(tmp_path):
    class Kinds(Loss):
        def predict(self, calibrated):
            return [Claim("kinds", "minimal", Answer(True), 0.01)]

        def measure(self, claim, trained, confidence):
            return PValue(1 / trained["networks"].sizes["seed"] ** 3, "made up")

    (claim,) = go(Kinds(seeds=8), tmp_path, Looks((0.25, 0.5, 1.0))).claims
    assert claim.seeds == 8 and claim.verdict.kind == "holds"


def test_what_calibrates_one_experiment_is_not_trained_before_another_predicted_it(tmp_path):
    """The second's calibration runs are the first's networks: the first's claims are frozen before."""

    class Later(Loss):
        def calibration(self):
            return {"calibration": [RUN.with_(seed=s) for s in range(2)]}

        def networks(self):
            return {"networks": [RUN.with_(seed=50 + s) for s in range(2)]}

    experiments = [Later(name="later"), Loss(name="first")]
    run(Preset("mine", "", experiments), tmp_path, progress=False)
    entries = read_frozen(tmp_path / "predictions.json")
    assert list(entries) == ["first", "later"] and all(entry["before_training"] for entry in entries.values())


def test_an_experiment_says_each_thing_once_and_of_its_own_networks():
    class Twice(Loss):
        def predict(self, calibrated):
            return 2 * super().predict(calibrated)

    class Elsewhere(Loss):
        def predict(self, calibrated):
            return [replace(one, data=("others",)) for one in super().predict(calibrated)]

    calibrated = {"calibration": xr.Dataset(coords={"seed": [90, 91]})}
    for wrong in (Twice(), Elsewhere()):
        with pytest.raises(ProtocolError, match="twice, with a measurement, or of unknown runs"):
            steps.predict(Plan.of(wrong), calibrated)


def test_costs_are_those_of_one_seed_at_every_point(tmp_path):
    claim = go(Loss(), tmp_path).claims[0]
    seconds, _ = RunStore(tmp_path).seconds([RUN.with_(seed=s) for s in range(2)])
    assert claim.seed_hours == pytest.approx(seconds / 2 / 3600)


def test_stored_clocks_stand_for_perceptrons():
    stored = xr.Dataset({"clock": ("run", np.ones(3))})
    assert clocks_in(stored) is stored
    assert steps._seeds(stored) == 3
    assert MemoryTraining(8, 0).task_diversity == 8
