"""Other explanations of the same runs: what each predicts for a condition that it has not seen, and how well.

found = compare(conditions("results/coupling"), [*stated(...), *RIVALS["K*"]])
found.rows()                                   one row a predictor; `iclrace rivals results/coupling` prints them
"""

from .accuracy import AccuracyComparison, accuracy_from, compare_accuracy, final_accuracies
from .conditions import FEWEST, Condition, Known, conditions, conditions_of
from .coopetition import Coopetition
from .crossing import Crossing
from .laws import PowerLaw, Stated
from .predictors import RIVALS, Rival, predictors, rival_named
from .score import Comparison, compare, interval_score

__all__ = [
    "FEWEST",
    "RIVALS",
    "AccuracyComparison",
    "Comparison",
    "Condition",
    "Coopetition",
    "Crossing",
    "Known",
    "PowerLaw",
    "Rival",
    "Stated",
    "accuracy_from",
    "compare",
    "compare_accuracy",
    "conditions",
    "conditions_of",
    "final_accuracies",
    "interval_score",
    "predictors",
    "rival_named",
]
