"""The summary of a results folder, ``summary.json``: written by :func:`iclrace.validate.run`, read everywhere else.

{"format": 2, "preset", "description", "note",
 "claims":      [one object a claim, see :class:`iclrace.validate.Claim`],
 "datasets":    [{"name", "experiment", "stage": "calibration" or "networks", "label"}],
 "experiments": {name: {"frozen", "before_training", "revisions", "looks"}},
 "provenance":  {"command", "date", "commit", "dirty", "device", "versions", "hardware", …}}
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..theory.common.arguments import require
from . import schema
from .claim import Claim
from .claims import Claims
from .training.config import json_text
from .training.store import Configured, RunStore, write_text


@dataclass(frozen=True)
class Dataset:
    """A stored dataset ``<name>.nc``: of which experiment, whether predictions may see it, and its label there."""

    name: str
    experiment: str
    stage: str
    label: str


@dataclass(frozen=True)
class Summary:
    """The contents of a results folder."""

    preset: str
    description: str
    claims: Claims
    datasets: Sequence[Dataset] = ()
    note: str = ""
    experiments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "format": schema.FORMAT, "preset": self.preset, "description": self.description, "note": self.note,
            "experiments": dict(self.experiments), "claims": [claim.as_json() for claim in self.claims],
            "datasets": [vars(dataset) for dataset in self.datasets], "provenance": dict(self.provenance),
        }  # fmt: skip

    def verdicts(self) -> list[dict[str, Any]]:
        """Of every experiment its claims, and how many of them have which verdict."""
        kinds = {name: Counter[str]() for name in self.experiments}
        for claim in self.claims:
            kinds.setdefault(claim.experiment, Counter())[claim.verdict.kind] += 1
        every = list(dict.fromkeys(kind for found in kinds.values() for kind in found))
        return [
            {"experiment": name, "claims": found.total()} | {kind: found[kind] for kind in every}
            for name, found in kinds.items()
        ]

    def write(self, directory: Path) -> None:
        """Write ``summary.json``, unless its content is the same already: its date then shows when it last changed."""
        path, content = directory / "summary.json", schema.sealed(self.as_json())
        with suppress(OSError, ValueError, TypeError):
            before = json.loads(path.read_text("utf-8"))
            now, apart = json.loads(json_text(content)), {"provenance": None, "checksum": None}
            past, now = {**before, **apart}, {**now, **apart}
            if past == now:
                return
        write_text(path, json_text(content))

    def without(self, experiments: Sequence[str]) -> Summary:
        """The same without the entries of these experiments."""
        return replace(
            self,
            claims=Claims(claim for claim in self.claims if claim.experiment not in experiments),
            datasets=[dataset for dataset in self.datasets if dataset.experiment not in experiments],
            experiments={name: entry for name, entry in self.experiments.items() if name not in experiments},
        )


def read_summary(directory: str | os.PathLike[str]) -> Summary:
    """The summary of a results folder.

    Raises
    ------
    ValueError
        If there is no ``summary.json`` in it.
    StoreError
        If that file is damaged or from another version; the message names it.

    Examples
    --------
    >>> Summary("mine", "", Claims([Claim("K*", "minimal", None, None, at={"context_length": 50})])).write(Path("."))
    >>> [claim.quantity for claim in read_summary(".").claims.where("N == 50")]
    ['K*']
    """
    path = Path(directory) / "summary.json"
    require(path.is_file(), "results", f"be a folder made by `iclrace validate --out {directory}`", str(directory))
    content = schema.read(path, schema.SUMMARY)
    claims = []
    for i, entry in enumerate(content["claims"]):
        try:
            claims.append(Claim.from_json(entry))
        except ValueError as error:
            what = f"entry {i} of claims: {error}"
            raise schema.StoreError(f"{path} is damaged or from another version ({what}); make it anew") from error
    names = Dataset.__dataclass_fields__
    datasets = [Dataset(**{name: entry[name] for name in names}) for entry in content["datasets"]]
    rest = {name: content[name] for name in ("preset", "description", "note", "experiments", "provenance")}
    return Summary(**rest, claims=Claims(claims), datasets=datasets)


def provenance(wall_time: float, store: RunStore, jobs: Sequence[Configured], device: str = "cpu") -> dict[str, Any]:
    """Command, date, commit, versions, hardware, and the time of this call and of training all its runs."""
    training, unrecorded = store.seconds(jobs)
    names = ("iclrace", "numpy", "scipy", "numba", "torch", "xarray")
    commit, dirty = source_commit()
    return {
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "dirty": dirty,
        "device": device,
        "versions": {name: version(name) for name in names} | {"python": platform.python_version()},
        "hardware": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "wall_time_seconds": round(wall_time, 1),
        "training_seconds": round(training, 1),
        "runs_without_training_seconds": unrecorded,
    }


def source_commit() -> tuple[str | None, bool | None]:
    """The commit of the source that runs, and whether it was changed since; None where it is no checkout."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None, None
    try:
        commit, changed = (
            subprocess.run(
                ["git", "-C", str(root), *ask], capture_output=True, text=True, timeout=10, check=True
            ).stdout
            for ask in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return None, None
    return commit.strip(), bool(changed.strip())
