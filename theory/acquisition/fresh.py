"""When ICL is acquired below K*, where a share of the training sequences has fresh items."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import ArrayLike

from ..common.arguments import number, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..memory.law import PowerLawMemory
from ..memory.measured import MeasuredMemory
from ..numerics.roots import root
from .finite import time_of_clock


@by_name
@elementwise(single=("clock", "task_diversity", "fresh_share"), smooth=("clock", "task_diversity", "fresh_share"))
def fresh_share_time(
    memory: PowerLawMemory | MeasuredMemory, clock: ArrayLike, task_diversity: ArrayLike, fresh_share: ArrayLike
) -> Any:
    """t_ICL at a share f of fresh sequences: I_K((1 − f) t) + f t/2 = I*.

    Nothing can be memorised of a fresh item, so that ⟨σ(−φ)⟩ = 1/2 on it, and the memory learns from the others alone,
    1 − f times as fast. Hence no K* without a budget. The time falls from t_ICL(K → ∞)/f at small K, where the memory
    is done at once, to t_ICL(K → ∞) = 2 I*.

    Parameters
    ----------
    memory : PowerLawMemory or MeasuredMemory
        Of the perceptron alone, I_K.
    clock : array_like, I* >= 0
        Its reading at acquisition (:func:`clock_at_acquisition`).
    task_diversity : array_like, K >= 1
    fresh_share : array_like, f in [0, 1)

    Returns
    -------
    float, gradient-flow time, or array of the broadcast shape; ``inf`` at f = 0 for K <= K*

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "share of fresh items".

    Examples
    --------
    >>> from iclrace.theory import PowerLawMemory, threshold, Task, clock_at_acquisition
    >>> memory, clock = PowerLawMemory(amplitude=3.9, exponent=0.7), 139.0
    >>> [round(fresh_share_time(memory, clock, k, 0.1)) for k in (2, 80, 160, 1000)]
    [2710, 1957, 1511, 379]
    """
    share = number("fresh_share", fresh_share, minimum=0.0)
    require(share < 1.0, "fresh_share", "be below 1", share)
    reading = number("clock", clock, minimum=0.0, finite=False)
    diversity = number("task_diversity", task_diversity, minimum=1.0, finite=False)
    if share == 0.0 or reading == 0.0 or math.isinf(reading):
        return time_of_clock(memory, reading, diversity)
    last = min(reading, float(memory.total_clock(diversity)) * (1 - 1e-12))

    def missing(passed: float) -> float:
        """By how much both clocks are ahead when the memory's reads ``passed``; bounded, since its time is not."""
        time = time_of_clock(memory, passed, diversity) / (1.0 - share)
        return math.atan((passed + 0.5 * share * time - reading) / reading) if math.isfinite(time) else 2.0

    memorised = root(missing, 0.0, last) if missing(last) > 0.0 else last
    return 2.0 * (reading - memorised) / share
