"""A rival in one file: context length acts by its cube, and nothing else does."""

from statistics import median

from iclrace.theory import Estimate


class Cubic:
    name = "cube of N"
    sees = ()  # no calibration run
    fitted = 1

    def predict(self, here, others):
        """K* = C N³: C and its interval are the median and the extremes of the other conditions' K*/N³."""
        factors = [other.measured.value / other.condition.value("context_length") ** 3 for other in others]
        if len(factors) < 2:
            return None
        fitted = Estimate(median(factors), min(factors), max(factors))
        return fitted.scaled(here.value("context_length") ** 3)


rival = Cubic()
