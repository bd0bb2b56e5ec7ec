"""How far a knob moves K*: what is predicted and measured, on networks whose accuracies are known."""

import math

import numpy as np
import pytest
import xarray as xr

from iclrace.theory import Estimate
from iclrace.validate.experiments import Scan, ThresholdShifts
from iclrace.validate.experiments.shifts import SHIFT, shift, shifted
from iclrace.validate.predict.threshold import Prediction
from iclrace.validate.presets.base import TRANSFORMER

K = [2 * round(100 * 1.2**i / 2) for i in range(14)]


class Told:
    """A method that knows K* by label, of three calibration seeds that share a factor."""

    name = "told"

    def __init__(self, thresholds, common=(0.5, 1.0, 2.0)):
        self.thresholds, self.common = thresholds, common

    def calibration(self, label, scan):
        return {}

    def predict(self, label, scan, calibrated):
        by_seed = [self.thresholds[label] * factor for factor in self.common]
        return {"K*": Prediction(Estimate(self.thresholds[label], 0.0, math.inf), (), by_seed)}


def networks(threshold, width=0.15, seeds=8):
    """Sigmoids in ln K, with a seed's own K* a per cent away from the others'."""
    own = threshold * (1 + 0.01 * np.linspace(-1, 1, seeds))
    accuracy = 0.5 + 0.5 / (1 + np.exp(-np.log(np.asarray(K)[:, None] / own) / width))
    times = np.array([0.0, TRANSFORMER.budget])
    values = np.stack([np.full_like(accuracy, 0.5), accuracy], -1)
    return xr.Dataset(
        {"icl_accuracy": (("task_diversity", "seed", "time"), values)},
        {"task_diversity": np.array(K, float), "seed": np.arange(seeds), "time": times},
    )


def experiment(**predicted):
    scans = {
        "base": Scan(TRANSFORMER, K, 8),
        "beta0": Scan(TRANSFORMER.with_(beta0=1.0), K, 8),
        "rate": Scan(TRANSFORMER.with_(rate_ratio=2.0), K, 8),
    }
    told = Told({"base": 300.0, **predicted})
    return ThresholdShifts(scans, (told,), bar=1.2, base="base", shift_bar=0.25, rivals={"capacity": 0.0})


def test_shifts_hold_where_they_are_and_exclude_a_capacity_that_would_not_move():
    asked = experiment(beta0=200.0, rate=450.0)
    claims = [claim for claim in asked.predict({}) if claim.quantity.startswith(SHIFT)]
    assert [claim.at["knob"] for claim in claims] == ["beta0", "beta0", "rate_ratio", "rate_ratio"]
    trained = {"base": networks(300.0), "beta0": networks(200.0), "rate": networks(450.0)}
    for claim, expected in zip(claims[::2], (math.log(2 / 3), math.log(1.5)), strict=True):
        # The seeds' common factor drops out of what is predicted, and what is measured is as sharp as two scans.
        assert claim.predicted.value == pytest.approx(expected, abs=1e-12)
        assert claim.predicted.high - claim.predicted.low < 1e-9
        measured = asked.measure(claim, trained, 0.95)
        assert measured.value == pytest.approx(expected, abs=0.02)
        assert measured.high - measured.low <= 2 * math.sqrt(2) * math.log(1.22)
    assert [asked.measure(claim, trained, 0.95).yes for claim in claims[1::2]] == [True, True]
    still = {label: networks(300.0) for label in trained}
    assert [asked.measure(claim, still, 0.95).yes for claim in claims[1::2]] == [False, False]
    near = experiment(beta0=295.0, rate=310.0)  # a shift that the scans cannot tell from none
    nothing = [claim for claim in near.predict({}) if "rival" in claim.quantity]
    assert [near.measure(claim, still, 0.95).yes for claim in nothing] == [None, None]


def test_methods_without_calibration_seeds_add_their_widths_in_quadrature():
    one, base = Estimate(200.0, 200.0 / 1.3, 200.0 * 1.3), Estimate(100.0, 100.0 / 1.4, 100.0 * 1.4)
    half = math.hypot(math.log(1.3), math.log(1.4))
    expected = pytest.approx([math.log(2) - half, math.log(2) + half])
    for found in (shift(one, base), shifted(Prediction(one, ()), Prediction(base, ())).estimate):
        assert [found.low, found.high] == expected
    infinite = shifted(Prediction(one, (), [1.0, math.inf]), Prediction(base, (), [1.0, 2.0])).estimate
    assert (infinite.low, infinite.high) == (-math.inf, math.inf)


def test_a_base_that_is_no_scan_is_refused():
    with pytest.raises(ValueError, match="base"):
        ThresholdShifts({"n7": Scan(TRANSFORMER, K, 2)}, (), bar=1.2, base="n8")
