"""K* over scans of K: every prediction of it, its slope in what is varied, and rival slopes (paper, figures 2b, 6a)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import xarray as xr

from ...theory import Estimate
from ..claim import Claim
from ..measure.bimodality import accuracy_at
from ..measure.clocks import clock_of_acquisition, final_clock
from ..measure.intervals import slope
from ..measure.times import acquisition_times, geometric_mean, measure_threshold
from ..place import SYMBOLS, At
from ..predict.threshold import Prediction
from ..protocol import Jobs, Trained, networks_in
from ..values import UNKNOWN, Answer, Range, Value
from .runs import part_of
from .scan import Method, Scan, memory_label
from .threshold_methods import inverse_exponent

_SHARE = "share of the error in ln K*"


class OnePointExponent(Protocol):
    """What measures 1/ν on calibration runs."""

    def inverse_exponent(self, calibrated: Trained) -> Prediction: ...


@dataclass(frozen=True)
class ThresholdScan:
    """K* of one or several scans by every method, and d ln K*/d ln x.

    Parameters
    ----------
    scans : by label, which becomes part of file names
    methods : ways to predict K*
    bar, clock_bar, time_bar : factors within which K*, a clock's reading and t_ICL at the largest K must be predicted
    variable : name of the coordinate x in which the scans differ; "" for a single scan
    slope_bar : largest difference of the slopes; None for no claim about slopes
    exponent : kind of the perceptrons, or the one-point method, whose 1/ν predicts the slope as well, where x acts
        through I* alone; "" for none
    rivals : mapping from another explanation, in words, to the slope it predicts: does the measured one exclude it?
    ladder : names of methods, in order: which share of the first one's error in ln K* each step removes
    shared : label of the networks, where all scans read the same ones at different budgets
    slopes_only : whether other experiments claim the K* themselves, of the same scans and methods
    reported : slopes that others report, by who does
    """

    scans: Mapping[str, Scan]
    methods: Sequence[Method]
    bar: float
    clock_bar: float = 1.05
    time_bar: float = 1.05
    variable: str = ""
    slope_bar: float | None = None
    exponent: str | OnePointExponent = ""
    rivals: Mapping[str, float] = field(default_factory=dict)
    ladder: Sequence[str] = ()
    shared: str = ""
    slopes_only: bool = False
    reported: Mapping[str, float] = field(default_factory=dict)
    name: str = "threshold"

    def with_scan(self, task_diversity: Sequence[float]) -> ThresholdScan:
        """Other K in every scan; a clock at a reference K is not claimed where that K is no longer trained."""
        scans = {label: replace(scan, task_diversity=task_diversity) for label, scan in self.scans.items()}
        kept = [getattr(method, "reference", None) in (None, *task_diversity) for method in self.methods]
        methods = [
            method if stays else replace(method, reference=None)  # pyright: ignore[reportArgumentType, reportCallIssue]
            for method, stays in zip(self.methods, kept, strict=True)
        ]
        return replace(self, scans=scans, methods=methods)

    def calibration(self) -> Mapping[str, Jobs]:
        jobs: dict[str, Jobs] = {}
        for label, scan in self.scans.items():
            for method in self.methods:
                jobs |= method.calibration(self.shared or label, scan)
            if isinstance(self.exponent, str) and self.exponent:
                jobs[memory_label(self.exponent, label)] = scan.memory[self.exponent]
        return jobs

    def networks(self) -> Mapping[str, Jobs]:
        return {self.shared or label: scan.networks for label, scan in self.scans.items()}

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        return self.claims_of(self.predictions(calibrated), calibrated)

    def predictions(self, calibrated: Trained) -> dict[str, dict[str, Mapping[str, Prediction]]]:
        """Predictions by the scan's label and the method's name."""
        return {
            label: {method.name: method.predict(self.shared or label, scan, calibrated) for method in self.methods}
            for label, scan in self.scans.items()
        }

    def claims_of(
        self, predicted: Mapping[str, Mapping[str, Mapping[str, Prediction]]], calibrated: Trained
    ) -> list[Claim]:
        """The claims of each scan, and the slopes over all of them."""
        claims: list[Claim] = []
        known: dict[str, list[Prediction]] = {}
        x: list[At] = []
        for label, scan in self.scans.items():
            predictions = predicted[label]
            claims += [
                claim
                for method in self.methods
                for claim in self._of_scan(label, scan, method, predictions[method.name])
            ]
            if not any("K*" in made for made in predictions.values()):  # the point that a law starts from
                place, data = scan.place(), (self.shared or label,)
                claims.append(Claim("K*", scan.run.network, None, None, part_of(scan.run), at=place, data=data))
            claims += self._ladder(
                label, scan, {name: made["K*"] for name, made in predictions.items() if "K*" in made}
            )
            for name, made in predictions.items():
                known.setdefault(name, []).extend([made["K*"]] if "K*" in made else [])
            clock = next((made["I*"].estimate.value for made in predictions.values() if "I*" in made), math.nan)
            x.append(clock if self.variable == "clock" else scan.place().get(self.variable, math.nan))
        if self.slope_bar is None:
            return claims
        everywhere = {name: made for name, made in known.items() if len(made) == len(x)}
        return ([] if self.slopes_only else claims) + self._slopes(x, everywhere, calibrated)

    def _of_scan(self, label: str, scan: Scan, method: Method, predictions: Mapping[str, Prediction]) -> list[Claim]:
        """The equations speak of the minimal model's circuit; its whole network is compared with the memory alone."""
        network, data = scan.run.network, (self.shared or label,)
        bars = {"K*": self.bar, "t_ICL": self.time_bar}
        known = {"t_ICL": max(scan.task_diversity), "I_K": getattr(method, "reference", None)}
        claims = []
        for quantity, prediction in predictions.items():
            minimal = ("circuit", "whole") if quantity == "K*" and getattr(method, "whole", False) else ("circuit",)
            unbarred = quantity == "t_ICL" and not getattr(method, "times", True)
            for part in minimal if network == "minimal" else ("whole",):
                claims.append(
                    prediction.claim(
                        quantity, network, None if unbarred else bars.get(quantity, self.clock_bar), part=part,
                        method=method.name, at=scan.place(task_diversity=known.get(quantity)), data=data,
                    )
                )  # fmt: skip
        return claims

    def _ladder(self, label: str, scan: Scan, predictions: Mapping[str, Prediction]) -> list[Claim]:
        """What each step from one method to the next removes of the first one's error in ln K*, and what is left."""
        rungs = [(name, predictions[name].estimate) for name in self.ladder]
        if any(not 0 < value.value < math.inf for _, value in rungs):
            return []
        steps = [*itertools.pairwise(rungs), *([(rungs[-1], ("measured", None))] if rungs else [])]
        claims = []
        for (a, start), (b, end) in steps:
            parts = [rungs[0][1], start, *([] if end is None else [end])]
            values = tuple(part.ends for part in parts)
            at = {**scan.place(), "ladder": values}
            claims.append(
                Claim(_SHARE, scan.run.network, None, None, method=f"{a} → {b}", at=at, data=(self.shared or label,))
            )
        return claims

    def _slopes(self, x: Sequence[At], known: Mapping[str, Sequence[Prediction]], calibrated: Trained) -> list[Claim]:
        first = next(iter(self.scans.values()))
        network, at = first.run.network, {**first.place(), self.variable: tuple(x)}
        quantity = f"d ln K*/d ln {SYMBOLS[self.variable]}"
        common: dict[str, Any] = {"part": part_of(first.run), "data": tuple(self.networks())}
        predictions = {
            name: Prediction(
                slope([float(place) for place in x], [prediction.estimate for prediction in made]),
                tuple(dict.fromkeys(entry for prediction in made for entry in prediction.inputs)),
            )
            for name, made in known.items()
            if made
        }
        against = tuple(prediction.estimate.value for prediction in predictions.values())
        if isinstance(self.exponent, str):
            memories = [calibrated[memory_label(self.exponent, label)] for label in self.scans] if self.exponent else []
            predictions |= {"1/ν": inverse_exponent(memories)} if memories else {}
        else:
            predictions["1/ν"] = self.exponent.inverse_exponent(calibrated)
        predictions |= {
            name: Prediction(Estimate.exact(value), ("value reported",)) for name, value in self.reported.items()
        }
        claims = [
            prediction.claim(quantity, network, self.slope_bar, method=name, scale="difference", at=at, **common)
            for name, prediction in predictions.items()
        ]
        against = against or tuple(prediction.estimate.value for prediction in predictions.values())
        for rival, value in self.rivals.items():
            where, inputs = {**at, "rival": value, "against": against}, ("the measured slope's interval",)
            claims.append(
                Claim(
                    f"{quantity} is not the rival's", network, Answer(True), None, method=rival, inputs=inputs,
                    at=where, **common,
                )
            )  # fmt: skip
        return claims

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value | None:
        if claim.quantity.startswith("d ln K*"):
            thresholds = [
                measured_threshold(networks_in(trained[self.shared or label]), scan, claim.part, confidence)
                for label, scan in self.scans.items()
            ]
            x = claim.at[self.variable]
            measured = slope([float(level) for level in x], thresholds)
            return excludes(measured, claim) if "rival" in claim.at else measured
        runs = networks_in(trained[claim.data[0]])
        if claim.quantity == "t_ICL":
            times = acquisition_times(runs, "circuit_accuracy").sel(task_diversity=claim.at["task_diversity"])
            return geometric_mean(times, confidence)
        if claim.quantity == "I_K":
            return geometric_mean(final_clock(runs).sel(task_diversity=claim.at["task_diversity"]).values, confidence)
        threshold = measured_threshold(runs, self._scan(claim), claim.part, confidence)
        if claim.quantity == "K*":
            return threshold
        if claim.quantity == _SHARE:
            return _share(threshold, claim.at["ladder"])
        if claim.network == "minimal":
            return clock_collapse(runs, threshold.value)
        return clock_of_acquisition(runs, threshold.value, confidence)

    def _scan(self, claim: Claim) -> Scan:
        """The scan that a claim is about."""
        if not self.shared:
            return self.scans[claim.data[0]]
        return next(scan for scan in self.scans.values() if scan.read.budget == claim.at["budget"])


def measured_threshold(runs: xr.Dataset, scan: Scan, part: str, confidence: float) -> Estimate:
    """K* of networks read at the end of the scan's budget.

    Of the minimal model's circuit the outcome is whether it reached 95 % in time, of which the theory speaks: as an
    accuracy, 1 or chance. Of a whole network it is the accuracy itself, as it is at the end of its training unless the
    scan is read before.
    """
    if part == "circuit":
        times = acquisition_times(runs, "circuit_accuracy").transpose("task_diversity", "seed")
        outcome = np.where(times.values <= scan.read.budget, 1.0, 0.5)
    else:
        end = math.inf if scan.budget is None else scan.budget
        outcome = accuracy_at(runs, end).transpose("task_diversity", "seed").values
    return measure_threshold(runs.task_diversity, outcome, confidence=confidence)


def clock_collapse(runs: xr.Dataset, threshold: float) -> Value:
    """I_K when the ICL circuit acquires: the mean over the K above the threshold at which every seed does.

    The range is that of the K's own geometric means: clock collapse is the statement that they agree.
    """
    times = acquisition_times(runs, "circuit_accuracy")
    readings = []
    for k in runs.task_diversity.values:
        at = times.sel(task_diversity=k)
        if k > threshold and bool(np.isfinite(at).all()):
            curves = runs.clock.sel(task_diversity=k)
            clocks = [np.interp(at.sel(seed=s), runs.time, curves.sel(seed=s)) for s in runs.seed.values]
            readings.append(geometric_mean(clocks).value)
    if not readings:
        return UNKNOWN
    mean = float(np.exp(np.mean(np.log(readings))))
    return Range(mean, min(mean, *readings), max(mean, *readings))  # equal readings may differ from it by rounding


def _share(threshold: Estimate, ladder: Sequence[tuple[float, float, float]]) -> Value | None:
    """ln(K_a/K_b)/ln(K_1/K*): of the error of the first rung, what the step from a to b (or to K* itself) removes."""
    measured = threshold.ends
    first, a, b = (*ladder, measured)[:3]
    if not 0 < measured[0] < math.inf or first[0] == measured[0]:
        return None
    whole = math.log(first[0] / measured[0])
    widths = (0.5 * math.log(high / low) if 0 < low <= high < math.inf else math.inf for _, low, high in (a, b))
    share, half = math.log(a[0] / b[0]) / whole, math.hypot(*widths) / abs(whole)
    return Estimate(share, share - half, share + half, threshold.confidence)


def excludes(measured: Estimate, claim: Claim) -> Answer:
    """Whether the slope excludes the rival's; None if the interval is too wide to exclude either of the two."""
    rival, against = claim.at["rival"], claim.at["against"]
    blind = any(measured.contains(float(value)) for value in against)
    if measured.contains(rival) and blind:
        return Answer(None)
    return Answer(not measured.contains(rival))
