"""The door: arguments in, calls, tables and progress bars out. Rooms are imported by the command that needs them."""

from __future__ import annotations

import io
import json
import math
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import __version__
from .cli_predict import predict
from .cli_results import everything, results, status
from .cli_tables import Json, print_rows, show
from .cli_theory import curves, exponents, simulate

if TYPE_CHECKING:
    from .validate import Report

# typer may carry its own copy of click, so the base of its usage errors is reached through typer.
_UsageError: Any = typer.BadParameter.__bases__[0]

# What typer returns, in place of raising it, for a KeyboardInterrupt.
_INTERRUPTED = 130

DONE, ERROR, BAD_ARGUMENT, VERDICT_FAILED = 0, 1, 2, 3

app = typer.Typer(
    name="iclrace",
    help="Predict whether and when a transformer memorises or learns in context; then train it and check.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(curves, name="curves")
app.add_typer(simulate, name="simulate")
app.command()(exponents)
app.command()(predict)
app.command()(results)
app.command("list")(everything)
app.command()(status)


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        print(__version__)
        raise typer.Exit(DONE)
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def validate(
    preset: Annotated[
        str, typer.Option(help="What to train: smoke, laptop, workstation, replication, paper, or a TOML file.")
    ] = "laptop",
    out: Annotated[Path, typer.Option(help="Folder for results; an interrupted run in it is continued.")] = Path(
        "results/laptop"
    ),
    task_diversity: Annotated[
        list[int] | None, typer.Option("--task-diversity", "-K", help="K of both scans, instead of the preset's.")
    ] = None,
    experiment: Annotated[
        list[str] | None, typer.Option("--experiment", "-e", help="Names of the experiments to run; all by default.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where networks are trained: cpu or cuda.")] = "cpu",
    executor: Annotated[
        str | None,
        typer.Option(help="Train in jobs of dask, tcp://host:port, slurm or local; else in this process."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Why predictions or bars changed after training; kept beside the old ones.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be trained, and its cost.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit with code 3 if a verdict fails.")] = False,
    as_json: Json = False,
) -> None:
    """Calibrate, predict, train networks, measure, and print a verdict on every prediction."""
    if dry_run:
        from .cli_results import plan_rows
        from .validate import RunStore
        from .validate.plan import costs
        from .validate.run import chosen

        parts = costs(chosen(preset, task_diversity or None, experiment or None).experiments, RunStore(out))
        show(f"preset {preset}, into {out}", plan_rows(parts), ("", "", ""), as_json, None, None)
        return
    from . import validate as room

    report = room.run(
        preset, out, task_diversity=task_diversity or None, experiments=experiment or None, device=device,
        executor=executor, reason=reason,
    )  # fmt: skip
    from . import figures

    pictures, _ = figures.save_all(figures.Results(out), out, newer=True)
    if as_json:
        print(json.dumps(json.loads((out / "summary.json").read_text("utf-8"))))
    else:
        _print_report(report)
        print(f"Written to {out}: summary.json, predictions.json, datasets (*.nc), {len(pictures)} figures (*.png)")
    if strict and report.failed:
        raise typer.Exit(VERDICT_FAILED)


@app.command()
def train(
    network: Annotated[
        str, typer.Option(help="minimal, transformer, or one of your own as package.module:factory.")
    ] = "transformer",
    context_length: Annotated[int, typer.Option("--context-length", "-N", help="Context pairs N.")] = 31,
    task_diversity: Annotated[float, typer.Option("--task-diversity", "-K", help="Item-label pairs K, or inf.")] = 1024,
    dimension: Annotated[int, typer.Option("--dimension", "-D", help="Item dimension D.")] = 31,
    width: Annotated[int, typer.Option(help="Width of the perceptron.")] = 128,
    learning_rate: Annotated[float, typer.Option(help="Learning rate of plain SGD.")] = 0.025,
    batch_size: Annotated[int, typer.Option(help="Sequences in a batch.")] = 128,
    decay: Annotated[float, typer.Option(help="Weight decay λ on the attention parameters.")] = 0.0,
    budget: Annotated[float, typer.Option(help="Gradient-flow time t = learning rate x step at the end.")] = 200.0,
    seed: Annotated[int, typer.Option(help="First seed.")] = 0,
    seeds: Annotated[int, typer.Option(help="Number of networks.")] = 1,
    out: Annotated[Path, typer.Option(help="Run store.")] = Path("results/runs"),
) -> None:
    """Train networks on the task and print how each one ended."""
    from .theory import Task
    from .theory._arguments import require
    from .validate import Run, acquisition_times
    from .validate import train as train_runs
    from .validate.run import writable_directory

    task = Task(context_length, task_diversity, dimension)
    settings: dict[str, Any] = {
        "width": width, "learning_rate": learning_rate, "batch_size": batch_size, "decay_attention": decay,
        "budget": budget,
    }  # fmt: skip
    require(seeds >= 1, "seeds", "be at least 1", seeds)
    runs = [Run(network, task, seed + i, **settings) for i in range(seeds)]  # pyright: ignore[reportArgumentType]
    metrics = train_runs(runs, writable_directory(out))
    times = acquisition_times(metrics)
    endings = {number: name for name, number in metrics.ending.attrs.items()}
    rows = []
    for run in runs:
        mine = metrics.sel(seed=run.seed)
        ended = endings[int(mine.ending)]
        last = mine.dropna("time", subset=["icl_accuracy"]).isel(time=-1)
        icl, iwl = (math.nan if ended == "diverged" else float(last[f"{kind}_accuracy"]) for kind in ("icl", "iwl"))
        rows.append({"seed": run.seed, "ended": ended, "ICL accuracy": icl, "IWL accuracy": iwl,
                     "t_ICL": float(times.sel(seed=run.seed))})  # fmt: skip
    print_rows(f"{network}, N = {context_length}, K = {task_diversity:g}, t = {budget:g}", rows)


@app.command()
def figure(
    name: Annotated[str | None, typer.Argument(help="A name from --list, or the paper's, such as 2b.")] = None,
    results: Annotated[Path, typer.Option(help="A folder made by `iclrace validate`.")] = Path("results/laptop"),
    out: Annotated[
        Path | None,
        typer.Option(help="A folder, or a .png, .svg or .pdf file; the results folder by default."),
    ] = None,
    suffix: Annotated[str, typer.Option("--format", help="png, svg or pdf, where --out names no file.")] = "png",
    every: Annotated[bool, typer.Option("--all", help="Every figure whose results are there.")] = False,
    names: Annotated[bool, typer.Option("--list", help="Print the names.")] = False,
) -> None:
    """Draw figures: theory alone, or over the measurements of a results folder."""
    from . import figures

    if names:
        columns = ("name", "paper", "shows", "needs")
        print_rows("figures", [
            dict(zip(columns, (one.name, ", ".join(one.paper) or "new", one.title, one.needs), strict=True))
            for one in figures.FIGURES.values()
        ])  # fmt: skip
        return
    if (name is None) != every:
        raise typer.BadParameter("give the name of one figure, or --all", param_hint="name")
    if out is not None and out.suffix and out.suffix.lower() not in figures.FORMATS and not out.is_dir():
        raise typer.BadParameter("be a folder, or end in .png, .svg or .pdf", param_hint="--out")
    if every and out is not None and out.suffix.lower() in figures.FORMATS:
        raise typer.BadParameter("be a folder where --all is given", param_hint="--out")
    if f".{suffix}" not in figures.FORMATS:
        raise typer.BadParameter("be png, svg or pdf", param_hint="--format")
    if every:
        made, missing = figures.save_all(figures.Results(results), out or results, f".{suffix}")
        print("\n".join(map(str, made)))
        for left, why in missing.items():
            print(f"{left}: not drawn. {why}", file=sys.stderr)
        return
    for entry in figures.find(name or ""):
        folder = None if not entry.experiments else figures.Results(results)
        target = out or results
        path = target if target.suffix.lower() in figures.FORMATS else target / f"{entry.name}.{suffix}"
        picture = entry.picture(folder)
        print(f"{figures.save(picture.draw(), path)}\n{picture.caption}")


@app.command()
def report(
    results: Annotated[list[Path], typer.Argument(help="Folders made by `iclrace validate`.")],
    out: Annotated[Path | None, typer.Option(help="The page; report.html in the first folder by default.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write tables as Markdown to this file instead.")] = None,
) -> None:
    """Write one self-contained HTML page: verdicts, figures with captions, inputs, versions, how to reproduce."""
    from .cli_theory import working
    from .figures import Results
    from .figures.report import write_html, write_markdown

    found = [Results(folder) for folder in results]
    if markdown is not None:
        print(write_markdown(found, markdown))
        return
    with working("drawing every figure"):
        print(write_html(found, out or results[0] / "report.html"))


@app.command()
def explorer(
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("explorer.html"),
) -> None:
    """Write one HTML page with sliders that solves the theory's equations in the browser."""
    from .figures import explorer as pages

    print(pages.write(out))


def _print_report(report: Report) -> None:
    """The verdict table; wide enough for its columns also where the output is no terminal."""
    from rich.console import Console
    from rich.table import Table

    from .figures.verdicts import COLUMNS, cells

    table = Table(title=f"iclrace, preset {report.preset.name}: {report.preset.description}")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in ("quantity", "verdict") else "right")
    for name, claim in zip(report.claims.names, report.claims, strict=True):
        table.add_row(*cells(name, claim))
    console = Console()
    (console if console.is_terminal else Console(width=150)).print(table)


def main() -> None:
    """Run the command line; every outcome has its exit code, every refusal its one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a sign gets a replacement
            stream.reconfigure(errors="replace")
    warnings.showwarning = _warn
    try:
        code = app(standalone_mode=False)
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
    except (typer.Abort, KeyboardInterrupt):
        code = _refuse("interrupted; the same command continues where this one stopped", ERROR)
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a group of commands without one
            print(error.ctx.get_help())
            sys.exit(DONE)
        code = _refuse(error.format_message(), BAD_ARGUMENT)
    except (ValueError, OSError, RuntimeError) as error:
        from .theory._arguments import ArgumentError

        if isinstance(error, ArgumentError):
            code = _refuse(str(error), BAD_ARGUMENT)
        elif isinstance(error, OSError) or type(error).__name__ in ("StoreError", "ProtocolError"):
            code = _refuse(str(error), ERROR)
        else:
            raise
    sys.exit(code or DONE)


def _warn(message: Warning | str, *_: Any) -> None:
    print(f"iclrace: warning: {' '.join(str(message).split())}", file=sys.stderr)


def _refuse(message: str, code: int) -> int:
    print(f"iclrace: {' '.join(message.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
