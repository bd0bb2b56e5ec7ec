"""The memory law at depth L = 2 and 3: ν, and how the clock goes on after the items are learnt (paper, section 4)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...theory import Estimate
from ...theory.common.arguments import require
from ..claim import Claim
from ..measure.times import geometric_mean, measure_power_law
from ..place import At
from ..protocol import Jobs, Trained, clocks_in, memories_in
from ..training.config import addresses
from ..training.memory import MemoryTraining
from ..values import Value

Array = NDArray[np.float64]

#: Margin scales p tried. Far below the least margin fitted the law no longer depends on p.
_SCALES = np.geomspace(0.05, 100.0, 200)


@dataclass(frozen=True)
class MemoryDepth:
    """A and ν for every kind of perceptron, and the clock continued by the homogeneous law of its depth.

        I(φ) = I_0 + C g(φ),   φ = ln(1/c1 − 1),   g = ∫ dφ/(1 + φ/p)^q,   q = 2 − 2/L

    g is bounded for L = 3 and grows as ln(1 + φ/p) for L = 2, whose total clock is therefore infinite. (I_0, C, p) are
    fitted to a training that ends early, from c1 = 0.1 on; the same perceptrons, trained on, show the clock at
    ``later``. Each law also continues the other depth's clock: the control.

    Parameters
    ----------
    laws : perceptrons over K by kind, for A and ν of the clock at the end of each training
    tails : perceptrons of one K by depth L, their ``until`` where the fit ends
    later : c1 up to which the clock is continued
    bar : factor within which what it gains there must be predicted
    """

    laws: Mapping[str, Sequence[MemoryTraining]]
    tails: Mapping[int, Sequence[MemoryTraining]]
    later: float
    bar: float
    name: str = "memory_depth"

    def calibration(self) -> Mapping[str, Jobs]:
        return {f"early_{layers}": trainings for layers, trainings in self.tails.items()}

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        claims = [
            Claim(quantity, "perceptron", None, None, "memory", "", {**_place(trainings), "kind": kind}, data=(kind,))
            for kind, trainings in self.laws.items()
            for quantity in ("ν", "A")
        ]
        for layers, trainings in self.tails.items():
            early = memories_in(calibrated[f"early_{layers}"]).curves
            for law in self.tails:
                gains = [continued_clock(curves, law, self.later) - float(curves.clock[-1]) for curves in early]
                at = {**_place(trainings), "until": trainings[0].until, "later": self.later, "gains": tuple(gains)}
                inputs = (f"c1 from 0.1 to {trainings[0].until:g} of {addresses(trainings)}",)
                centre, method = Estimate.exact(geometric_mean(gains).value), f"law of L = {law}"
                data = (f"later_{layers}",)
                claims.append(
                    Claim(GAIN, "perceptron", centre, self.bar, "memory", method, at, inputs=inputs, data=data)
                )
        return claims

    def networks(self) -> Mapping[str, Jobs]:
        later = {
            f"later_{layers}": [replace(training, until=self.later) for training in trainings]
            for layers, trainings in self.tails.items()
        }
        return {**self.laws, **later}

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value:
        """Of a gain: each perceptron against its own continuation, so that the interval is that of the ratios' mean."""
        if claim.quantity != GAIN:
            clocks = clocks_in(trained[claim.data[0]])
            fit = measure_power_law(clocks.task_diversity.values, clocks.clock.values, confidence=confidence)
            return fit[claim.quantity == "ν"]
        until, predicted = claim.at["until"], claim.at["gains"]
        gains = [
            _clock_where(curves, self.later) - _clock_where(curves, float(until))
            for curves in memories_in(trained[claim.data[0]]).curves
        ]
        return geometric_mean(np.divide(gains, predicted), confidence).scaled(geometric_mean(predicted).value)


#: How far the clock goes from c1 = ``until`` to c1 = ``later``.
GAIN = "gain of the clock"


def _place(trainings: Sequence[MemoryTraining]) -> dict[str, At]:
    training = trainings[0]
    place: dict[str, At] = {"dimension": training.dimension, "width": training.width, "layers": training.layers}
    return place | {"memory": "layer-normed" if training.layer_norm else "raw"}


def _clock_where(curves: xr.Dataset, c1: float) -> float:
    return float(np.interp(-math.log(c1), -np.log(curves.c1.values), curves.clock.values))


def continued_clock(curves: xr.Dataset, layers: int, c1: float) -> float:
    """I at ``c1``, from the homogeneous law of depth ``layers`` fitted from c1 = 0.1 to the curves' end.

    Raises ``ValueError`` for one layer, or fewer than five readings below c1 = 0.1.
    """
    require(layers >= 2, "layers", "be 2 or more", layers)
    margin, clock = np.log(1 / curves.c1.values - 1), curves.clock.values
    fitted = slice(int(np.flatnonzero(curves.c1.values >= 0.1)[-1]) + 1, None)
    require(clock[fitted].size >= 5, "curves", "have five readings or more below c1 = 0.1", clock[fitted].size)
    later = math.log(1 / c1 - 1)
    best, continued = math.inf, math.nan
    for scale in _SCALES:
        design = np.column_stack([np.ones(clock[fitted].size), _growth(margin[fitted], scale, layers)])
        solution, *_ = np.linalg.lstsq(design, clock[fitted])
        misfit = float(np.sum((design @ solution - clock[fitted]) ** 2))
        if misfit < best:
            best, continued = misfit, float(solution[0] + solution[1] * _growth(np.array(later), scale, layers))
    return continued


def _growth(margin: Array, scale: float, layers: int) -> Array:
    """∫_0^φ dφ/(1 + φ/p)^q."""
    excess = 1.0 - 2.0 / layers  # q − 1
    reach = np.log1p(margin / scale)
    return scale * (reach if excess == 0 else -np.expm1(-excess * reach) / excess)
