"""What a state (w, β, memory) means for a user: margins, accuracies and losses, all from theory's formulas."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtr

from ..theory import icl_accuracy, population_loss
from .model import CoupledModel

Array = NDArray[np.float64]


def margins(model: CoupledModel, memory: ArrayLike) -> tuple[Array, Array]:
    """Margins φ (..., quantile) at a memory state, and the weights that average over them; zero without a memory."""
    state = np.asarray(memory, dtype=np.float64)
    if model.memory is None:
        return np.zeros((*state.shape, 1)), np.ones(1)
    return model.memory.margins(state, model.task.task_diversity)


def observables(model: CoupledModel, w: ArrayLike, beta: ArrayLike, memory: ArrayLike) -> dict[str, Array]:
    """ICL and IWL accuracy and loss, c1 and the mean margin of states.

        ICL: novel items, a copy in the context:        u = w a
        IWL: training items, no copy in the context:    u = φ + w n/N,   n ~ N(0, s² N) whatever the training contexts

    Parameters
    ----------
    model : CoupledModel
    w, beta, memory : array_like of one shape
        States; ``memory`` is ignored where the model has none.

    Returns
    -------
    dict of arrays of that shape: icl_accuracy, iwl_accuracy, icl_loss, iwl_loss, c1, margin

    Source: paper, section 2 (the two tests) and section 4 (the reduced model).

    Examples
    --------
    >>> from iclrace.theory import Task
    >>> values = observables(CoupledModel(Task(context_length=100)), 0.0, 0.0, 0.0)
    >>> float(values["icl_accuracy"]), float(values["iwl_accuracy"]), float(values["c1"])
    (0.5, 0.5, 0.5)
    """
    task = model.task
    w, beta = np.asarray(w, dtype=np.float64), np.asarray(beta, dtype=np.float64)
    phi, weight = margins(model, memory)
    # Without a copy the attention is flat on average: N equal shares, and labels of standard deviation s.
    spread = np.abs(w) * task.label_std / np.sqrt(task.context_length)
    with np.errstate(divide="ignore", invalid="ignore"):
        correct = np.where(spread[..., None] > 0.0, ndtr(phi / spread[..., None]), 0.5 * (1.0 + np.sign(phi)))
    x, p = np.polynomial.hermite_e.hermegauss(model.nodes)
    logits = phi[..., None] + spread[..., None, None] * x
    return {
        "icl_accuracy": icl_accuracy(w, beta, task),
        "iwl_accuracy": correct @ weight,
        "icl_loss": population_loss(w, beta, task, nodes=model.nodes),
        "iwl_loss": (np.logaddexp(0.0, -logits) @ (p / p.sum())) @ weight,
        "c1": expit(-phi) @ weight,
        "margin": phi @ weight,
    }
