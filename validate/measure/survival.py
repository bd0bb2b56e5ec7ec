"""Times of events that some runs end before: when ICL is acquired, and when it is lost again.

A run without the event is censored: all that is known is that its time lies beyond the end of the run. It enters as
an infinite time, beside the time at which the run ended.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ...theory import Estimate
from ...theory.accuracy import ACQUIRED
from ...theory.common.arguments import number, probability, real, require
from ...theory.estimate import CONFIDENCE
from .times import first_crossing, measured

Array = NDArray[np.float64]

#: Below this ICL accuracy ICL counts as lost: half-way to chance, so that noise about 0.95 is not a loss.
LOST_LEVEL = 0.75
#: The paper's own level (its figure A6), which it looks for after t = 4,690, a thousand epochs.
PAPER_LOST_LEVEL = 0.9


def observation_times(runs: xr.Dataset) -> xr.DataArray:
    """Time of the last evaluation of every run of ``runs``, along ``time``; a run that ended early is NaN after it."""
    return runs.time.where(runs.icl_accuracy.notnull()).max("time").assign_attrs(units="gradient-flow time")


def loss_times(
    runs: xr.Dataset,
    accuracy: str = "icl_accuracy",
    *,
    acquired_level: float = ACQUIRED,
    lost_level: float = LOST_LEVEL,
    after: float = 0.0,
) -> xr.DataArray:
    """Time of every run at which ICL is first lost after its acquisition: ``accuracy`` falls below ``lost_level``.

    Counted from the start of training and linear between evaluations; infinite if ICL lasts to the end of the run, NaN
    if it was never acquired. With ``lost_level=PAPER_LOST_LEVEL, after=4690.0`` it is the paper's count: no loss
    before the time ``after``.

    Examples
    --------
    >>> accuracy = xr.DataArray([[0.5, 1.0, 0.5], [0.5, 1.0, 1.0], [0.5, 0.6, 0.5]], dims=("seed", "time"))
    >>> loss_times(xr.Dataset({"icl_accuracy": accuracy}, {"time": [0.0, 10.0, 20.0]})).values
    array([15., inf, nan])
    """

    values_of = measured(runs, accuracy)
    acquired_level = number("acquired_level", acquired_level, minimum=0.0, maximum=1.0)
    lost_level = number("lost_level", lost_level, minimum=0.0, maximum=1.0)
    after = number("after", after)

    def lost(values: Array) -> float:
        acquired = first_crossing(runs.time, values, acquired_level)
        if math.isinf(acquired):
            return math.nan
        later = runs.time.values >= max(acquired, after)
        return first_crossing(runs.time.values[later], -values[later], -lost_level)

    times = xr.apply_ufunc(lost, values_of, input_core_dims=[["time"]], vectorize=True)
    return times.assign_attrs(units="gradient-flow time")


def measure_acquisition_time(times: ArrayLike, ended: ArrayLike, *, confidence: float = CONFIDENCE) -> Estimate:
    """Median time of an event by Kaplan and Meier's estimate, which assumes no distribution.

        median = min{t : S(t) <= 1/2},   interval = {t : the band of S(t) contains 1/2}

    with the log-log band of S (Greenwood's variance).

    Parameters
    ----------
    times : array, > 0
        One time a run, ``inf`` where the event was not seen; a time after ``ended`` counts as not seen.
    ended : array that broadcasts against ``times``, > 0
        When each run ended, or the budget at which survival is evaluated.
    confidence : float in (0, 1)

    Returns
    -------
    Estimate
        In the unit of ``times``. ``high`` is infinite where the band never falls to 1/2, and so is the value where
        more than half of the runs are censored. Fewer than six runs cannot bound the median at 95 %.

    Raises
    ------
    ValueError
        For an empty sample, NaN, or a run that ended at infinity without the event.

    Source: Brookmeyer and Crowley, Biometrics 38 (1982) 29; paper, figure 6b.

    Examples
    --------
    >>> measure_acquisition_time([3, 5, 8, 9, 12, 20, 31, float("inf"), float("inf")], ended=40)
    Estimate(value=12.0, low=3.0, high=inf, confidence=0.95)
    """
    confidence = probability("confidence", confidence)
    values, observed = censored(times, ended)
    sample = stats.CensoredData(uncensored=values[observed], right=values[~observed])
    survival = stats.ecdf(sample).sf
    with warnings.catch_warnings():
        # Where S is 1 or 0 the log-log band is undefined, which scipy reports: it is taken as [0, 1] there.
        warnings.simplefilter("ignore", RuntimeWarning)
        band = survival.confidence_interval(confidence_level=confidence, method="log-log")
    t = survival.quantiles
    value = _first(t, survival.probabilities)
    high = _first(t, np.nan_to_num(band.high.probabilities, nan=1.0))
    # If the band is above 1/2 wherever there are data, the median lies beyond them.
    lower = np.where(survival.probabilities > 0, np.nan_to_num(band.low.probabilities, nan=1.0), 0.0)
    low = min(_first(t, lower), float(values.max()))
    return Estimate(value, min(low, value), max(high, value), confidence)


def _first(t: Array, survival: Array) -> float:
    """The least t at which a survival function is at or below 1/2."""
    below = np.flatnonzero(survival <= 0.5 + 1e-12)  # a product of fractions: 12/24 comes out as 0.5000000000000002
    return float(t[below[0]]) if below.size else math.inf


def censored(times: ArrayLike, ended: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    """Each run's time of event or of censoring, and whether the event was seen."""
    t = real("times", times, minimum=0.0, finite=False).ravel()
    end = real("ended", ended, minimum=0.0, finite=False).ravel()
    require(t.size > 0, "times", "hold at least one run", t.size)
    require(end.size in (1, t.size), "ended", f"be one time, or {t.size}", end.size)
    end = np.broadcast_to(end, t.shape)
    observed = np.isfinite(t) & (t <= end)
    values = np.where(observed, t, end)
    require(np.isfinite(values).all(), "ended", "be finite where the event was not seen", math.inf)
    require((values > 0).all(), "times", "be > 0", float(values.min()))
    return values, observed
