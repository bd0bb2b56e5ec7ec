"""The order that makes a prediction one: calibrate, predict, freeze, train, measure, judge.

An experiment says what is particular to it; the order is kept here, for all of them:

- a prediction is made from the experiment's calibration runs alone. Asking for a network's result raises, whether by
  the name of the runs or at the run store;
- predictions and bars are on the disk before a network is trained. Once networks of the experiment exist they are
  frozen: another prediction or another bar is refused, or recorded beside the old one with the reason given;
- claims are measured by their subject, and judged from their intervals and bars, at looks that were fixed in advance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import xarray as xr

from ..theory.estimate import CONFIDENCE
from .claim import Claim
from .frozen import ProtocolError
from .measure.clocks import MemoryCurves
from .sequential import Looks
from .training.config import Run
from .training.coupling import CouplingCurves, CouplingTraining
from .training.memory import MemoryTraining
from .training.store import RunStore, withheld
from .values import PValue, Value

Jobs = Sequence[Run] | Sequence[MemoryTraining] | Sequence[CouplingTraining]
#: What comes back for ``Jobs``: one dataset of networks, or the curves of perceptrons.
Results = xr.Dataset | MemoryCurves | CouplingCurves
Trained = Mapping[str, Results]


class Experiment(Protocol):
    """One question put to trained networks.

    - ``calibration()``: runs that a prediction may see, by label;
    - ``predict(calibrated)``: the claims, each with its prediction and its bar, from those runs alone;
    - ``networks()``: the runs that the claims speak of, by label. A run is no part of both;
    - ``measure(claim, trained, confidence)``: the claim's subject as measured on them, its interval at that confidence;
      None if there is no measurement. Claims with equal subjects are measured once.

    Results are written to ``<name>_<label>.nc``.
    """

    @property
    def name(self) -> str: ...

    def calibration(self) -> Mapping[str, Jobs]: ...

    def predict(self, calibrated: Trained) -> Sequence[Claim]: ...

    def networks(self) -> Mapping[str, Jobs]: ...

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value | None: ...


@dataclass(frozen=True)
class Plan:
    """An experiment with its runs listed."""

    experiment: Experiment
    calibration: Mapping[str, Jobs]
    networks: Mapping[str, Jobs]

    @classmethod
    def of(cls, experiment: Experiment) -> Plan:
        """Lists the runs; ``ProtocolError`` if one is calibration and network at once."""
        calibration, networks = experiment.calibration(), experiment.networks()
        both = {job for jobs in calibration.values() for job in jobs} & {
            job for jobs in networks.values() for job in jobs
        }
        if both:
            raise ProtocolError(f"{experiment.name} calibrates with {len(both)} of the runs that it predicts")
        return cls(experiment, calibration, networks)

    @property
    def name(self) -> str:
        return self.experiment.name

    @property
    def jobs(self) -> list[Any]:
        """Every run, of either part."""
        return [job for part in (self.calibration, self.networks) for jobs in part.values() for job in jobs]


def in_order(plans: Sequence[Plan]) -> tuple[list[Plan], list[Plan]]:
    """First the experiments of which nobody's networks are calibration runs, then the others.

    What calibrates one experiment may be what another predicts: that one's claims must be frozen before.
    """
    networks = {job for plan in plans for jobs in plan.networks.values() for job in jobs}
    late = [any(job in networks for jobs in plan.calibration.values() for job in jobs) for plan in plans]
    return [p for p, after in zip(plans, late, strict=True) if not after], [
        p for p, after in zip(plans, late, strict=True) if after
    ]


class _Calibrated(Mapping[str, Results]):
    """The calibration runs of one experiment; reading any other raises an error."""

    def __init__(self, name: str, results: Trained) -> None:
        self._name, self._results = name, results

    def __getitem__(self, label: str) -> Results:
        if label not in self._results:
            raise ProtocolError(f"the prediction of {self._name} asks for {label!r}, which is no calibration run")
        return self._results[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)


def predict(plan: Plan, calibrated: Trained) -> list[Claim]:
    """The claims of an experiment, made while the store holds back its networks."""
    networks = [job for jobs in plan.networks.values() for job in jobs]
    with withheld(
        networks, ProtocolError(f"the prediction of {plan.name} asks the store for a network that it predicts")
    ):
        claims = [
            replace(claim, experiment=plan.name)
            for claim in plan.experiment.predict(_Calibrated(plan.name, calibrated))
        ]
    keys = [claim.key for claim in claims]
    for claim in claims:
        if claim != claim.frozen or keys.count(claim.key) > 1 or not set(claim.data) <= set(plan.networks):
            raise ProtocolError(
                f"{plan.name} predicts {claim.quantity} ({claim.method}) twice, with a measurement, or of unknown runs"
            )
    return claims


def test(
    plan: Plan,
    claims: Sequence[Claim],
    store: RunStore,
    train: Callable[[Mapping[str, Jobs]], dict[str, Results]],
    looks: Looks | None = None,
) -> tuple[list[Claim], dict[str, Results]]:
    """Train, measure and judge: look by look, until every claim is decided or all networks are trained."""
    looks = looks or Looks()
    measured, trained = list(claims), {}
    for share, confidence in zip(looks.shares, looks.confidences, strict=True):
        jobs = {label: _first(jobs, share) for label, jobs in plan.networks.items()}
        trained = train(jobs)
        measured = measure(plan.experiment, claims, trained, confidence, jobs, store)
        # A p-value is computed once, from all networks: that it is not small means nothing while more are to come.
        late = (
            claim.verdict.kind in ("undecided", "pending") or isinstance(claim.measured, PValue) for claim in measured
        )
        if not any(late):
            break
    return measured, trained


def measure(
    experiment: Experiment,
    claims: Sequence[Claim],
    trained: Trained,
    confidence: float = CONFIDENCE,
    jobs: Mapping[str, Jobs] | None = None,
    store: RunStore | None = None,
) -> list[Claim]:
    """The claims with their measured values, each subject measured once; costs come from the store, if there is one."""
    values: dict[Any, Value | None] = {}
    measured = []
    for claim in claims:
        if claim.subject not in values:
            values[claim.subject] = experiment.measure(claim, trained, confidence)
        seeds = min(_seeds(trained[label]) for label in claim.data)
        hours = None
        if store is not None and jobs is not None:
            seconds, unrecorded = store.seconds(job for label in claim.data for job in jobs[label])
            hours = None if unrecorded else seconds / 3600 / seeds
        measured.append(replace(claim, measured=values[claim.subject], seeds=seeds, seed_hours=hours))
    return measured


def _first(jobs: Jobs, share: float) -> Any:
    """The runs of the first seeds, of those that have any share of them."""
    seeds = sorted({job.seed for job in jobs})
    kept = set(seeds[: min(len(seeds), max(2, math.ceil(share * len(seeds))))])
    return jobs if share == 1 else [job for job in jobs if job.seed in kept]


def _seeds(results: Results) -> int:
    """Networks at each point; of perceptrons alone all of them."""
    sizes = results.sizes if isinstance(results, xr.Dataset) else {"run": len(results.trainings)}
    return int(sizes.get("seed", sizes.get("run", 1)))


def networks_in(results: Results) -> xr.Dataset:
    """``results`` where networks were trained."""
    assert isinstance(results, xr.Dataset)
    return results


def clocks_in(results: Results) -> xr.Dataset:
    """The clocks of perceptrons trained alone, as they are stored."""
    return results if isinstance(results, xr.Dataset) else results.clocks()


def memories_in(results: Results) -> MemoryCurves:
    """``results`` where perceptrons were trained alone."""
    assert isinstance(results, MemoryCurves)
    return results


def couplings_in(results: Results) -> CouplingCurves:
    """``results`` where perceptrons were trained alone with their couplings."""
    assert isinstance(results, CouplingCurves)
    return results
