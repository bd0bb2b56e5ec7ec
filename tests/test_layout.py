"""A file holds one idea and a function one thought: neither grows beyond what is read at once."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("theory", "simulate", "validate", "figures", "benchmarks")
SOURCES = [*ROOT.glob("*.py"), *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
MOST_IN_FILE, MOST_IN_FUNCTION = 300, 50


def code_lines(function: ast.FunctionDef, text: list[str]) -> int:
    """Lines of code below signature and docstring."""
    documented = ast.get_docstring(function) is not None and len(function.body) > 1
    first, last = function.body[documented].lineno, function.end_lineno or 0
    return sum(1 for line in text[first - 1 : last] if line.strip() and not line.strip().startswith("#"))


def too_long(source: str) -> list[str]:
    text = source.splitlines()
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return [
        f"{function.name} has {lines} lines of code"
        for function in functions
        if (lines := code_lines(function, text)) > MOST_IN_FUNCTION
    ] + ([f"the file has {len(text)} lines"] if len(text) > MOST_IN_FILE else [])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    assert too_long(path.read_text("utf-8")) == []


def test_what_is_too_long_is_named():
    """Negative control: one line more of code is too much, a docstring or a comment is not."""
    body = "    x = 1\n" * MOST_IN_FUNCTION
    words = '    """Words.\n' + "\n" * 60 + '    """\n    # a comment\n'
    assert too_long(f"def f():\n{words}{body}") == []
    assert too_long(f"def f():\n{words}{body}    x = 2\n") == ["f has 51 lines of code"]
    assert too_long("x = 1\n" * 301) == ["the file has 301 lines"]
