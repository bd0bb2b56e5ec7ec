"""One self-contained page of results folders, arranged by questions; the tables as Markdown for the documentation."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from shlex import quote
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..theory.common.arguments import require
from ..validate import PRESETS, Claim
from ..validate.claim import network_words
from ..validate.presets.toml import experiments_of
from ..validate.training.store import write_text
from . import page, style
from .results import Results
from .sections import cards, sections
from .verdicts import COLUMNS, count


def write_html(results: Sequence[Results], path: str | os.PathLike[str]) -> Path:
    """What was asked, what holds and what fails; then every question with its figures and claims; then provenance.

    Nothing is loaded from elsewhere: pictures are data URIs, and the one script filters, sorts and opens sections.
    Figures that need no results stand once.

    Raises
    ------
    ValueError
        For no results.
    StoreError
        If a file is damaged, from another version or cannot be written; the message names it.
    """
    require(len(results) > 0, "results", "hold one folder or more", len(results))
    parts = sections(results)
    script = Markup((Path(__file__).parent / "report.js").read_text("utf-8"))
    return _write(
        "report.html", path, [_folder(folder) for folder in results], parts=parts, cards=cards(results, parts),
        kinds=("holds", "fails", "undecided", "reported"), script=script,
    )  # fmt: skip


def write_markdown(results: Sequence[Results], path: str | os.PathLike[str], *, pictures: bool = True) -> Path:
    """The answers: every question with a sentence, its headline claims and one picture, as a page of the documentation.

    Pictures go to ``images`` beside the page; without ``pictures`` those that are there stay.

    Raises
    ------
    ValueError
        For no results.
    """
    require(len(results) > 0, "results", "hold one folder or more", len(results))
    parts = page.parts(results)
    for part in parts if pictures else ():
        if part.picture is not None:
            (Path(path).parent / part.image).parent.mkdir(parents=True, exist_ok=True)
            style.save(part.picture.draw(), Path(path).parent / part.image)
    names = " ".join(quote(folder.directory.as_posix()) for folder in results)
    command = f"iclrace report {names} --markdown {quote(Path(path).as_posix())}"
    return _write(
        "report.md",
        path,
        [_folder(folder) for folder in results],
        command=command,
        parts=parts,
        glance=page.glance(parts),
    )


def _write(template: str, path: str | os.PathLike[str], folders: Sequence[dict[str, Any]], **more: Any) -> Path:
    target = Path(path)
    write_text(target, _templates().get_template(template).render(folders=folders, columns=COLUMNS, **more) + "\n")
    return target


@cache
def _templates() -> Environment:
    """What is put into a page of HTML is escaped; a page of Markdown says by filters what its text must not be."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"plain": _plain, "code": _code, "block": _block, "whole": _whole}
    return environment


def _folder(results: Results) -> dict[str, Any]:
    """What either page says of a folder."""
    summary = results.summary
    saw: dict[Any, list[tuple[str, Claim]]] = {}
    for name, claim in zip(results.claims.names, results.claims, strict=True):
        if claim.inputs and claim.predicted is not None:
            key = claim.experiment, claim.quantity, claim.network, claim.method, claim.inputs
            saw.setdefault(key, []).append((name, claim))
    description = summary.description.strip()
    return {
        "preset": results.preset,
        "description": f"{description[:1].upper()}{description[1:]}." if description else "",
        "count": count(results.claims),
        "note": [paragraph for paragraph in summary.note.strip().split("\n\n") if paragraph],
        "saw": [(_together(several), several[0][1].inputs) for several in saw.values()],
        "origin": [(str(name).replace("_", " "), _listed(value)) for name, value in summary.provenance.items()],
        "commands": reproduce(results),
        "validations": reproduce(results)[:-2],
    }


def _together(claims: Sequence[tuple[str, Claim]]) -> str:
    """What claims with equal inputs are about: the name of a single one, of several what they share."""
    (name, claim), *others = claims
    return ", ".join(filter(None, (claim.quantity, network_words(claim.network), claim.method))) if others else name


def _listed(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def reproduce(results: Results) -> list[str]:
    """The commands that make this folder, its figures and this page."""
    folder = quote(f"results/{' '.join(results.preset.split())}")
    return [
        *_validations(results, folder),
        f"iclrace figure --all --results {folder} --out {folder}",
        f"iclrace report {folder}",
    ]


def _validations(results: Results, folder: str) -> list[str]:
    """``iclrace validate`` with the options that the folder's numbers were made with, a line for each set of them."""
    preset, name = PRESETS.get(results.preset), quote(" ".join(results.preset.split()))
    whole = experiments_of(results.preset) if preset is None else [experiment.name for experiment in preset.experiments]
    if whole is None:
        return [f"# {name} is no preset of this package: call iclrace.validate.run with your own"]
    calls: dict[str, list[str]] = {}
    for experiment, record in results.summary.experiments.items():
        given = record.get("options", {}).get("task_diversity", ())
        calls.setdefault(" ".join(f"-K {quote(str(k))}" for k in given), []).append(experiment)
    return [
        " ".join([f"iclrace validate --preset {name}",
                  *(f"-e {quote(experiment)}" for experiment in names if set(names) != set(whole)),
                  *filter(None, [options]), f"--out {folder}"])
        for options, names in (calls or {"": whole}).items()
    ]  # fmt: skip


_SYMBOL = re.compile(r"\b(t|I|L|W|c)_(ICL|IWL|loss|K|Q)\b")


def _whole(text: str) -> Markup:
    """HTML in which no line breaks inside an interval, with indices below the line."""
    marked = re.sub(r"\[[^\[\]]*\]", r'<span class="n">\g<0></span>', str(Markup.escape(text)))
    return Markup(_SYMBOL.sub(r"\1<sub>\2</sub>", marked))


def _code(text: str) -> str:
    """A code span of Markdown that holds backticks, too."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}"


def _plain(text: object) -> str:
    """One line without what Markdown would read as HTML, emphasis, code, a link or the start of a block."""
    line = re.sub(r"([\\`*_]|~(?=~))", r"\\\1", escape(" ".join(str(text).split()), quote=False))
    line = re.sub(r"\](?=[(\[:])", r"]\\", line)
    return re.sub(r"^(\d+)(?=[.)] )", r"\1\\", re.sub(r"^(?=[#+=|]|-[ -])", r"\\", line))


def _block(lines: Sequence[str]) -> str:
    """A block of shell lines in Markdown, whatever stands in them."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", "".join(lines))), default=0))
    return "\n".join([f"{fence}sh", *lines, fence])
