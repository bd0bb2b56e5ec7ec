"""One self-contained page of results folders (HTML without scripts), and the same as Markdown for the documentation."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from shlex import quote
from string import Template
from typing import Any

from ..theory._arguments import require
from ..validate import PRESETS
from ..validate.store import write_text
from . import style
from .catalogue import available
from .entry import Figure, Picture
from .results import Results
from .table import COLUMNS, cells, count, kind


def write_html(results: Sequence[Results], path: str | os.PathLike[str]) -> Path:
    """Verdict tables on top, then every figure with its caption, inputs, versions, hardware and how to reproduce.

    Nothing is loaded from elsewhere: pictures are data URIs, and there are no scripts. Figures that need no results
    stand once, in the first folder's part.

    Raises
    ------
    ValueError
        For no results.
    StoreError
        If a file is damaged, from another version or cannot be written; the message names it.
    """
    require(len(results) > 0, "results", "hold one folder or more", len(results))
    title = f"iclrace: {', '.join(one.preset for one in results)}"
    parts = [f"<h1>{escape(title)}</h1>", _INTRODUCTION]
    parts += [_table(one) for one in results]
    for i, one in enumerate(results):
        parts += [f"<h2>Figures: {escape(one.preset)}</h2>", *_figures(one, with_theory=i == 0)]
        parts += [_inputs(one), _provenance(one)]
    template = Template(Path(__file__).with_name("report.html").read_text("utf-8"))
    target = Path(path)
    write_text(target, template.substitute(title=escape(title), body="\n".join(parts)))
    return target


_INTRODUCTION = """<p>Predictions of the race between memorisation (in-weights learning, IWL) and in-context learning
(ICL), made from theory and calibration runs before the networks were trained, beside what those networks did. A
prediction <b>holds</b> if the whole interval of measured over predicted (of their difference, where one is stated) lies
within its bar, <b>fails</b> if none of it does, and is <b>undecided</b> otherwise. Times are gradient-flow times
t = learning rate × steps.</p>"""


def _table(results: Results) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in COLUMNS)
    groups = [_group(name, one["comparisons"]) for name, one in results.experiments.items() if one["comparisons"]]
    notes = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in _note(results).split("\n\n") if paragraph)
    return (
        f"<h2>Verdicts: {escape(results.preset)}</h2>\n<p>{escape(_description(results))} {escape(count(results.rows))}"
        f".</p>\n<table class=verdicts><thead><tr>{head}</tr></thead>{''.join(groups)}</table>{notes}"
    )


def _group(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """The rows of one experiment under its name."""
    lines = [f'<tr class="group"><th colspan="{len(COLUMNS)}">{escape(name.replace("_", " "))}</th></tr>']
    for row in rows:
        text = cells(row)
        classes = [""] * (len(text) - 1) + [f' class="{escape(kind(text[-1]))}"']
        columns = zip(COLUMNS, text, classes, strict=True)
        cell = "".join(f'<td data-column="{escape(c)}"{k}>{escape(t)}</td>' for c, t, k in columns)
        lines.append(f"<tr>{cell}</tr>")
    return f"<tbody>{chr(10).join(lines)}</tbody>\n"


def _description(results: Results) -> str:
    text = str(results.summary.get("description", "")).strip()
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _note(results: Results) -> str:
    return str(results.summary.get("note", "")).strip()


def _figures(results: Results, with_theory: bool) -> Iterable[str]:
    missing: list[tuple[Figure, str]] = []
    yield "<div class=figures>"
    for entry, picture in available(results):
        if isinstance(picture, Picture):
            if entry.experiments or with_theory:
                yield _figure(entry, picture)
        else:
            missing.append((entry, str(picture)))
    yield "</div>"
    if missing:
        rows = "".join(f"<li>{escape(entry.title)}: {escape(why)}</li>" for entry, why in missing)
        yield f"<details><summary>{len(missing)} figures need other results</summary><ul>{rows}</ul></details>"


def _figure(entry: Figure, picture: Picture) -> str:
    held = BytesIO()
    style.write(picture.draw(), held, "svg")
    data = base64.b64encode(held.getvalue()).decode()
    paper = f" (paper: {', '.join(entry.paper)})" if entry.paper else ""
    return (
        f'<figure id="{escape(entry.name)}"><img alt="{escape(entry.title)}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption><b>{escape(entry.title)}</b>{escape(paper)}. {escape(picture.caption)}</figcaption></figure>"
    )


def predictions(results: Results) -> list[dict[str, Any]]:
    """Every prediction of a folder, with what it was made from."""
    return [said for one in results.experiments.values() for said in one["predictions"].values()]


def _inputs(results: Results) -> str:
    rows = []
    for said in predictions(results):
        listed = "".join(f"<li>{escape(str(entry))}</li>" for entry in said["inputs"])
        rows.append(f"<details><summary>{escape(said['quantity'])}</summary><ul>{listed}</ul></details>")
    return f"<h2>What the predictions saw: {escape(results.preset)}</h2>\n{''.join(rows)}"


def origin(results: Results) -> list[tuple[str, str]]:
    """Versions, hardware and times of a folder, as (name, text)."""
    found = results.summary.get("provenance", {})
    lines = []
    for name, value in found.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        lines.append((str(name).replace("_", " "), text))
    return lines


def reproduce(results: Results) -> list[str]:
    """The commands that make this folder, its figures and this page."""
    folder = quote(f"results/{' '.join(results.preset.split())}")
    return [
        *validations(results, folder),
        f"iclrace figure --all --results {folder} --out {folder}",
        f"iclrace report {folder}",
    ]


def validations(results: Results, folder: str) -> list[str]:
    """``iclrace validate`` with the options that the folder's numbers were made with, a line for each set of them."""
    preset = PRESETS.get(results.preset)
    if preset is None:
        name = quote(" ".join(results.preset.split()))
        return [f"# {name} is no preset of this package: call iclrace.validate.run with your own"]
    calls: dict[str, list[str]] = {}
    for name, one in results.experiments.items():
        given = one.get("options", {}).get("task_diversity", ())
        calls.setdefault(" ".join(f"-K {quote(str(k))}" for k in given), []).append(name)
    whole = [experiment.name for experiment in preset.experiments]
    start = f"iclrace validate --preset {quote(results.preset)}"
    return [
        " ".join([start, *([] if names == whole else [f"-e {quote(name)}" for name in names]),
                  *([options] if options else []), f"--out {folder}"])
        for options, names in calls.items()
    ]  # fmt: skip


def _provenance(results: Results) -> str:
    lines = "".join(f"<li>{escape(name)}: {escape(text)}</li>" for name, text in origin(results))
    commands = escape("\n".join(reproduce(results)))
    return f"<h2>Where it comes from: {escape(results.preset)}</h2><ul>{lines}</ul>\n<pre>{commands}</pre>"


def write_markdown(results: Sequence[Results], path: str | os.PathLike[str]) -> Path:
    """Verdict table, inputs and provenance of every folder, as a page of the documentation.

    Raises
    ------
    ValueError
        For no results.
    """
    require(len(results) > 0, "results", "hold one folder or more", len(results))
    folders = " ".join(quote(one.directory.as_posix()) for one in results)
    command = f"iclrace report {folders} --markdown {quote(Path(path).as_posix())}"
    lines = ["# Results", "", f"Written by {_code(command)}; do not edit by hand.", "", _RULE]
    for one in results:
        lines += _markdown(one)
    target = Path(path)
    write_text(target, "\n".join(lines) + "\n")
    return target


_RULE = """A prediction **holds** if the whole interval of measured over predicted (of their difference, where one is
stated) lies within its bar, **fails** if none of it does, and is undecided otherwise. Times are gradient-flow times
t = learning rate × steps."""


def _markdown(results: Results) -> list[str]:
    description = _plain(_description(results))
    lines = ["", f"## {_plain(results.preset)}", "", f"{description} {count(results.rows).capitalize()}.", ""]
    lines += [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for row in results.rows:
        text = [_plain(cell).replace("|", "\\|") for cell in cells(row)]
        bold = kind(row["verdict"]) in ("holds", "fails")
        lines.append(f"| {' | '.join([*text[:-1], f'**{text[-1]}**' if bold else text[-1]])} |")
    for paragraph in filter(None, _note(results).split("\n\n")):
        lines += ["", _plain(paragraph)]
    lines += ["", "What the predictions saw:", ""]
    lines += [
        f"- {_plain(said['quantity'])}: {_plain('; '.join(map(str, said['inputs'])))}" for said in predictions(results)
    ]
    lines += ["", "Where it comes from:", "", *(f"- {_plain(name)}: {_plain(text)}" for name, text in origin(results))]
    return [*lines, "", *_block(reproduce(results))]


def _code(text: str) -> str:
    """A code span that holds backticks, too."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}"


def _plain(text: str) -> str:
    """One line without what Markdown would read as HTML, emphasis, code, a link or the start of a block."""
    line = re.sub(r"([\\`*_]|~(?=~))", r"\\\1", escape(" ".join(text.split()), quote=False))
    line = re.sub(r"\](?=[(\[:])", r"]\\", line)
    return re.sub(r"^(\d+)(?=[.)] )", r"\1\\", re.sub(r"^(?=[#+=|]|-[ -])", r"\\", line))


def _block(lines: Sequence[str]) -> list[str]:
    """A block of shell lines, whatever stands in them."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", "".join(lines))), default=0))
    return [f"{fence}sh", *lines, fence]
