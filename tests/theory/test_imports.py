"""The theory is light to import: sympy only when a derivation is asked for, and nothing above it ever."""

import subprocess
import sys

HEAVY = (
    "sympy",
    "mpmath",
    "torch",
    "numba",
    "matplotlib",
    "xarray",
    "scipy.stats",
    "scipy.optimize",
    "scipy.interpolate",
)


def loaded_after(code):
    program = f"import sys\n{code}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_importing_the_theory_loads_nothing_heavy():
    assert loaded_after("import iclrace.theory") == set()


def test_closed_forms_load_nothing_heavy():
    threshold, field = "threshold(Task(50), PowerLawMemory(3.9, 0.7), 0.0)", "icl_field(1.0, 1.0, Task(50))"
    lines = ["from iclrace.theory import *", threshold, field]
    assert loaded_after("\n".join(lines)) == set()
