"""K → ∞: the counter-based generator, and overlaps drawn in place of the items that they belong to."""

import math
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats

from iclrace.theory import Task
from iclrace.validate import Run
from iclrace.validate.data.batches import OverlapBatch
from iclrace.validate.data.endless import Endless
from iclrace.validate.data.philox import normals, turn
from iclrace.validate.data.sequences import Sequences
from iclrace.validate.training.config import content_key

KEYS = np.array([12345, 2**63 + 7], np.uint64)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((2**32 - 1,) * 4, 2**64 - 1, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            0x299F31D0A4093822,
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_words_are_the_published_ones(counter, key, words):
    """Known answers of philox4x32-10 from the authors' Random123 library."""
    out = np.empty((4, 64), np.uint32)
    block, *rest = (np.uint64(word) for word in counter)
    turn(np.uint64(key), *rest, block, out)
    assert " ".join(f"{word:08x}" for word in out[:, 0]) == words


def test_normals_are_normal_and_those_of_other_places_independent():
    draws = normals(KEYS, 3, 0, 100, 1000, 1.0)
    for network in draws.astype(np.float64):
        assert stats.kstest(network.ravel(), "norm").pvalue > 1e-3
    # Negative control: a scale 3 % too large moves the distribution by 0.007; at n = 2e5 1e-3 is at 0.0044.
    assert stats.kstest(1.03 * draws.ravel().astype(np.float64), "norm").pvalue < 1e-3
    others = [
        normals(KEYS, 4, 0, 100, 1000, 1.0),
        normals(KEYS, 3, 1, 100, 1000, 1.0),
        draws[::-1],
        np.roll(draws, 1, 1),
        np.roll(draws, 1, 2),
    ]
    for other in others:
        # 2e5 products of independent normals: mean 0, standard deviation 1/√2e5; squares likewise, times 2.
        assert abs((draws * other).mean()) < 4 / math.sqrt(draws.size)
        assert abs(((draws**2 - 1) * (other**2 - 1)).mean()) < 8 / math.sqrt(draws.size)


def test_tails_reach_as_far_as_normal_ones():
    draws = np.abs(normals(KEYS, 0, 0, 1000, 2000, 1.0)).ravel()
    for level in (3.0, 4.0, 4.5):
        expected = 2 * stats.norm.sf(level) * draws.size
        assert stats.poisson.cdf((draws > level).sum(), expected) > 1e-3
        assert stats.poisson.sf((draws > level).sum() - 1, expected) > 1e-3


def test_a_number_depends_on_its_own_place_alone():
    whole = normals(KEYS, 5, 2, 7, 700, 0.5)
    assert np.array_equal(normals(KEYS[1:], 5, 2, 3, 333, 0.5)[0], whole[1, :3, :333])


CASES = [
    {"labels": "iid"},
    {"labels": "balanced"},
    {"labels": "iid", "copies": 3},
]


def batches(task, noise, seed):
    """Sequences with their items, and with overlaps alone, from other seeds."""
    for s, alone in ((seed, False), (seed + 1, True)):
        yield Sequences(task, [math.inf], [s], 12_000, noise=noise, overlaps_alone=alone).batch(0)


@pytest.mark.parametrize("noise", [0.0, 0.7])
@pytest.mark.parametrize("case", CASES)
def test_overlaps_drawn_alone_have_the_law_of_overlaps_of_items(case, noise):
    task = Task(context_length=8, dimension=5, **case)
    full, alone = batches(task, noise, seed=10)
    assert isinstance(alone, OverlapBatch)
    context = full.table.rows(full.table.items, full.context)
    overlaps = torch.einsum("sbnd,sbd->sbn", context, full.targets)
    copies = task.copies

    def readings(overlaps, targets, context_labels, target_labels):
        square = targets.square().sum(-1)
        signed = context_labels * target_labels[..., None]
        yield "|x_T|²", square
        for name, place in (("copy", 0), ("last copy", copies - 1), ("other", copies), ("another", -1)):
            yield name, overlaps[..., place]
            yield f"{name}, long targets", overlaps[..., place][square > 1.5]
        yield "two of a class", overlaps[..., 0] * overlaps[..., copies - 1]
        yield "two others", overlaps[..., copies] * overlaps[..., -1]
        yield "what the circuit answers", (torch.softmax(2 * overlaps, -1) * signed).sum(-1)

    mine = readings(alone.overlaps, alone.targets, alone.context_labels, alone.target_labels)
    theirs = readings(overlaps, full.targets, full.context_labels, full.target_labels)
    for (name, drawn), (_, exact) in zip(mine, theirs, strict=True):
        # 6 cases × 12 readings, seeded: the smallest of 72 p-values is above 1e-4 with probability 0.993.
        assert stats.ks_2samp(drawn.flatten(), exact.flatten()).pvalue > 1e-4, name
    # Negative control: overlaps with a variance of 1/D for long targets too. Their width is 1.4 times that, which
    # moves the distribution by 0.08; the tenth of 12,000 sequences or more that has such targets sees 0.06 at 1e-4.
    lengths = alone.targets.square().sum(-1).sqrt()
    wrong = (alone.overlaps[..., -1] / lengths)[lengths > 1.5**0.5]
    exact = overlaps[..., -1][full.targets.square().sum(-1) > 1.5]
    assert stats.ks_2samp(wrong, exact).pvalue < 1e-4


def test_the_batch_is_a_function_of_seed_and_step_whatever_stands_beside_it():
    def make(*seeds):
        return Sequences(Task(6, dimension=5), [math.inf] * len(seeds), seeds, 10, overlaps_alone=True)

    together, alone = make(3, 4), make(4)
    together.batch(0)
    for name in ("targets", "target_labels", "overlaps", "context_labels"):
        assert torch.equal(getattr(together.batch(2), name)[1], getattr(alone.batch(2), name)[0])
        assert not torch.equal(getattr(alone.batch(2), name), getattr(alone.batch(3), name))
    together.select([1])
    assert torch.equal(together.batch(2).overlaps, alone.batch(2).overlaps)


def test_only_endless_runs_have_the_new_streams_address():
    run = Run("minimal", Task(context_length=6, task_diversity=16, dimension=5), 0)
    assert "stream" not in run.as_json()
    assert run.with_(task_diversity=math.inf).as_json()["stream"] == "philox"
    assert content_key(run.as_json()) == "039b46628a44baee9ca9"


@pytest.mark.parametrize("alone", [True, False])
def test_any_device_is_shown_the_same_sequences(alone):
    """The CPU's own kernels and the operations that every device has: the same words, other roundings."""
    task = Task(6, dimension=15)
    make = partial(Endless, task, batch_size=40, noise=0.0, overlaps_alone=alone, device=torch.device("cpu"))
    here, there = (make([3, 4], dtype=torch.float32, portable=portable) for portable in (False, True))
    mine, theirs = here.batch(7), there.batch(torch.tensor(7))
    assert torch.equal(mine.context_labels, theirs.context_labels)
    assert torch.equal(mine.target_labels, theirs.target_labels)
    # |x| < 6.8/√15 = 1.8; a few roundings of the radius and of the angle's functions, 2⁻²⁴ each
    assert float((mine.targets - theirs.targets).abs().max()) < 1.8 * 8 * 2**-24
    if isinstance(mine, OverlapBatch) and isinstance(theirs, OverlapBatch):
        assert torch.allclose(mine.overlaps, theirs.overlaps, rtol=0, atol=1e-5)
    assert torch.equal(there.select([4]).batch(7).targets[0], theirs.targets[1])
    assert not torch.equal(there.batch(8).targets, theirs.targets)


def with_two_threads(code):
    """What ``code`` prints in a process whose compiled loops may take two threads, however many these tests have."""
    environment = os.environ | {"NUMBA_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.split()


@pytest.mark.slow
def test_small_work_keeps_to_one_thread_though_the_kernels_start_their_own():
    code = (
        "import torch; from iclrace.validate.networks import kernels as k\n"
        "from iclrace.validate.networks.computation import threads_for\n"
        "torch.set_num_threads(2)\n"
        "with threads_for(1):\n    k.set_threads_for(1); k.row_moments(torch.zeros(2, 16).numpy(), 15, 1e-5)\n"
        "    print(torch.get_num_threads())\n"
        "print(torch.get_num_threads())"
    )
    assert with_two_threads(code) == ["1", "2"]


@pytest.mark.slow
def test_bits_of_trained_networks_do_not_depend_on_the_threads_of_the_kernels():
    code = (
        "import math, hashlib, numba; from iclrace.theory import Task; from iclrace.validate import Run\n"
        "from iclrace.validate.networks import kernels\n"
        "from iclrace.validate.training.trainer import EnsembleTrainer\n"
        "for k in (64, math.inf):\n"
        "    for least in (0, 2**62):\n"
        "        kernels._WORK_WORTH_THREADS = least\n"
        "        run = Run('transformer', Task(8, k, 7), 0, width=16, batch_size=32, test_size=50)\n"
        "        trainer = EnsembleTrainer([run, run.with_(seed=1)])\n"
        "        for _ in range(5): trainer._train_step()\n"
        "        content = b''.join(value.numpy().tobytes() for value in trainer.parameters.values())\n"
        "        print(numba.get_num_threads(), hashlib.sha256(content).hexdigest())"
    )
    said = with_two_threads(code)
    threads, bits = said[::2], said[1::2]
    assert threads == ["2", "1", "2", "1"]
    assert bits[0] == bits[1] != bits[2] == bits[3]
