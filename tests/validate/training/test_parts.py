"""Networks trained side by side: the bits of networks trained in step, and what becomes of threads and errors."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numba
import pytest
import torch

from iclrace.theory import Task
from iclrace.validate import Run
from iclrace.validate.networks import kernels
from iclrace.validate.networks.bfloat16 import is_supported
from iclrace.validate.training import parts
from iclrace.validate.training.trainer import EnsembleTrainer

RUN = Run("transformer", Task(8, 64, 7), 0, width=16, learning_rate=0.1, batch_size=32, test_size=20)
SETTINGS = {
    "transformer": RUN,
    "endless": RUN.with_(task_diversity=math.inf),
    "minimal": replace(RUN, network="minimal"),
    "endless minimal": replace(RUN.with_(task_diversity=math.inf), network="minimal"),
    "decay": replace(RUN, decay_attention=0.05, decay_memory=0.01),
    "noise": replace(RUN, noise=0.5),
    "fresh": replace(RUN, fresh_share=0.3),
    "frequencies": replace(RUN, frequency_exponent=1.0),
    "scrambled": replace(RUN, scrambled=True),
}
if is_supported():
    SETTINGS |= {
        "bf16": replace(RUN, precision="bf16"),
        "endless minimal bf16": replace(SETTINGS["endless minimal"], precision="bf16"),
    }


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    kernels.launch()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def trainer_of(run: Run, networks: int) -> EnsembleTrainer:
    """Of networks that differ in K, too, where it is finite."""
    k = run.task.task_diversity
    return EnsembleTrainer([run.with_(task_diversity=k / (1 + seed % 2), seed=seed) for seed in range(networks)])


@pytest.mark.parametrize("setting", SETTINGS)
def test_side_by_side_networks_have_the_bits_of_networks_in_step(setting):
    """With an odd number of networks, and from a step that is not the first."""
    together, alone = (trainer_of(SETTINGS[setting], 5) for _ in range(2))
    together.train(4)
    together.train(5)
    for _ in range(9):
        alone._train_step()
    assert together.step == alone.step == 9
    assert torch.equal(together.loss_sum, alone.loss_sum)
    for name, value in alone.parameters.items():
        assert torch.equal(together.parameters[name], value), name


@pytest.mark.parametrize("setting", ["transformer", "endless"])
def test_parts_are_views_of_the_whole_and_its_table_is_prepared_once(setting):
    trainer = trainer_of(SETTINGS[setting], 4)
    first, second = parts.divided(trainer._whole)
    assert [part.places.tolist() for part in (first, second)] == [[0, 1], [2, 3]]
    for name, value in trainer.parameters.items():
        assert second.parameters[name].data_ptr() == value[2].data_ptr()
    if not trainer.sequences.fresh:
        table = trainer.sequences.table
        for name in ("rows", "moments"):
            assert second.sequences.table.derived[name].data_ptr() == table.derived[name][2].data_ptr()
    assert first.sequences.draws.generator is not second.sequences.draws.generator


def test_a_part_holds_two_networks_at_least_and_other_steps_are_taken_in_step(monkeypatch):
    assert len(parts.divided(trainer_of(RUN, 4)._whole)) == 2
    assert not parts.divided(trainer_of(RUN, 3)._whole)
    assert not parts.divided(trainer_of(replace(RUN, optimiser="adam"), 4)._whole)
    assert not parts.divided(trainer_of(replace(RUN, depth=2), 4)._whole)
    torch.set_num_threads(1)
    assert not parts.divided(trainer_of(RUN, 4)._whole)
    torch.set_num_threads(2)
    monkeypatch.setattr(kernels, "threading_layer", lambda: "workqueue")  # ends the process if two threads call it
    assert not parts.divided(trainer_of(RUN, 4)._whole)


def test_every_part_keeps_to_one_thread_and_the_caller_keeps_its_own(monkeypatch):
    seen, every = [], numba.get_num_threads()
    forward = kernels.attend_forward

    def watched(*arguments):
        seen.append((torch.get_num_threads(), numba.get_num_threads()))
        return forward(*arguments)

    monkeypatch.setattr(kernels, "_WORK_WORTH_THREADS", 0)
    monkeypatch.setattr(kernels, "attend_forward", watched)
    trainer = trainer_of(RUN, 4)
    trainer.train(2)
    assert seen == [(1, 1)] * 4
    assert torch.get_num_threads() == 2
    trainer._train_step()
    assert seen[-1] == (2, every)


def test_an_error_in_one_part_reaches_the_caller_whose_threads_are_given_back(monkeypatch):
    take = parts.Part.take

    def failing(self, step):
        if self.places[0] == 2 and step == 1:
            raise MemoryError("no more")
        take(self, step)

    monkeypatch.setattr(parts.Part, "take", failing)
    with pytest.raises(MemoryError, match="no more"):
        trainer_of(RUN, 4).train(3)
    assert torch.get_num_threads() == 2


def test_a_step_follows_the_parameters_that_the_trainer_holds_now():
    """A step is made once for a set of parameters; other ones, as after a restored checkpoint, get one of their own."""
    trainer, moved = (trainer_of(RUN, 2) for _ in range(2))
    trainer._train_step()
    whole = trainer._whole
    assert trainer._whole is whole
    trainer.parameters = {name: value.clone() for name, value in moved.parameters.items()}
    trainer.loss_sum.zero_()
    trainer.step = 0
    for each in (trainer, moved):
        each._train_step()
    assert trainer._whole is not whole
    assert torch.equal(trainer.loss_sum, moved.loss_sum)
    for name, value in moved.parameters.items():
        assert torch.equal(trainer.parameters[name], value), name
