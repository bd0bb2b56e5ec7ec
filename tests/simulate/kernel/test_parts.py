"""The lighter compiler: each function once, no machine code of its own, the same numbers as numba's own compiler."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core import event

import iclrace
from iclrace.simulate import CoupledModel, solve
from iclrace.simulate.kernel import lighter, parts
from iclrace.theory import Task


@parts.part()
def power(x, exponent):
    result = 1.0
    for _ in range(exponent):
        result *= x
    return result


@parts.part()
def mean_power(values, exponent):
    total = 0.0
    for i in range(values.shape[0]):
        total += power(values[i], exponent)
    return total / values.shape[0]


def moments(values, out):
    out[0], out[1], out[2] = mean_power(values, 1), mean_power(values, 2), mean_power(values, len(out))


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    numba.core.config.reload_config()
    return tmp_path


class Compiled(event.Listener):
    """The functions that numba compiles meanwhile."""

    def __init__(self):
        self.names = []

    def on_start(self, event):
        self.names.append(event.data["dispatcher"].py_func.__qualname__)

    def on_end(self, event):
        pass


def test_parts_compute_what_the_ordinary_compiler_does_and_are_compiled_once_for_all_constants(folder):
    values, found, expected = np.linspace(-1.0, 2.0, 7), np.empty(3), np.empty(3)
    with event.install_listener("numba:compile", seen := Compiled()):
        parts.entry_point()(moments)(values, found)
    assert [seen.names.count(name) for name in ("power", "mean_power", "moments")] == [1, 1, 1]
    ordinary = numba.njit(lambda x, n: sum([v**n for v in x]) / len(x))
    expected[:] = [ordinary(values, n) for n in (1, 2, 3)]
    np.testing.assert_allclose(found, expected, rtol=1e-15, atol=1e-16)
    with pytest.raises(TypeError, match="power is a part of other compiled functions"):
        power(2.0, 3)
    # Parts have a library that neither optimises nor loads them; the whole is kept.
    for compiled in power.overloads.values():
        assert isinstance(compiled.library, lighter.PartLibrary)
    assert list(folder.rglob("*.nbc"))
    again = parts.entry_point()(moments)
    with event.install_listener("numba:compile", seen := Compiled()):
        again(values, found)
    assert seen.names == [] and found == pytest.approx(expected)


class Collecting(event.Listener):
    """Whether Python collects garbage while passes run."""

    def __init__(self):
        self.seen = []

    def on_start(self, event):
        self.seen.append(gc.isenabled())

    def on_end(self, event):
        pass


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.usefixtures("folder")
def test_garbage_is_collected_again_after_a_compilation(enabled):
    """Without collections it takes a seventh less; what was before is so again, even if the compilation fails."""
    gc.enable() if enabled else gc.disable()
    try:
        with event.install_listener("numba:run_pass", seen := Collecting()), pytest.raises(numba.TypingError):
            parts.entry_point()(lambda x: x.nothing_like_that)(1.0)
        assert set(seen.seen) == {False} and gc.isenabled() == enabled
    finally:
        gc.enable()


FIRST_CALL = """
import sys
from numba.core import event
from iclrace.simulate import CoupledModel, solve
from iclrace.theory import Task

class Seen(event.Listener):
    def on_start(self, event): seen.append(event.data["dispatcher"])
    def on_end(self, event): pass

seen = []
event.register("numba:compile", Seen())
assert solve(CoupledModel(Task(context_length=50)), (0.0, 0.0), (0.0, 200.0)).success
own = [each for each in seen if each.py_func.__module__.startswith("iclrace")]
assert "iclrace.simulate.kernel.lighter" in sys.modules
print(len(seen), len(own), len(set(own)))
"""


@pytest.mark.slow
def test_a_first_call_compiles_every_function_once(tmp_path):
    """How many functions it compiles decides how long it takes: 52, none twice (72 when constants made new ones)."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(iclrace.__file__).parents[1])}
    first = subprocess.run([sys.executable, "-c", FIRST_CALL], capture_output=True, text=True, env=environment)
    assert first.returncode == 0, first.stderr
    compiled, own, different = map(int, first.stdout.split())
    assert 20 < own == different and compiled <= 55


SOLVED = """
import sys
import numba
numba.version_info = numba.version_info._replace(major=0, minor=60)
from iclrace.simulate import CoupledModel, solve
from iclrace.theory import Task

solution = solve(CoupledModel(Task(context_length=50)), (0.0, 0.0), (0.0, 200.0))
assert "iclrace.simulate.kernel.lighter" not in sys.modules
print(*(float(x).hex() for x in (solution.w[-1], solution.beta[-1])))
"""


@pytest.mark.slow
def test_another_numba_compiles_with_its_own_compiler(tmp_path):
    """The private parts that the lighter compiler is made of are those of one series of numba."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(iclrace.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", SOLVED], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    here = solve(CoupledModel(Task(context_length=50)), (0.0, 0.0), (0.0, 200.0))  # by the lighter compiler
    ends = [float.fromhex(word) for word in done.stdout.split()]
    np.testing.assert_allclose([here.w[-1], here.beta[-1]], ends, rtol=1e-13)
