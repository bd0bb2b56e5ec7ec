"""A and ν from clocks that were not run to their end: exact laws, coverage, and a real perceptron trained further."""

import numpy as np
import pytest
import xarray as xr

from iclrace.theory import PowerLawMemory
from iclrace.validate import MemoryTraining, measure_memory_law, total_clock, train_memory

K = np.array([128, 256, 512, 1024])
MARGIN = np.linspace(0.0, 5.0, 60)  # to c1 = 0.007


def alone(law, k, scale=1.0):
    return xr.Dataset({"clock": ("time", scale * law.clock(MARGIN, k)), "c1": ("time", law.c1(MARGIN))})


@pytest.mark.parametrize("depth", [3, 4, 6])
@pytest.mark.parametrize("margin_scale", [0.3, 1.0, 5.0])
def test_the_tail_of_a_homogeneous_law_is_recovered(depth, margin_scale):
    law = PowerLawMemory(3.9, 0.7, margin_scale=margin_scale, depth=depth)
    total, share = total_clock(alone(law, 500), depth)
    # p is found to 0.6 %, the spacing of the finer grid; the total moves by less than that.
    assert total == pytest.approx(law.total_clock(500), rel=0.01)
    assert share == pytest.approx((1 + 5 / margin_scale) ** (1 - law.growth_exponent), abs=0.01)


def test_exponent_and_amplitude_cover_the_truth():
    law = PowerLawMemory(3.9, 0.7)
    rng = np.random.default_rng(0)
    diversities = np.repeat(K, 2)
    hits, controls = [], []
    for _ in range(1000):
        noise = np.exp(0.05 * rng.standard_normal(diversities.size))
        found = measure_memory_law(diversities, [alone(law, k, s) for k, s in zip(diversities, noise, strict=True)])
        hits.append((found.amplitude.contains(3.9), found.exponent.contains(0.7)))
        # What was read at the end of training alone is an amplitude too small by the tail's share, 55 %.
        controls.append(found.amplitude.contains(3.9 * (1 - found.tail_share[0])))
    # 95 % of 1000: the binomial's standard deviation is 0.7 %. HC3 errs on the wide side with so few points.
    assert np.all((np.mean(hits, 0) > 0.92) & (np.mean(hits, 0) <= 0.98)), np.mean(hits, 0)
    assert np.mean(controls) < 0.2


def test_a_perceptron_trained_further_reads_what_was_extrapolated():
    curves = train_memory(MemoryTraining(64, 5, dimension=15, width=64, until=5e-4, budget=1e4))
    early = curves.isel(time=slice(0, int(np.flatnonzero(curves.c1 < 0.01)[0]) + 1))
    total, share = total_clock(early)
    later, left = total_clock(curves)
    assert total == pytest.approx(later, rel=0.05)
    # Both ends of the remaining training agree on what lies between them.
    assert float(curves.clock[-1]) == pytest.approx(later * (1 - left))
    assert left < share < 0.35


def test_a_training_that_memorised_nothing_has_no_tail():
    law = PowerLawMemory(3.9, 0.7)
    with pytest.raises(ValueError, match=r"0\.25"):
        total_clock(alone(law, 100).isel(time=slice(0, 10)))
    with pytest.raises(ValueError, match="readings"):
        total_clock(alone(law, 100).isel(time=[0, 30, 59]))
    with pytest.raises(ValueError, match="hold 2 runs"):
        measure_memory_law([100, 200], [alone(law, 100)])
