"""Compiled code on disk: an edit of any source renews it, wherever it lies; without a disk it is compiled again."""

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import pytest

import iclrace
from iclrace.simulate import CoupledModel, solve
from iclrace.simulate.kernel import simd
from iclrace.simulate.kernel.cache import SourceCache, compiled_and_kept
from iclrace.theory import Task

PACKAGE = Path(iclrace.__file__).parent
SOLVE = (
    "from iclrace.simulate import CoupledModel, solve; from iclrace.theory import Task\n"
    "print(round(solve(CoupledModel(Task(50)), (0.0, 0.0), (0.0, 10.0)).beta[-1], 6))"
)


def run(code, root, *before, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "HOME")}
    return subprocess.run(
        [*before, sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/",
        env=kept | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"} | environment,
    )  # fmt: skip


@pytest.fixture
def copied():
    """The two rooms that the solver needs, in a place of their own that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for room in ("theory", "simulate"):
            shutil.copytree(PACKAGE / room, root / "iclrace" / room, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PACKAGE / "__init__.py", root / "iclrace")
        for path in (root, *root.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield root


@pytest.mark.slow
def test_an_edit_of_a_compiled_source_is_seen_wherever_the_cache_lies(copied):
    """The field's file is none of numba's own: the entry point, which it looks at, stays as it is."""
    cache = {"NUMBA_CACHE_DIR": str(copied / "cache")}
    before = run(SOLVE, copied, **cache)
    assert before.returncode == 0, before.stderr
    assert list((copied / "cache").rglob("driver.advance_explicit_coupled*.nbc"))
    # kept code is loaded without all that numba imports before it compiles
    kept = run(f"{SOLVE}; import sys; assert 'numba.np.arraymath' not in sys.modules", copied, **cache)
    assert kept.returncode == 0 and kept.stdout == before.stdout, kept.stderr
    field = copied / "iclrace" / "simulate" / "kernel" / "field.py"
    unedited, when = field.read_text("utf-8"), field.stat().st_mtime_ns
    edited = unedited.replace("store(work, target + WIDTH, ", "store(work, target + WIDTH, 2.0 * ")
    assert edited != unedited
    field.write_text(edited, "utf-8")
    os.utime(field, ns=(when, when))  # as an installation or a checkout may leave it
    after = run(SOLVE, copied, **cache)
    assert after.returncode == 0, after.stderr
    assert float(after.stdout) > 1.5 * float(before.stdout) > 0.0


@pytest.mark.slow
def test_a_user_who_can_write_nothing_gets_the_same_numbers_and_one_warning(copied):
    powerless = []  # root writes where nobody may, unless it gives up its powers
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root cannot give up its powers without util-linux's setpriv")
        powerless = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    for path in (copied, *copied.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        found = run(SOLVE, copied, *powerless, HOME=str(copied))
    finally:
        for path in (copied, *copied.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)
    assert found.returncode == 0, found.stderr
    assert found.stderr.count("compiled code cannot be kept") == 1 and "Traceback" not in found.stderr
    assert not list(copied.rglob("*.nbi"))
    here = solve(CoupledModel(Task(50)), (0.0, 0.0), (0.0, 10.0)).beta[-1]
    assert found.stdout == f"{round(here, 6)}\n"


def twice(x):
    return 2 * x


def test_what_cannot_be_kept_is_compiled_again(monkeypatch, tmp_path):
    def nowhere(*_):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr("iclrace.simulate.kernel.cache._not_kept", lambda: told.append(True))
    told = []
    with monkeypatch.context() as patch:
        patch.setattr(SourceCache, "__init__", nowhere)
        assert compiled_and_kept()(twice)(2) == 4 and told == [True]
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("numba.core.caching.IndexDataCacheFile.save", full)
        assert compiled_and_kept()(twice)(2) == 4 and told == [True, True]


def test_a_damaged_cache_is_renewed(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    numba.core.config.reload_config()
    source = tmp_path / "source.py"
    source.write_text("1")
    first = compiled_and_kept(source)(twice)
    assert first(2) == 4 and sum(first.stats.cache_misses.values()) == 1
    again = compiled_and_kept(source)(twice)
    assert again(2) == 4 and sum(again.stats.cache_hits.values()) == 1
    for path in tmp_path.rglob("*.nb[ic]"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    damaged = compiled_and_kept(source)(twice)
    assert damaged(2) == 4 and sum(damaged.stats.cache_misses.values()) == 1
    source.write_text("2")
    edited = compiled_and_kept(source)(twice)
    assert edited(2) == 4 and sum(edited.stats.cache_misses.values()) == 1


def imported(module):
    """The package's own modules that a module imports, and those that they import."""
    found, left = set(), [module]
    while left:
        path = left.pop()
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                folder = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                names = [folder, *(folder / name.name for name in node.names)]
                left += {name.with_suffix(".py") for name in names if name.with_suffix(".py").exists()} - found
    return found


def test_kept_code_that_makes_arrays_finds_numbas_runtime(tmp_path):
    """In a process that has compiled nothing; without what numba prepares before it loads, this one ends in a crash."""
    (tmp_path / "kept.py").write_text(
        "import numpy as np\nfrom iclrace.simulate.kernel.cache import compiled_and_kept\n\n\n"
        "@compiled_and_kept()\ndef second(n):\n    made = np.empty(n)\n    made[1] = 3.0\n    return made[1]\n"
    )
    code = "import kept; print(kept.second(4), sum(kept.second.stats.cache_hits.values()))"
    root = f"{PACKAGE.parent}{os.pathsep}{tmp_path}"
    told = [run(code, root, NUMBA_CACHE_DIR=str(tmp_path / "cache")) for _ in range(2)]
    assert [each.stdout.split() for each in told] == [["3.0", "0"], ["3.0", "1"]], told[1].stderr


def test_the_drivers_code_is_kept_under_the_content_of_all_that_it_is_made_of():
    parts = imported(PACKAGE / "simulate" / "kernel" / "driver.py")
    assert len(parts) > 10 and parts <= set(simd.SOURCES)
    # The walk reaches another room: the table of the stiff method, which once was left out.
    assert PACKAGE / "theory" / "numerics" / "rodas5p.py" in parts
