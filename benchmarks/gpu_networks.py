"""The paper's figures 6a and 6b on a device: K*(N) and t_ICL(N) at the paper's size, as far as the time reaches.

It is ``iclrace validate --preset paper-cpu --device cuda --hours H`` into networks/, with its protocol: perceptrons
alone first, then predictions, frozen, then networks, measured and judged. What the time did not reach goes on later.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iclrace.validate import OutOfTime, read_summary, run
from iclrace.validate.plan import progress

from .gpu_report import begin

#: Figure 6a, 6b, then 6a at the two longer contexts; and a rehearsal of a scan and of acquisition times.
EXPERIMENTS = {
    False: ("paper-cpu", ["paper_threshold", "paper_acquisition", "paper_lengths"]),
    True: ("smoke", ["transformer_acquisition", "transformer_budget"]),
}
#: Seconds before the end at which training stops: what was measured is then put into claims.
_FOR_CLAIMS = 15.0
COLUMNS = ["what", "runs", "done", "seconds of training", "claims", "hold", "fail", "undecided"]


def rows(folder: Path) -> list[dict[str, Any]]:
    """Of every experiment: its runs, those done, and what its claims came to."""
    claims = list(read_summary(folder).claims) if (folder / "summary.json").exists() else []
    table = []
    for entry in progress(folder):
        judged = [claim for claim in claims if claim.experiment == entry["experiment"]]
        kinds = [claim.verdict.kind for claim in judged]
        table.append(
            {
                "what": entry["experiment"], "runs": entry["runs"], "done": entry["done"],
                "seconds of training": round(60 * entry["minutes spent"], 1), "claims": len(judged),
                "hold": kinds.count("holds"), "fail": kinds.count("fails"), "undecided": kinds.count("undecided"),
            }
        )  # fmt: skip
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """0 whether or not the time sufficed; claims that fail are results, too."""
    given, part = begin("networks", COLUMNS, arguments, __doc__, seconds=240.0)
    preset, experiments = EXPERIMENTS[given.small]
    folder, note, complete = given.out / "networks", "", False
    seconds = max(1.0, part.seconds_left - _FOR_CLAIMS)
    try:
        run(preset, folder, experiments=experiments, device=given.device, hours=seconds / 3600)
        complete = True
    except OutOfTime as over:
        note = str(over)
    finally:
        if (folder / "plan.json").exists():
            part.rows = rows(folder)
            part.write(complete=complete, note=note)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(1) from None
