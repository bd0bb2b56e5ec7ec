"""When ICL is acquired below K*, where a share of the training sequences has fresh items."""

import math

from .._arguments import number, require
from .._numerics.roots import root
from ..memory.law import PowerLawMemory
from ..memory.measured import MeasuredMemory
from .race import time_of_clock


def fresh_share_time(
    memory: PowerLawMemory | MeasuredMemory, clock: float, task_diversity: float, fresh_share: float
) -> float:
    """t_ICL at a share f of fresh sequences: I_K((1 − f) t) + f t/2 = I*.

    Nothing can be memorised of a fresh item, so that ⟨σ(−φ)⟩ = 1/2 on it, and the memory learns from the others alone,
    1 − f times as fast. Hence no K* without a budget. The time falls from t_ICL(K → ∞)/f at small K, where the memory
    is done at once, to t_ICL(K → ∞) = 2 I*.

    Parameters
    ----------
    memory : PowerLawMemory or MeasuredMemory
        Of the perceptron alone, I_K.
    clock : float, I* >= 0
        Its reading at acquisition (:func:`clock_at_acquisition`).
    task_diversity : float, K >= 1
    fresh_share : float, f in [0, 1)

    Returns
    -------
    float, gradient-flow time; ``inf`` at f = 0 for K <= K*

    Raises
    ------
    ValueError
        If an argument is out of range.

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
    if share == 0.0 or reading == 0.0 or math.isinf(reading):
        return time_of_clock(memory, clock, task_diversity)
    last = min(reading, float(memory.total_clock(task_diversity)) * (1 - 1e-12))

    def missing(passed: float) -> float:
        """By how much both clocks are ahead when the memory's reads ``passed``; bounded, since its time is not."""
        time = time_of_clock(memory, passed, task_diversity) / (1.0 - share)
        return math.atan((passed + 0.5 * share * time - reading) / reading) if math.isfinite(time) else 2.0

    found = root(missing, 0.0, last) if missing(last) > 0.0 else last
    return 2.0 * (reading - found) / share
