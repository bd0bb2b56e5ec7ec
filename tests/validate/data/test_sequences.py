"""Sequences: what a network sees is a function of its own seed and the step alone, and has the task's statistics."""

import math

import pytest
import torch
from scipy import stats

from iclrace.theory import Task
from iclrace.validate.data.sequences import Sequences

TASK = Task(context_length=10, dimension=7)


def make(task=TASK, k=(16, 40, 16), seeds=(0, 1, 2), size=200, **settings):
    return Sequences(task, k, seeds, size, **settings)


@pytest.mark.parametrize("k", [(16, 40, 16), (math.inf,) * 3])
def test_a_batch_is_a_pure_function_of_seed_and_step(k):
    together, again = make(k=k), make(k=k)
    together.batch(0)  # another step before must not matter
    first, second = together.batch(5), again.batch(5)
    assert torch.equal(first.context, second.context)
    assert torch.equal(first.target_labels, second.target_labels)
    assert torch.equal(first.table.items, second.table.items)
    assert not torch.equal(first.table.items[0] if math.isinf(k[0]) else first.context[0], together.batch(6).context[0])


@pytest.mark.parametrize("k", [(16, 40, 16), (math.inf,) * 3])
def test_a_network_sees_the_same_whatever_stands_beside_it(k):
    together, alone = make(k=k).batch(3), make(k=k[1:2], seeds=(1,)).batch(3)
    for batch in (together, alone):
        assert batch.context.shape[1:] == (200, 10)
    tokens = [batch.table.rows(batch.table.items, batch.context) for batch in (together, alone)]
    assert torch.equal(tokens[0][1], tokens[1][0])
    assert torch.equal(together.context_labels[1], alone.context_labels[0])


@pytest.mark.parametrize("labels", ["iid", "balanced"])
@pytest.mark.parametrize("k", [(16, 40), (math.inf, math.inf)])
def test_the_target_stands_in_the_context(labels, k):
    task = Task(context_length=10, dimension=7, labels=labels, copies=3)
    sequences = make(task, k=k, seeds=(0, 1))
    for batch in (sequences.batch(0), sequences.icl_test(200)):
        copies = (batch.context == batch.target[..., None]).sum(-1)
        assert (copies >= 3).all()
        assert (copies.float().mean() - 3) < 10 / 16 + 0.2  # the mean number of chance copies is (N − m)/K


def test_the_iwl_test_has_no_copy():
    sequences = make()
    batch = sequences.iwl_test(500)
    assert not (batch.context == batch.target[..., None]).any()
    assert batch.table is sequences.table


def test_balanced_contexts_hold_each_label_half_the_time():
    for k in ((16,), (math.inf,)):
        batch = make(Task(context_length=10, dimension=7, labels="balanced"), k=k, seeds=(0,)).batch(0)
        assert (batch.context_labels.sum(-1) == 0).all()


def test_iid_labels_have_the_binomial_spread():
    labels = make(k=(math.inf,), seeds=(0,), size=4000).batch(0).context_labels[0]
    positive = ((labels.sum(-1) + 10) / 2).int().numpy()
    expected = stats.binom(10, 0.5).pmf(range(11)) * 4000
    observed = [(positive == i).sum() for i in range(11)]
    assert stats.chisquare(observed, expected).pvalue > 1e-3
    # Negative control: the same test refuses labels that are not fair.
    assert stats.chisquare(observed, stats.binom(10, 0.55).pmf(range(11)) * 4000).pvalue < 1e-6


def test_items_are_drawn_by_their_frequency():
    batch = make(k=(20,), seeds=(0,), size=5000, frequency_exponent=1.0).batch(0)
    observed = torch.bincount(batch.context.flatten(), minlength=20).double()
    weights = torch.arange(1, 21).double().reciprocal()
    expected = weights / weights.sum() * observed.sum()
    # The copy makes no extra draw: the target is one of the drawn items.
    assert stats.chisquare(observed.numpy(), expected.numpy()).pvalue > 1e-3
    assert stats.chisquare(observed.numpy(), [float(observed.mean())] * 20).pvalue < 1e-6


def test_half_of_the_items_have_each_label_and_norm_about_one():
    table = make(k=(1000,), seeds=(0,)).table
    assert float(table.labels.sum()) == 0
    # |x|² has mean 1 and variance 2/D: over 1000 items the mean is within 4·sqrt(2/(7·1000)) = 0.07.
    assert abs(float(table.items.square().sum(-1).mean()) - 1) < 0.07


@pytest.mark.parametrize("k", [(16, 40), (math.inf, math.inf)])
def test_within_class_noise_makes_the_copy_another_exemplar(k):
    noise, task = 0.7, Task(context_length=6, dimension=200)
    clean, noisy = (make(task, k=k, seeds=(0, 1), size=50, noise=e) for e in (0.0, noise))
    for batch in (noisy.batch(2), noisy.icl_test(50)):
        copy, target = (batch.table.rows(batch.table.items, i) for i in (batch.context[..., 0], batch.target))
        # Items of length 1 before and after; two exemplars of a class overlap by 1/(1 + ε²); spread 1/√D, 100 of them.
        assert float(target.square().sum(-1).mean()) == pytest.approx(1, abs=5 * (2 / 200 / 100) ** 0.5)
        assert float((copy * target).sum(-1).mean()) == pytest.approx(1 / 1.49, abs=5 * (1 / 200 / 100) ** 0.5)
    assert torch.equal(noisy.batch(2).context_labels, clean.batch(2).context_labels)
    assert torch.equal(noisy.batch(2).table.items, noisy.batch(2).table.items)
    alone = make(task, k=k[1:], seeds=(1,), size=50, noise=noise).batch(2)
    assert torch.equal(noisy.batch(2).table.items[1], alone.table.items[0])


def test_shuffling_gives_the_copy_every_place_alike_and_changes_nothing_else():
    plain, shuffled = (
        make(k=(math.inf,), seeds=(0,), size=4000),
        make(k=(math.inf,), seeds=(0,), size=4000, shuffled=True),
    )
    before, after = plain.batch(1), shuffled.batch(1)
    assert torch.equal(before.context.sort(-1).values, after.context.sort(-1).values)
    places = (after.context == after.target[..., None]).float().argmax(-1).flatten()
    assert stats.chisquare(torch.bincount(places, minlength=10).numpy()).pvalue > 1e-3
    # Negative control: without shuffling the copy stands first.
    assert int((before.context == before.target[..., None]).float().argmax(-1).max()) == 0


@pytest.mark.parametrize("k", [(15,), (16, math.inf)])
def test_impossible_diversities_are_refused(k):
    with pytest.raises(ValueError, match="task_diversity"):
        make(k=k, seeds=range(len(k)))


@pytest.mark.parametrize("copies", [1, 3])
def test_a_share_of_the_sequences_is_fresh_and_the_others_are_what_they_were(copies):
    task = Task(context_length=10, dimension=7, copies=copies)
    plain, mixed = make(task, size=30), make(task, size=30, fresh_share=0.15)
    known, counts = plain.table.items, []
    for step in range(4):
        batch, same = mixed.batch(step), plain.batch(step)
        shown = batch.table.rows(batch.table.items, batch.context)
        familiar = (shown[:, :, :, None] == known[:, None, None]).all(-1).any(-1)  # (S, B, N)
        assert torch.equal(familiar.any(-1), familiar.all(-1))  # a sequence is wholly of one kind
        fresh = int((~familiar.all(-1)).sum(1).unique())  # as many for every network
        counts.append(fresh)
        kept = 30 - fresh
        assert familiar[:, :kept].all()
        before = same.first(kept)
        assert torch.equal(shown[:, :kept], same.table.rows(known, before.context))
        assert torch.equal(batch.context_labels[:, :kept], before.context_labels)
        assert torch.equal(batch.target_labels[:, :kept], before.target_labels)
        own = shown[..., :1, :].expand_as(shown[..., :copies, :])
        assert torch.equal(shown[..., :copies, :], own) and torch.equal(batch.targets, own[..., 0, :])
        assert torch.equal(batch.target_labels, batch.context_labels[..., 0])
    assert counts == [4, 5, 4, 5]  # 4.5 a step on average
    labels = torch.cat([mixed.batch(step).target_labels[:, -4:] for step in range(200)], 1)
    assert stats.binomtest(int((labels == 1).sum()), labels.numel()).pvalue > 1e-4


def test_fresh_sequences_differ_from_step_to_step_and_do_not_depend_on_the_company():
    mixed, alone = make(fresh_share=0.5), make(k=(40,), seeds=(1,), fresh_share=0.5)
    one, other = (batch.table.rows(batch.table.items, batch.context) for batch in (mixed.batch(2), alone.batch(2)))
    assert torch.equal(one[1], other[0])
    assert not torch.isin(mixed.batch(3).table.items[0][1000:, 0], mixed.batch(2).table.items[0][1000:, 0]).any()
