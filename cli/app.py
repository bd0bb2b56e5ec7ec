"""The commands by their names, and how each outcome ends. Rooms are imported by the command that needs them."""

from __future__ import annotations

import io
import json
import re
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import __version__
from . import INTERRUPTED
from .figures import explorer, figure, report
from .meant import explained
from .mine import own_preset
from .options import TABLE, Once, flag, option, real, several, text, whole, with_options
from .predict import predict
from .results import everything, results, rivals, status
from .simulate import simulate
from .tables import print_rows, show, working, write_rows
from .theory import curves, exponents
from .train import train

# typer may carry its own copy of click, so the base of its usage errors is reached through typer.
_UsageError: Any = typer.BadParameter.__bases__[0]

#: Options of ``--preset mine`` alone, besides --network and --task-diversity.
_OF_MINE = ("items", "width", "context_length", "dimension", "learning_rate", "budget", "seeds")

DONE, ERROR, BAD_ARGUMENT, VERDICT_FAILED = 0, 1, 2, 3

app = typer.Typer(
    name="iclrace",
    help="Predict whether and when a transformer memorises or learns in context; then train it and check.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(curves, name="curves")
app.add_typer(simulate, name="simulate")
for _command in (exponents, predict, train, figure, report, explorer, results, rivals, status):
    app.command(cls=Once)(_command)
app.command("list", cls=Once)(everything)


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        print(__version__)
        raise typer.Exit(DONE)
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(cls=Once)
@with_options(
    preset=text(
        help="What to train: smoke, laptop, workstation, transience, paper-cpu, paper, foreign, a TOML file, or "
        "mine: K* of the network given by --network.",
        default="laptop",
    ),
    out=option(Path, help="Folder for results, results/PRESET by default; an interrupted run in it is continued."),
    task_diversity=several("--task-diversity", "-K", help="K of the scans, instead of the preset's."),
    experiment=option(list[str], "--experiment", "-e", help="Names of the experiments to run; all by default."),
    device=text(help="Where to train: cpu, cuda or cuda:1.", default="cpu"),
    executor=text(help="Train in jobs of dask, tcp://host:port, slurm or local; else in this process."),
    reason=text(help="Why predictions or bars changed after training; kept beside the old ones."),
    hours=real(help="End after so many hours, with all saved; the same command goes on."),
    network=text(help="With --preset mine: the network, as package.module:factory."),
    items=text(help="With --preset mine: items (R, D), as package.module:array."),
    context_length=whole("--context-length", "-N", help="With --preset mine: context pairs N."),
    dimension=whole("--dimension", "-D", help="With --preset mine: item dimension D."),
    width=whole(help="With --preset mine: width handed to the factory."),
    learning_rate=real(help="With --preset mine: learning rate of plain SGD."),
    budget=real(help="With --preset mine: time at which training ends."),
    seeds=whole(help="With --preset mine: networks at each K."),
    dry_run=flag("--dry-run", "Print what would be trained, and its cost."),
    strict=option(bool, help="Exit with code 3 if a verdict fails.", default=False),
    **TABLE,
)
def validate(given: Any) -> None:
    """Calibrate, predict, train networks, measure, and print a verdict on every prediction."""
    preset, task_diversity, experiments = given.preset, given.task_diversity or None, given.experiment or None
    out = given.out or Path("results") / Path(preset).stem
    own = {name: value for name in _OF_MINE if (value := getattr(given, name)) is not None}
    if preset == "mine" and given.task_diversity is not None:
        own, task_diversity = {"task_diversity": given.task_diversity, **own}, None
    chosen_preset = own_preset(preset, given.network, own)
    if given.dry_run:
        from ..validate import RunStore
        from ..validate.plan import costs
        from ..validate.run import chosen
        from ..validate.training.deadline import time_limit
        from ..validate.training.devices import usable
        from .results import plan_rows

        usable(given.device)  # what the call itself would refuse is refused here
        with time_limit(given.hours):
            pass
        picked = chosen(chosen_preset, task_diversity, experiments)
        parts = costs(picked.experiments, RunStore(out), picked.looks)
        show(given, f"preset {preset}, into {out}", plan_rows(parts))
        return
    from .. import validate as room

    try:
        report = room.run(
            chosen_preset, out, task_diversity=task_diversity, experiments=experiments, device=given.device,
            executor=given.executor, reason=given.reason, hours=given.hours,
        )  # fmt: skip
    except room.OutOfTime as over:
        print(over)
        return
    from .. import figures

    with working("drawing figures"):
        pictures, _ = figures.save_all(figures.Results(out), out, of_results=True)
    if given.csv_file is not None:
        write_rows(given.csv_file, report.claims.rows())
    if given.as_json:
        print(json.dumps(json.loads((out / "summary.json").read_text("utf-8"))))
    else:
        from ..figures.verdicts import COLUMNS, cells

        named = zip(report.claims.names, report.claims, strict=True)
        title = f"iclrace, preset {report.preset.name}: {report.preset.description}"
        print_rows(title, [dict(zip(COLUMNS, cells(name, claim), strict=True)) for name, claim in named])
        print(f"Written to {out}: summary.json, predictions.json, datasets (*.nc), {len(pictures)} figures (*.png)")
    if given.strict and report.failed:
        raise typer.Exit(VERDICT_FAILED)


def run() -> None:
    """Run the command line; every outcome has its exit code, every refusal its one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a sign gets a replacement
            stream.reconfigure(errors="replace")
    warnings.showwarning = _warn
    try:
        code = app(standalone_mode=False)
        if code == INTERRUPTED:  # which typer returns in place of raising it
            raise KeyboardInterrupt
    except (typer.Abort, KeyboardInterrupt):
        code = _refuse("interrupted; the same command continues where this one stopped", INTERRUPTED)
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a group of commands without one
            print(error.ctx.get_help())
            sys.exit(DONE)
        code = _refuse(explained(error), BAD_ARGUMENT)
    except MemoryError as error:
        code = _refuse(f"not enough memory: {error}", ERROR)
    except (ValueError, OSError, RuntimeError) as error:
        from ..theory.common.arguments import ArgumentError

        if isinstance(error, ArgumentError):
            code = _refuse(str(error), BAD_ARGUMENT)
        elif isinstance(error, OSError) or type(error).__name__ in ("StoreError", "ProtocolError"):
            code = _refuse(str(error), ERROR)
        elif re.search("allocate memory|out of memory", str(error)):  # PyTorch's
            code = _refuse(f"not enough memory: {error}", ERROR)
        else:
            raise
    sys.exit(code or DONE)


def _warn(message: Warning | str, *_: Any) -> None:
    print(f"iclrace: warning: {' '.join(str(message).split())}", file=sys.stderr)


def _refuse(message: str, code: int) -> int:
    print(f"iclrace: {' '.join(message.split())}", file=sys.stderr)
    return code
