"""A table that a benchmark wrote, in its marked place of RESULTS.md."""

from pathlib import Path


def write_section(text: str, path: Path, command: str) -> None:
    """Put ``text`` between the marks that the file has for ``command``.

    Raises ``ValueError`` if the file has no such place.
    """
    start, end = f"<!-- measured by make {command} -->", f"<!-- end of make {command} -->"
    before, marker, rest = path.read_text("utf-8").partition(start)
    _, closed, after = rest.partition(end)
    if not marker or not closed:
        raise ValueError(f"{path} has no place for what `make {command}` measures: {start} … {end}")
    path.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", "utf-8")


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [columns, ["---"] * len(columns), *rows])
