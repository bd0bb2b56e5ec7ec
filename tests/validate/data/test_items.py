"""Items of the user's own: K are learnt, the others are novel, and a network's share does not depend on others."""

import math

import numpy as np
import pytest
import torch

from iclrace.theory import Task
from iclrace.validate import Run, register_items, train
from iclrace.validate.data.sequences import Sequences
from iclrace.validate.training.config import content_key
from iclrace.validate.training.trainer import EnsembleTrainer

ROWS, DIMENSION = 40, 6
ITEMS = np.random.default_rng(0).normal(size=(ROWS, DIMENSION)) / math.sqrt(DIMENSION)
TASK = Task(4, dimension=DIMENSION)


def rows_of(batch, s):
    """Which rows of ITEMS the tokens of network ``s`` are."""
    shown = batch.table.items[s][torch.cat([batch.context[s], batch.target[s][:, None]], 1)].double().numpy()
    distance = np.abs(shown[..., None, :] - ITEMS.astype(np.float32)).max(-1)
    assert distance.min(-1).max() < 1e-6
    return set(distance.argmin(-1).ravel().tolist())


@pytest.mark.parametrize("k", [10, 20, 38])
def test_training_and_novel_items_share_no_row(k):
    sequences = Sequences(TASK, (k, k), (0, 1), 400, items=ITEMS)
    for s in (0, 1):
        trained = rows_of(sequences.batch(0), s) | rows_of(sequences.iwl_test(400), s)
        novel = rows_of(sequences.icl_test(400), s)
        assert len(trained) == k and not trained & novel and len(novel) == ROWS - k
    assert rows_of(sequences.batch(0), 0) != rows_of(sequences.batch(0), 1)


def test_a_network_sees_the_same_items_alone_and_beside_others():
    together, alone = (Sequences(TASK, k, s, 30, items=ITEMS) for k, s in (((10, 20), (0, 1)), ((20,), (1,))))
    for a, b in ((together.batch(3), alone.batch(3)), (together.icl_test(30), alone.icl_test(30))):
        assert torch.equal(a.targets[1], b.targets[0])
    together.select([1])
    assert torch.equal(together.icl_test(30).targets[0], alone.icl_test(30).targets[0])


def test_endless_sequences_draw_from_all_rows_with_fresh_labels():
    sequences = Sequences(TASK, (math.inf,), (0,), 400, items=ITEMS)
    batch = sequences.batch(0)
    assert rows_of(batch, 0) == set(range(ROWS))
    first = batch.targets[0].sum(-1)
    same = (first[:, None] - first).abs() < 1e-6
    labels = batch.target_labels[0]
    agree = (labels[:, None] == labels)[same & ~torch.eye(400, dtype=torch.bool)].double().mean()
    assert 0.4 < float(agree) < 0.6  # an item's label says nothing of its next one
    assert not torch.equal(sequences.batch(1).targets, batch.targets)


@pytest.mark.parametrize("network", ["minimal", "transformer"])
@pytest.mark.parametrize("k", [16, math.inf])
def test_networks_train_on_them_through_the_store(network, k, tmp_path):
    run = Run(network, Task(4, k, DIMENSION), 0, width=8, batch_size=8, budget=1.0, test_size=40, items=ITEMS)
    curves = train([run, run.with_(seed=1)], tmp_path, progress=False)
    assert np.isfinite(curves.icl_accuracy).all()
    plain = run.with_(items=None)
    assert "items" not in plain.as_json() and content_key(plain.as_json()) != content_key(run.as_json())
    other = run.with_(items=register_items("others", -ITEMS))
    assert content_key(other.as_json()) != content_key(run.as_json())
    assert not torch.equal(EnsembleTrainer([run]).icl_test.targets, EnsembleTrainer([plain]).icl_test.targets)


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"items": ITEMS[0]}, "items"),
        ({"items": "nobody's"}, "items"),
        ({"items": np.full((8, DIMENSION), np.nan)}, "items"),
        ({"items": ITEMS, "task_diversity": 40}, "task_diversity"),
        ({"items": ITEMS, "dimension": 7}, "dimension"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes, argument):
    run = Run("minimal", Task(4, 16, DIMENSION), 0)
    with pytest.raises(ValueError, match=f"Argument '{argument}' must"):
        run.with_(**changes)
