"""Sweeps: the grid, the cache on disk, and the theory curves on top."""

import math

import numpy as np
import pytest

from iclrace.simulate import (
    PHASES,
    CoupledModel,
    balanced_fraction,
    beta0_quantiles,
    coupled_acquisition_distribution,
    phase_diagram,
    solve,
    sweep,
    transience,
)
from iclrace.simulate import sweep as sweep_function
from iclrace.theory import PowerLawMemory, Task, threshold

MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)
AXES = {"context_length": [25, 50, 100], "decay": [0.0, 1e-3], "beta0": [-0.5, 0.5]}


def test_grid_holds_the_single_solutions():
    data = sweep(CoupledModel(Task(25, 1000), MEMORY), AXES, (0.0, 1e4))
    assert data.sizes == {"context_length": 3, "decay": 2, "beta0": 2}
    alone = solve(CoupledModel(Task(50, 1000), MEMORY, 1e-3, 1e-3), (0.0, 0.5), (0.0, 1e4))
    point = data.sel(context_length=50, decay=1e-3, beta0=0.5)
    assert float(point["w"]) == alone.w[-1]
    np.testing.assert_equal(float(point["time_acquired"]), alone.events["acquired"])


def test_cache_resumes_and_is_whole(tmp_path, monkeypatch):
    model, seen = CoupledModel(Task(25, 1000), MEMORY), []

    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(model, AXES, (0.0, 1e4), cache=tmp_path, progress=interrupt)
    module = __import__("sys").modules[sweep_function.__module__]
    solve_slab = module._solve_slab
    monkeypatch.setattr(module, "_solve_slab", lambda *a: seen.append(a[1]["context_length"][0]) or solve_slab(*a))
    resumed = sweep(model, AXES, (0.0, 1e4), cache=tmp_path)
    assert seen == [100]  # the two finished parts are read
    assert resumed.identical(sweep(model, AXES, (0.0, 1e4), cache=tmp_path))
    assert resumed.equals(sweep(model, AXES, (0.0, 1e4)))
    assert not list(tmp_path.rglob("*.tmp"))
    # a damaged part is computed again, not believed
    next(tmp_path.rglob("context_length=*.nc")).write_bytes(b"\x89HDF broken")
    assert sweep(model, AXES, (0.0, 1e4), cache=tmp_path).equals(resumed)
    # anything that changes the numbers changes the address
    folders = len(list(tmp_path.iterdir()))
    sweep(CoupledModel(Task(25, 1000), MEMORY, rate_ratio=2.0), AXES, (0.0, 1e4), cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == folders + 1
    monkeypatch.setattr(module.theory, "__file__", str(tmp_path / "theory" / "__init__.py"))
    (tmp_path / "theory" / "decay").mkdir(parents=True)
    for equations in ("some", "others"):  # in a folder of the room
        (tmp_path / "theory" / "decay" / "branch.py").write_text(f"# {equations}")
        sweep(model, AXES, (0.0, 1e4), cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == folders + 4


@pytest.mark.parametrize(
    ("argument", "axes"),
    [("axes", {"colour": [1.0]}), ("axes", {}), ("beta0", {"beta0": []}), ("beta0", {"beta0": [1.0, 1.0]})],
)
def test_bad_axes_are_named(argument, axes):
    with pytest.raises(ValueError, match=f"Argument '{argument}' must"):
        sweep(CoupledModel(Task(25)), axes, (0.0, 10.0))


def test_phase_diagram_crosses_over_where_theory_says():
    diversity = np.geomspace(20, 20_000, 13)
    data = phase_diagram(Task(100), MEMORY, [100], diversity, draws=64, budget=1e7)
    probability = data["probability"].values[0]
    assert np.all(np.diff(probability) >= 0)
    assert (data["failed"] == 0).all()
    middle = np.exp(np.interp(0.5, probability, np.log(diversity)))
    # The clock of the homogeneous law is far from I_K(∞) at t = 1e7, hence the threshold at the budget. It leaves out
    # what the margins do to the drag, O(10 %) of the clock at acquisition; K is spaced by a factor of 1.8.
    theory = threshold(Task(100), MEMORY, 0.0, budget=1e7).value
    assert middle == pytest.approx(float(theory), rel=0.2)


def test_distribution_is_censored_at_the_budget():
    data = coupled_acquisition_distribution(Task(50), [50], budget=140.0, draws=200)
    # β0 = 0, the median, acquires at t = 140.3
    assert 0.49 < float(data["censored"][0]) < 0.53
    assert math.isinf(float(data["quantile_time"].sel(quantile=0.95)[0]))
    assert float(data["time_acquired"].max()) <= 140.0


def test_transience_phases():
    data = transience(Task(100), MEMORY, [0.0, 3e-4, 1e-3, 3e-3], [1000, 3000], budget=1e5)
    names = [PHASES[code] for code in data["phase"].values[:, 0]]
    assert names == ["lasting", "transient", "transient", "no ICL"]
    assert PHASES[int(data["phase"][3, 1])] == "transient"
    assert float(data["duration"][2, 0]) < float(data["duration"][1, 0])


def test_balanced_contexts_saturate_at_one_half():
    data = balanced_fraction(Task(50, dimension=63), MEMORY, [200, 1e5], draws=32)
    assert float(data["probability"].sel(labels="balanced")[-1]) == 0.5
    assert float(data["probability"].sel(labels="iid")[-1]) == 1.0


def test_quantiles_have_the_moments():
    draws = beta0_quantiles(1.0, 2.0, 4000)
    # the outermost intervals are cut at their midpoints: the variance is short by O(log n/n)
    assert draws.mean() == pytest.approx(1.0, abs=1e-12)
    assert draws.std() == pytest.approx(2.0, rel=3e-3)


def test_medians_where_exactly_half_acquire():
    """Kaplan and Meier's convention in both curves: the phase diagram had ∞ where the distribution had 1410.6."""
    options = {"draws": 8, "budget": 1e6}
    diagram = phase_diagram(Task(50), MEMORY, [50], [150.0], **options)
    law = coupled_acquisition_distribution(Task(50, 150), [50], memory=MEMORY, **options)
    assert float(diagram["probability"].squeeze()) == 0.5
    median = float(diagram["median_time"].squeeze())
    assert median == float(law["quantile_time"].sel(quantile=0.5).squeeze()) == pytest.approx(1410.6, abs=0.05)
