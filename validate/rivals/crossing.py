"""K* where the time to memorise equals the time to learn in context (Song and Ye, 2605.09724)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...theory import Estimate
from ..experiments.transformer_methods import predict_threshold_at
from ..measure.times import acquisition_times, geometric_mean
from ..predict.threshold import Prediction
from .conditions import Condition, Known
from .laws import PowerLaw

_SILENT, _ENDLESS = "scrambled", "endless"


@dataclass(frozen=True)
class Crossing:
    """K*: where T_mem(K) = t_ICL(K → ∞).

    T_mem is when transformers with scrambled context labels, which can only memorise, know 95 % of the training items
    without a copy, as t_ICL is when those with fresh items are 95 % right on novel ones. ln T_mem is interpolated in
    ln K, and continued by its end slopes over a factor 2; the interval holds that of t_ICL and the seeds' spread.

    Parameters
    ----------
    name : str
    time : PowerLaw, optional
        Says t_ICL(K → ∞) here from that of the other conditions; measured here by default.
    """

    name: str
    time: PowerLaw | None = None

    @property
    def sees(self) -> Sequence[str]:
        return _SILENT, _ENDLESS

    @property
    def fitted(self) -> int:
        return 0 if self.time is None else self.time.fitted

    def predict(self, here: Condition, others: Sequence[Known]) -> Estimate | None:
        silent = here.calibration(_SILENT)
        if self.time is None:
            acquired = endless_time(here)
        else:
            times = [(other.condition, endless_time(other.condition)) for other in others]
            acquired = self.time.predict(here, [Known(at, time) for at, time in times if time is not None])
        memory = None if silent is None else memorisation_times(silent)
        if acquired is None or memory is None or not 0 < acquired.value < np.inf:
            return None
        return predict_threshold_at(Prediction(acquired, ()), memory).estimate


def endless_time(condition: Condition) -> Estimate | None:
    """t_ICL(K → ∞), geometric mean over the calibration runs; None where they are not stored, or few acquire ICL."""
    runs = condition.calibration(_ENDLESS)
    if runs is None:
        return None
    times = acquisition_times(runs).values
    times = times[~np.isnan(times)]  # those that diverged
    mean = geometric_mean(times) if times.size else None
    return mean if mean is not None and np.isfinite(mean.value) else None


def memorisation_times(runs: xr.Dataset) -> xr.Dataset | None:
    """T_mem over ``run`` as :func:`predict_threshold_at` takes a clock; None where fewer than two K are memorised.

    A K of which one network does not memorise within the budget is left out.
    """
    times = acquisition_times(runs, "iwl_accuracy")
    times = times if "seed" in times.dims else times.expand_dims(seed=[0])
    times = times.transpose("task_diversity", "seed")
    times = times[np.isfinite(times.values).all(1)]
    if times.sizes["task_diversity"] < 2:
        return None
    k = np.repeat(times.task_diversity.values, times.sizes["seed"])
    return xr.Dataset(
        {"clock": ("run", times.values.ravel())}, {"task_diversity": ("run", k)}, {"runs": "scrambled networks"}
    )
