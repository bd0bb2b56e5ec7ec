"""Commands that draw: single figures, the report of a folder, the explorer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from .options import PICTURES, TABLE, argument, flag, option, text, with_options, writable
from .tables import show, working


@with_options(
    name=argument(str | None, "A name from --list, or the paper's, such as 2b.", default=None),
    results=option(Path, help="A folder made by `iclrace validate`.", default=Path("results/laptop")),
    out=option(Path, help="A folder, or a .png, .svg or .pdf file; the results folder by default."),
    suffix=text("--format", help="png, svg or pdf, where --out names no file.", default="png"),
    every=flag("--all", "Every figure whose results are there."),
    names=flag("--list", "Print the names."),
    animate=flag("--animate", "The race as it is run, as a GIF."),
    **TABLE,
)
def figure(given: Any) -> None:
    """Draw figures: theory alone, or over the measurements of a results folder."""
    from .. import figures

    if given.names:
        rows = [
            {"name": entry.name, "paper": ", ".join(entry.paper) or "new", "shows": entry.title, "needs": entry.needs}
            for entry in figures.FIGURES.values()
        ]
        show(given, "figures", rows)
        return
    name, results, out, suffix, every = given.name, given.results, given.out, given.suffix, given.every
    if (name is None) != every:
        raise typer.BadParameter("must be the name of one figure, or --all", param_hint="name")
    if given.animate:
        _animation(name, results, out or results)
        return
    if out is not None and out.suffix and out.suffix.lower() not in PICTURES and not out.is_dir():
        raise typer.BadParameter("must be a folder, or end in .png, .svg or .pdf", param_hint="--out")
    if every and out is not None and out.suffix.lower() in PICTURES:
        raise typer.BadParameter("must be a folder where --all is given", param_hint="--out")
    if f".{suffix}" not in PICTURES:
        raise typer.BadParameter("must be png, svg or pdf", param_hint="--format")
    target = out or results
    if every:
        writable("--out")(target / f"figure.{suffix}")
        with working("drawing every figure"):
            made, missing = figures.save_all(figures.Results(results), target, f".{suffix}")
        print("\n".join(map(str, made)))
        for left, why in missing.items():
            print(f"{left}: not drawn. {why}", file=sys.stderr)
        return
    entries = figures.find(name or "")
    paths = [target if target.suffix.lower() in PICTURES else target / f"{entry.name}.{suffix}" for entry in entries]
    for path in paths:
        writable("--out")(path)
    for entry, path in zip(entries, paths, strict=True):
        folder = None if not entry.experiments else figures.Results(results)
        with working(f"drawing {entry.name}"):
            picture = entry.picture(folder)
            saved = figures.save(picture.draw(), path)
        print(f"{saved}\n{picture.caption}")


def _animation(name: str | None, results: Path, out: Path) -> None:
    """The race as a GIF, at a file or in a folder."""
    from ..figures import Results
    from ..figures.animation import animate_race

    if name != "race":
        raise typer.BadParameter("must be given with the figure race alone", param_hint="--animate")
    if out.suffix and out.suffix.lower() != ".gif" and not out.is_dir():
        raise typer.BadParameter("must be a folder, or end in .gif where --animate is given", param_hint="--out")
    path = out if out.suffix.lower() == ".gif" else out / "race.gif"
    writable("--out")(path)
    with working("drawing the race"):
        saved = animate_race(Results(results), path)
    print(saved)


@with_options(
    results=argument(list[Path], "Folders made by `iclrace validate`."),
    out=option(Path, callback=writable("--out"), help="The page; report.html in the first folder by default."),
    markdown=option(Path, callback=writable("--markdown"), help="Write tables as Markdown to this file instead."),
)
def report(given: Any) -> None:
    """Write one self-contained HTML page: verdicts, figures with captions, inputs, versions, how to reproduce."""
    from ..figures import Results
    from ..figures.report import write_html, write_markdown

    folders = [Results(folder) for folder in given.results]
    if given.markdown is not None:
        print(write_markdown(folders, given.markdown))
        return
    out = given.out or given.results[0] / "report.html"
    writable("--out")(out)
    with working("drawing every figure"):
        print(write_html(folders, out))


@with_options(out=option(Path, callback=writable("--out"), help="The page to write.", default=Path("explorer.html")))
def explorer(given: Any) -> None:
    """Write one HTML page with sliders that solves the theory's equations in the browser."""
    from ..figures import explorer as pages

    print(pages.write(given.out))
