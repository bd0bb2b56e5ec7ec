"""Whether the stored results are what this package says: `make reproduce`.

    python -m benchmarks.reproduce [--retrain]

Every claim of `results/reference` whose networks are stored beside it is measured again on them, and every prediction
that needs no calibration run is made again. With `--retrain` a sample of the networks and of the perceptrons is trained
again as well, a few minutes on two cores. All must agree, to the last digit but the rounding of sums; what does not is
listed, with exit code 1.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import xarray as xr

from iclrace.validate import PRESETS, Claim, MemoryTraining, Run, RunStore, read_summary, train, train_memories
from iclrace.validate.measure.clocks import MemoryCurves
from iclrace.validate.protocol import Experiment, measure
from iclrace.validate.training.store import read_dataset
from iclrace.validate.values import Value

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
#: Least squares solve a linear system, whose last two digits depend on the processor.
ROUNDING = 1e-13
#: Experiment and label of what is trained again, of the laptop preset, and the seeds and K kept.
SAMPLE = (("acquisition_time", "n50", None), ("memory_law", "memory", 128))


def experiment_of(preset: str, name: str) -> Experiment:
    return next(experiment for experiment in PRESETS[preset].experiments if experiment.name == name)


def remeasured(preset: str) -> Iterator[tuple[Claim, Claim]]:
    """Every claim whose datasets are stored, as it stands and as it is measured now."""
    folder = REFERENCE / preset
    for name, claims in read_summary(folder).claims.experiments().items():
        experiment = experiment_of(preset, name)
        labels = {label for claim in claims for label in claim.data}
        stored = {label: folder / f"{name}_{label}.nc" for label in labels}
        trained = {label: read_dataset(path) for label, path in stored.items() if path.exists()}
        known = [claim for claim in claims if set(claim.data) <= set(trained)]
        yield from zip(known, measure(experiment, [claim.frozen for claim in known], trained), strict=True)


def repredicted(preset: str) -> Iterator[tuple[Claim, Claim]]:
    """Every claim of an experiment without calibration runs, as it stands and as it is predicted now."""
    for name, claims in read_summary(REFERENCE / preset).claims.experiments().items():
        experiment = experiment_of(preset, name)
        if not experiment.calibration():
            made = {(*claim.subject[:-1], claim.method): claim for claim in experiment.predict({})}
            for claim in claims:
                yield claim, made[(*claim.subject[:-1], claim.method)]


def retrained(preset: str = "laptop") -> Iterator[tuple[str, bool]]:
    """Whether networks and perceptrons that are trained again have the curves that are stored."""
    for name, label, task_diversity in SAMPLE:
        jobs = experiment_of(preset, name).networks()[label]
        stored = read_dataset(REFERENCE / preset / f"{name}_{label}.nc")
        with tempfile.TemporaryDirectory() as folder:
            networks = [job for job in jobs if isinstance(job, Run)]
            if networks:
                now = train(networks, folder, progress=False)
                yield f"{name}, {label}: {len(networks)} networks", _equal(now, stored)
                continue
            every = [job for job in jobs if isinstance(job, MemoryTraining)]
            kept = [i for i, job in enumerate(every) if job.task_diversity == task_diversity]
            trainings = [every[i] for i in kept]
            curves = train_memories(trainings, RunStore(folder), progress=False)
            yield (
                f"{name}, {label}: {len(kept)} perceptrons at K = {task_diversity}",
                _equal(MemoryCurves(trainings, curves).clocks(), stored.isel(run=kept)),
            )


def _equal(now: xr.Dataset, stored: xr.Dataset) -> bool:
    return all(np.array_equal(now[name], stored[name], equal_nan=True) for name in stored.data_vars)


def close(before: Value | None, after: Value | None) -> bool:
    """Equal but for the rounding of sums, which differs between processors."""
    if before is None or after is None or type(before) is not type(after):
        return before is after
    pairs = zip(asdict(before).values(), asdict(after).values(), strict=True)
    return all(a == b or (isinstance(a, float) and math.isclose(a, b, rel_tol=ROUNDING)) for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--retrain", action="store_true", help="train a sample again, too")
    wrong: list[str] = []
    again = parser.parse_args().retrain
    for preset in ("laptop", "workstation", "transience"):
        for field, pairs in (("measured", remeasured(preset)), ("predicted", repredicted(preset))):
            count = same = 0
            for stored, now in pairs:
                count += 1
                before, after = getattr(stored, field), getattr(now, field)
                same += before == after
                if not close(before, after) or (field == "measured" and stored.seeds != now.seeds):
                    wrong.append(
                        f"{preset}, {stored.experiment}, {stored.quantity} ({stored.method}): {before} → {after}"
                    )
            print(f"{preset}: {count} claims {field} again, {same} of them equal to the last bit")
    for what, equal in retrained() if again else ():
        print(f"{what}: {'equal' if equal else 'DIFFERENT'}")
        if not equal:
            wrong.append(what)
    print("\n".join(wrong) or "all equal, but for the rounding of sums")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
