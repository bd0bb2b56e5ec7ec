"""Scrambled context labels and scaled initial attention: what the audits of the transformer's circuits rest on."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from iclrace.theory import Task
from iclrace.validate import Run, train
from iclrace.validate.data.sequences import Sequences
from iclrace.validate.training.config import content_key
from iclrace.validate.training.trainer import EnsembleTrainer

RUN = Run("transformer", Task(6, 32, 9), 0, width=16, learning_rate=0.2, batch_size=16, budget=4.0, test_size=50)


def test_scrambled_context_labels_are_coins_and_nothing_else_changes():
    task, k, seeds = Task(context_length=10, dimension=7), (16, 40), (0, 1)
    plain, scrambled = (Sequences(task, k, seeds, 400, scrambled=on) for on in (False, True))
    for mine, theirs in ((plain.batch(3), scrambled.batch(3)), (plain.iwl_test(400), scrambled.iwl_test(400))):
        items = [b.table.rows(b.table.items, b.context) for b in (mine, theirs)]
        assert torch.equal(*items)
        assert torch.equal(mine.target, theirs.target)
        assert torch.equal(mine.target_labels, theirs.target_labels)
        same = int((mine.context_labels == theirs.context_labels).sum())
        assert stats.binomtest(same, mine.context.numel()).pvalue > 1e-3
    # The copy says nothing about the target any more; unscrambled it says everything.
    copies = [
        (b.context_labels[..., 0] == b.target_labels).double().mean() for b in (plain.batch(3), scrambled.batch(3))
    ]
    assert copies[0] == 1
    assert stats.binomtest(round(float(copies[1]) * 800), 800).pvalue > 1e-3
    # The ICL test is the ordinary one, so that it shows whether anything was learnt from the context.
    assert torch.equal(plain.icl_test(50).context_labels, scrambled.icl_test(50).context_labels)


def test_a_network_sees_the_same_scrambled_labels_whatever_stands_beside_it():
    task = Task(context_length=10, dimension=7)
    together = Sequences(task, (16, 40), (0, 1), 50, scrambled=True).batch(2)
    alone = Sequences(task, (16,), (0,), 50, scrambled=True).batch(2)
    assert torch.equal(together.context_labels[0], alone.context_labels[0])


def test_the_attention_scale_multiplies_the_first_query_and_key_alone():
    plain, scaled = (EnsembleTrainer([RUN.with_(attention_scale=scale)]) for scale in (1.0, 0.5))
    for name, value in plain.parameters.items():
        factor = 0.5 if name in ("attention.query.weight", "attention.key.weight") else 1.0
        assert torch.equal(scaled.parameters[name], factor * value)


def test_new_fields_leave_old_addresses_alone_and_refuse_what_makes_no_sense():
    assert {"attention_scale", "scrambled"}.isdisjoint(RUN.as_json())
    keys = {content_key(run.as_json()) for run in (RUN, RUN.with_(scrambled=True), RUN.with_(attention_scale=0.5))}
    assert len(keys) == 3
    for wrong in ({"scrambled": True, "task_diversity": math.inf}, {"attention_scale": 0.0}):
        with pytest.raises(ValueError, match=f"Argument '{next(iter(wrong))}' must"):
            RUN.with_(**wrong)
    with pytest.raises(ValueError, match="attention_scale"):
        RUN.with_(network="minimal", attention_scale=0.5)


def test_scrambled_and_plain_runs_train_together_through_the_store(tmp_path):
    runs = [RUN, RUN.with_(scrambled=True), RUN.with_(scrambled=True, task_diversity=16)]
    metrics = train(runs[1:], tmp_path, progress=False)
    assert np.isfinite(metrics.c1).all()
    assert len(EnsembleTrainer(runs[1:]).sequences.sizes) == 2
