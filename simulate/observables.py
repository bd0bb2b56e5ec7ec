"""What a state (w, β, memory) means for a user: margins, accuracies and losses, all from theory's formulas."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ..theory import icl_accuracy, iwl_accuracy, iwl_loss, population_loss
from ..theory.common.arguments import instance, numbers
from ..theory.common.labels import by_name
from .model import CoupledModel

Array = NDArray[np.float64]


def margins(model: CoupledModel, memory: ArrayLike) -> tuple[Array, Array]:
    """Margins φ (..., quantile) at a memory state, and the weights that average over them; zero without a memory."""
    state = numbers("memory", memory)
    if model.memory is None:
        return np.zeros((*state.shape, 1)), np.ones(1)
    return model.memory.margins(state, model.task.task_diversity)


@by_name
def observables(model: CoupledModel, w: ArrayLike, beta: ArrayLike, memory: ArrayLike) -> dict[str, Array]:
    """ICL and IWL accuracy and loss, c1 and the mean margin of states.

    ICL is tested on novel items with a copy in the context, IWL on training items without: see
    :func:`iclrace.theory.icl_accuracy`, :func:`~iclrace.theory.population_loss`, :func:`~iclrace.theory.iwl_accuracy`
    and :func:`~iclrace.theory.iwl_loss`.

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
    instance("model", model, CoupledModel)
    task = model.task
    w, beta = numbers("w", w), numbers("beta", beta)
    phi, weight = margins(model, memory)
    item = (w[..., None], beta[..., None], task, phi)  # one for each of the memory's margins
    return {
        "icl_accuracy": icl_accuracy(w, beta, task),
        "iwl_accuracy": iwl_accuracy(*item) @ weight,
        "icl_loss": population_loss(w, beta, task, nodes=model.nodes),
        "iwl_loss": iwl_loss(*item, nodes=model.nodes) @ weight,
        "c1": expit(-phi) @ weight,
        "margin": phi @ weight,
    }
