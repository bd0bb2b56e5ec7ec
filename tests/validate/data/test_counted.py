"""Numbers from counters by PyTorch's operations are those of the compiled kernels."""

import numpy as np
import pytest
import torch
from scipy import stats

from iclrace.theory import Task
from iclrace.validate.data import counted, philox
from iclrace.validate.data.sequences import Sequences

KEYS = np.array([12345, 2**63 + 7, 2**64 - 1], np.uint64)
CPU = torch.device("cpu")


@pytest.mark.parametrize(("stream", "step"), [(0, 0), (5, 3), (2**32 - 1, 2**32 - 1)])
def test_words_are_those_of_the_kernel_bit_for_bit(stream, step):
    drawn = torch.stack(counted.words(counted.keys_on(KEYS, CPU), step, stream, 3, 100)).numpy()
    out = np.empty((4, 100), np.uint32)
    for s, key in enumerate(KEYS):
        for q in range(3):
            philox.turn(key, np.uint64(q), np.uint64(stream), np.uint64(step), np.uint64(0), out)
            assert np.array_equal(drawn[:, s, q], out)


def test_normals_are_those_of_the_kernel_up_to_rounding():
    """A radius below 6.8 and an angle's function are each rounded a few times, by 2⁻²⁴."""
    mine = counted.normals(counted.keys_on(KEYS, CPU), torch.tensor(4), 1, 7, 700, 0.5)
    theirs = philox.normals(KEYS, 4, 1, 7, 700, 0.5)
    assert np.abs(mine.numpy() - theirs).max() < 0.5 * 6.8 * 8 * 2**-24
    other = counted.normals(counted.keys_on(KEYS, CPU), torch.tensor(5), 1, 7, 700, 0.5)
    assert np.abs(other.numpy() - theirs).max() > 1.0


def test_uniforms_are_uniform_and_a_number_depends_on_its_own_place_alone():
    keys = counted.keys_on(KEYS, CPU)
    drawn = counted.uniforms(keys, 0, 0, 50, 1001)
    assert float(drawn.min()) > 0.0 and float(drawn.max()) < 1.0
    for one in drawn:
        assert stats.kstest(one.flatten(), "uniform").pvalue > 1e-3
    assert torch.equal(counted.uniforms(keys[1:], 0, 0, 3, 33)[0], drawn[1, :3, :33])


@pytest.mark.parametrize(
    "settings",
    [{}, {"scrambled": True}, {"shuffled": True}, {"noise": 0.5}, {"frequency_exponent": 1.0}, {"fresh_share": 0.4}],
    ids=lambda settings: next(iter(settings), "plain"),
)
def test_batches_drawn_for_any_device_have_the_law_of_the_cpus(settings):
    """Items and test sets are the same; training batches are others, of the same law."""
    task, size = Task(6, dimension=5), 4000
    make = [Sequences(task, [16, 8], [1, 2], size, portable=portable, **settings) for portable in (False, True)]
    tests = [(one.icl_test(50), one.iwl_test(50)) for one in make]
    for mine, theirs in zip(*tests, strict=True):
        assert torch.equal(mine.targets, theirs.targets) and torch.equal(mine.context_labels, theirs.context_labels)
    mine, theirs = make[0].batch(4), make[1].batch(torch.tensor(4))
    assert torch.equal(theirs.targets, make[1].batch(4).targets)
    assert not torch.equal(mine.targets, theirs.targets)
    for s in range(2):
        for read in (_labels, _overlaps, _first_items):
            assert stats.ks_2samp(read(mine)[s], read(theirs)[s]).pvalue > 1e-3, read.__name__
    # Negative control: the context without its copy.
    assert stats.ks_2samp(_overlaps(mine)[0], _overlaps(theirs, first=1)[0]).pvalue < 1e-3 or settings.get("shuffled")


def _context(batch):
    return batch.table.rows(batch.table.items, batch.context)


def _labels(batch):
    return (batch.context_labels * batch.target_labels[..., None]).sum(-1)


def _overlaps(batch, first=0):
    return torch.einsum("sbnd,sbd->sbn", _context(batch), batch.targets)[..., first:].max(-1).values


def _first_items(batch):
    return _context(batch)[..., 0, 0]
