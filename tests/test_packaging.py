"""The wheel holds the whole package and runs without the checkout."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_every_folder_of_the_rooms_is_packaged():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    rooms = ("theory", "simulate", "validate", "figures", "cli")
    folders = {path.parent for room in rooms for path in (ROOT / room).rglob("*.py")}
    assert sorted(listed) == sorted(["iclrace", *(".".join(("iclrace", *f.relative_to(ROOT).parts)) for f in folders)])


@pytest.mark.slow
def test_the_wheel_installs_and_runs(tmp_path):
    # From a copy: a build leaves its folders in the tree, and a later one would pick up what is in them.
    source = tmp_path / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "results", "build", "*.egg-info", "__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    subprocess.run([*pip, "install", "--no-deps", "--no-compile", "--target", site, wheel], check=True)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    code = "import iclrace; print(iclrace.__file__); from iclrace import theory, simulate, validate, figures"
    where = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert where.stdout.startswith(str(site))
    assert (site / "iclrace" / "py.typed").exists()
    assert (site / "iclrace" / "figures" / "report.html").exists()
    command = [sys.executable, "-m", "iclrace.cli", "curves", "threshold", "-N", "50"]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True)


def test_dir_and_help_show_what_is_public_and_no_machinery():
    """``dir(iclrace)`` is ``__all__``; a signature in ``help()`` says ArrayLike, not the union that numpy makes it."""
    import importlib
    import inspect
    import pydoc

    import iclrace

    assert dir(iclrace) == sorted(iclrace.__all__)
    contents = pydoc.plain(pydoc.render_doc(iclrace)).partition("PACKAGE CONTENTS\n")[2].partition("\n\n")[0]
    assert "theory" in contents and "_" not in contents  # rooms, and none of the parts of one
    for room in ("theory", "simulate", "validate", "figures"):
        module = importlib.import_module(f"iclrace.{room}")
        assert dir(module) == sorted(module.__all__)
        contents = pydoc.plain(pydoc.render_doc(module)).partition("PACKAGE CONTENTS\n")[2].partition("\n\n")[0]
        assert contents and not [line for line in contents.splitlines() if line.strip().startswith("_")], room
        for name in module.__all__:
            if inspect.isroutine(public := getattr(module, name)):
                text = pydoc.plain(pydoc.render_doc(public))
                assert "_SupportsArray" not in text and "ModuleType" not in text, (room, name)


def test_the_workflow_runs_the_readmes_test_command_on_every_python_that_is_claimed():
    import re

    text = (ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    claimed = [one.rsplit(" ", 1)[1] for one in project["classifiers"] if re.search(r"Python :: 3\.\d+$", one)]
    assert re.findall(r'"(3\.\d+)"', text) == claimed == ["3.11", "3.12", "3.13"]
    assert "- run: make test" in text and "make test" in (ROOT / "README.md").read_text("utf-8")
