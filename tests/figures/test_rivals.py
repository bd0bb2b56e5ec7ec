"""Predicted against measured K* of every predictor, on conditions whose numbers are chosen."""

import pytest

from iclrace.figures import MissingResults
from iclrace.figures.coupling import prepare_threshold
from iclrace.theory import Estimate


def fill(folder, count):
    """K* = 30 N; the theory is 10 % low, independent circuits are three times too high."""
    for n in (7, 15, 31, 63, 127)[:count]:
        at = {"context_length": n, "dimension": 31, "width": 128, "rate_ratio": 1.0, "parameters": 20737, "budget": 9.0}
        for method, factor in (("theory", 0.9), ("independent", 3.0)):
            measured = Estimate(30.0 * n, 28.0 * n, 33.0 * n)
            folder.claim("coupling_lengths", "K*", 30.0 * n * factor, measured, "transformer", method=method, at=at,
                         bar=1.2)  # fmt: skip
    return folder.results()


def test_every_predictor_has_its_panel(folder):
    drawn = prepare_threshold(fill(folder, 5)).draw()
    panels = {" ".join(ax.get_title().split("\n")[:-1]): ax for ax in drawn.axes}
    # No calibration run is stored, so that the two crossings say nothing and are not drawn.
    assert list(panels) == ["theory", "independent", "capacity, parameters, 1 fitted", "capacity, bits",
                            "coopetition's toy, 2 fitted", "rational predictor, 2 fitted",
                            "regression, 5 fitted", "mean of the others, 1 fitted"]  # fmt: skip
    assert panels["theory"].get_title().endswith("5 of 5 within 20 %")
    assert panels["independent"].get_title().endswith("0 of 5 within 20 %")
    theory = panels["theory"]
    shown = [bars.lines[0].get_xydata()[0] for bars in theory.containers]
    assert [tuple(one) for one in shown] == [pytest.approx((27.0 * n, 30.0 * n)) for n in (7, 15, 31, 63, 127)]
    low, high = theory.get_xlim()
    assert (low, high) == pytest.approx((0.3 * 210, 3 * 3810)) and theory.get_ylim() == (low, high)
    beyond = [bars.lines[0] for bars in panels["capacity, bits"].containers]  # 2.16 P = 44,792
    assert {one.get_marker() for one in beyond} == {">"} and {one.get_xdata()[0] for one in beyond} == {high}


def test_too_few_conditions_are_named(folder):
    with pytest.raises(MissingResults, match="coupling_conditions"):
        prepare_threshold(fill(folder, 2))
