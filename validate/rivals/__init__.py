"""Other explanations of the same runs: what each says of a condition that it has not seen, and how good that is.

found = compare(conditions("results/coupling"), [*stated(...), *RIVALS["K*"]])
found.rows()                                   one row a predictor; `iclrace rivals results/coupling` prints them
"""

from .conditions import FEWEST, Condition, Known, conditions, conditions_of
from .coopetition import Coopetition
from .crossing import Crossing
from .laws import PowerLaw, Stated
from .predictors import RIVALS, Rival, predictors, rival_named
from .score import Comparison, compare, interval_score

__all__ = [
    "FEWEST",
    "RIVALS",
    "Comparison",
    "Condition",
    "Coopetition",
    "Crossing",
    "Known",
    "PowerLaw",
    "Rival",
    "Stated",
    "compare",
    "conditions",
    "conditions_of",
    "interval_score",
    "predictors",
    "rival_named",
]
