"""What the site is built from beside its pages: the explorer, MathML in place of TeX, and docstrings' roles."""

import html
import importlib
import io
import re
import tempfile
from pathlib import Path

import typer
from latex2mathml.converter import convert
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

from iclrace.cli.app import app
from iclrace.figures import FIGURES, Results, explorer, style
from iclrace.figures.questions import QUESTIONS
from iclrace.figures.results import MissingResults

ROOMS = ("theory", "simulate", "validate", "figures")
_DISPLAY = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_ROLE = re.compile(r":(?:func|class|mod|meth|data|attr):(?:<code>|`)~?(?:iclrace\.)?(.*?)(?:</code>|`)")


@event_priority(100)  # before mkdocstrings reads its settings
def on_config(config):
    """Show the reference a folder named iclrace that holds the package alone: the repository's root is the package."""
    root = Path(config.config_file_path).parent
    folder = Path(tempfile.mkdtemp(prefix="iclrace-docs-")) / "iclrace"
    folder.mkdir()
    for part in (*root.glob("*.py"), *(root / room for room in ROOMS)):
        (folder / part.name).symlink_to(part)
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [str(folder.parent)]
    return config


def on_files(files, config):
    """Add the explorer and the reference, as the package at hand has them."""
    files.append(File.generated(config, "explorer_page.html", content=explorer.page()))
    pages = {"cli": ["# Command line", *_commands(typer.main.get_command(app))]}
    pages |= {room: _reference(room) for room in ROOMS}
    for name, lines in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content="\n".join(lines)))
    root, lines = Path(config.config_file_path).parent, []
    for name, picture, text in gallery(root):
        lines += text
        if picture is not None:
            files.append(File.generated(config, f"gallery/{name}.svg", content=_svg(picture)))
    files.append(File.generated(config, "gallery.md", content="\n".join([*_GALLERY, *lines])))
    return files


_GALLERY = (
    "# Gallery", "", "Every figure of `iclrace figure --list`, from the committed results where they hold what it",
    "needs, and the command that draws it.", "",
)  # fmt: skip


def gallery(root):
    """(name, picture, lines of Markdown) of every figure, by question; None where its results are not committed."""
    folders = sorted(path.parent for path in (root / "results" / "reference").glob("*/summary.json"))
    held = [(folder.relative_to(root).as_posix(), Results(folder)) for folder in folders]
    for question in QUESTIONS:
        yield "", None, [f"## {question.asks}", ""]
        for name in question.figures:
            entry, lines, lacking = FIGURES[name], [f"### {FIGURES[name].title}", ""], ""
            picture, command = None, f"iclrace figure {name}"
            for folder, results in held if entry.experiments else [("", None)]:
                try:
                    picture = entry.picture(results)
                except MissingResults as missing:
                    lacking = missing.command.replace(f"{root}/", "")
                    continue
                command += f" --results {folder}" if folder else ""
                break
            if picture is None:
                yield name, None, [*lines, f"Its results are not committed; `{lacking}` makes them.", ""]
                continue
            yield name, picture, [*lines, f"![{entry.title}](gallery/{name}.svg)", "", f"`{command}`", ""]


def _svg(picture):
    held = io.BytesIO()
    style.write(picture.draw(), held, "svg")
    return held.getvalue()


def _reference(room):
    """One entry a public name, from where it is defined: some functions share their module's name."""
    module = importlib.import_module(f"iclrace.{room}")
    yield from (f"# {room}", "", f"::: iclrace.{room}", "    options: { members: false, show_root_heading: false }", "")
    for name in module.__all__:
        where = getattr(getattr(module, name), "__module__", None) or module.__name__
        yield from (f"::: {where}.{name}", "    options: { heading_level: 2, show_if_no_docstring: true }", "")


def _commands(command, name="iclrace"):
    """Sections of Markdown for a command and those below it."""
    options = [
        f"| `{'`, `'.join(option.opts)}` | {option.help or option.human_readable_name} | {_default(option)} |"
        for option in command.params
        if "--help" not in option.opts
    ]
    yield from (f"\n## {name}\n", (command.help or "").strip(), "")
    if options:
        yield from ("| option | meaning | default |", "|---|---|---|", *options)
    for below in getattr(command, "commands", {}).values():
        yield from _commands(below, f"{name} {below.name}")


def _default(option):
    given = option.default() if callable(option.default) else option.default
    plain = (
        given if isinstance(given, str | int | float | list | tuple | Path) and not isinstance(given, bool) else None
    )
    return "" if plain is None or plain == [] else f"`{plain}`"


def on_page_content(content, **_):
    """Formulas as MathML, which browsers draw without a script; ``:func:`name``` as plain code."""
    content = _DISPLAY.sub(lambda match: convert(html.unescape(match[1]), display="block"), content)
    content = _INLINE.sub(lambda match: convert(html.unescape(match[1])), content)
    return _ROLE.sub(r"<code>\1</code>", content)
