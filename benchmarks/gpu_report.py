"""What a part of `make gpu` found: rows that are kept as they come, as JSON and as one table with its hardware."""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from iclrace.validate.summary import source_commit
from iclrace.validate.training.store import write_text

from .sections import markdown

ROOT = Path(__file__).resolve().parents[1]


def hardware(device: str) -> dict[str, Any]:
    """Device, driver, versions, commit: what a number of this run belongs to."""
    commit, dirty = source_commit()
    versions: dict[str, Any] = {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "commit": commit,
        "dirty": dirty,
    }
    versions["source"] = source()
    if torch.device(device).type == "cpu":
        return {"device": f"{_processor()}, {torch.get_num_threads()} threads", "driver": None, **versions}
    held = torch.cuda.get_device_properties(device)
    name = f"{held.name}, {held.total_memory / 2**30:.0f} GiB, {held.multi_processor_count} multiprocessors"
    return {"device": name, "driver": _driver(), **versions}


def source() -> str:
    """Hash of the code that trains and measures: it tells a copy that is no checkout, too."""
    files = [path for room in ("theory", "simulate", "validate", "benchmarks") for path in (ROOT / room).rglob("*.py")]
    text = "".join(f"{path.relative_to(ROOT)}\n{path.read_text('utf-8')}" for path in sorted(files))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _driver() -> str | None:
    ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True).stdout.split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None


class Part:
    """Rows of one part in ``out``/NAME.json and NAME.md, written anew after every row.

    Rows that the same source measured on the same hardware with the same settings are kept, so that an interrupted call
    goes on.
    """

    def __init__(self, name: str, out: Path, device: str, columns: list[str], **settings: Any) -> None:
        self.name, self.out, self.columns, self.settings = name, out, columns, settings
        self.hardware = hardware(device)
        self.ends = time.monotonic() + settings.pop("seconds")
        before = read(out / f"{name}.json")
        same = before.get("hardware") == self.hardware and before.get("settings") == settings
        kept = before["rows"] if same else []
        self.rows: list[dict[str, Any]] = [row for row in kept if not row.get("failed")]

    @property
    def seconds_left(self) -> float:
        return self.ends - time.monotonic()

    def row(self, what: str, measure: Callable[[], dict[str, Any]]) -> None:
        """Measure one row, unless it is known or time is up; one that fails says why, and costs no other."""
        if any(row["what"] == what for row in self.rows) or self.seconds_left <= 0:
            return
        try:
            measured = measure()
        except Exception as error:  # a compiler, a driver, memory: whatever it is, the other rows are wanted
            first = (str(error).strip().splitlines() or [""])[0]
            measured = {"failed": f"{type(error).__name__}: {first}"}
        self.rows.append({"what": what, **measured})
        self.write()

    def write(self, complete: bool = False, note: str = "") -> None:
        """Both files; ``complete`` once nothing is left to measure."""
        content = {
            "part": self.name, "complete": complete, "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "hardware": self.hardware, "settings": self.settings, "note": note, "rows": self.rows,
        }  # fmt: skip
        write_text(self.out / f"{self.name}.json", json.dumps(content, indent=1) + "\n")
        write_text(self.out / f"{self.name}.md", self.page(content))

    def page(self, content: dict[str, Any]) -> str:
        """The table below a line that says where and when it was measured."""
        where = content["hardware"]
        measured = [where["device"], where["driver"] and f"driver {where['driver']}", f"torch {where['torch']}"]
        measured += [where["cuda"] and f"CUDA {where['cuda']}", content["date"]]
        changed = " (changed since)" if where["dirty"] else ""
        measured += [f"commit {where['commit'][:10]}{changed}" if where["commit"] else f"source {where['source']}"]
        rows = [[shown(row.get(column)) for column in self.columns] for row in self.rows]
        for row, cells in zip(self.rows, rows, strict=True):
            if "failed" in row:
                cells[-1] = f"failed: {row['failed']}"
        unfinished = "" if content["complete"] else "\n\nNot complete: the same command goes on.\n"
        table = markdown(self.columns, rows)
        return f"{', '.join(filter(None, measured))}\n\n{table}\n{unfinished}\n{content['note']}".strip() + "\n"


def shown(value: Any) -> str:
    """A cell of the table."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace("|", "\\|")


def read(path: Path) -> dict[str, Any]:
    """What a part wrote; nothing if it cannot be read."""
    try:
        report = json.loads(path.read_text("utf-8"))
        return report if isinstance(report, dict) and isinstance(report.get("rows"), list) else {}
    except (OSError, ValueError):
        return {}


def begin(
    name: str, columns: list[str], arguments: Sequence[str] | None, about: str | None, seconds: float
) -> tuple[argparse.Namespace, Part]:
    """The options of a part (where it runs, at which size, for how long at most, where its rows go), and the part."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--seconds", type=float, default=seconds)
    parser.add_argument("--out", type=Path, default=Path("results/gpu"))
    given = parser.parse_args(arguments)
    return given, Part(name, given.out, given.device, columns, small=given.small, seconds=given.seconds)
