"""Order parameters of weights made by hand, and of initial ones."""

import math

import numpy as np
import pytest
import torch

from iclrace.theory import Task
from iclrace.theory.reduced_transformer import ReducedTransformer
from iclrace.validate import Run, RunStore, train
from iclrace.validate.measure.order_parameters import ORDER, READINGS, SEQUENCES, order_parameters
from iclrace.validate.networks import modules
from iclrace.validate.networks.stacked import sequence_tokens
from iclrace.validate.training.store import read_dataset, write_dataset
from iclrace.validate.training.trainer import EnsembleTrainer

D, N = 6, 5


def sequences(size, dimension=D, seed=0):
    """(tokens, labels, target labels): the copy stands first."""
    random = torch.Generator().manual_seed(seed)
    items = torch.randn(size, N, dimension, generator=random, dtype=torch.double) / math.sqrt(dimension)
    labels = torch.randint(2, (size, N), generator=random).double() * 2 - 1
    target = modules.target_tokens(items[:, :1])
    return torch.cat([modules.context_tokens(items, labels), target], 1), labels, labels[:, 0]


def by_hand(slope, reads, match):
    """f(h) = g·h + const in three open layers, V = c u êᵀ, M = match · 1 on items."""
    net = modules.Transformer(D, 8).double()
    d = D + 2
    unit = torch.zeros(d, dtype=torch.double)
    unit[-2], unit[-1] = 1 / math.sqrt(2), -1 / math.sqrt(2)
    diagonal = torch.diag(torch.tensor([1.0] * D + [0.0] * 2, dtype=torch.double))
    with torch.no_grad():
        for value in net.memory.parameters():
            value.zero_()
        net.memory[0].weight[0], net.memory[0].bias[0] = slope, 1e3
        net.memory[2].weight[0, 0] = net.memory[4].weight[0, 0] = 1.0
        net.attention.value.weight.copy_(torch.outer(reads, unit))
        net.attention.key.weight.copy_(math.sqrt(match) * diagonal)
        net.attention.query.weight.copy_(math.sqrt(match) * diagonal)
    return net


def test_weights_made_by_hand():
    d = D + 2
    slope, reads = torch.arange(1.0, d + 1, dtype=torch.double), torch.linspace(-1, 2, d, dtype=torch.double)
    tokens, labels, target = sequences(50)
    measured = order_parameters(by_hand(slope, reads, 0.3), tokens, labels, target)
    s = math.sqrt(d) / 2
    w, value = s * float(slope @ reads), s**2 * float(reads @ reads)
    assert measured["w"] == pytest.approx(w)
    assert measured["w_spread"] == pytest.approx(0.0, abs=1e-9)
    assert measured["value"] == pytest.approx(value)
    assert measured["gain"] == pytest.approx(1 + 2 * w**2 / value)  # W₁: |v|², W₂ and W₃: w² each
    assert measured["beta"] == pytest.approx(d / math.sqrt(2) * 0.3)
    assert measured["item_roughness"] == measured["label_std"] == measured["stored"] == 0.0
    normed = torch.nn.functional.layer_norm(tokens, (d,))
    scores = 0.3 * torch.einsum("bnd,bd->bn", normed[..., :D], normed[:, -1, :D])
    attention = scores.softmax(-1)
    assert measured["own_attention"] == pytest.approx(float(attention[:, -1].mean()))
    assert measured["copy_attention"] == pytest.approx(float(attention[:, 0].mean()))
    assert measured["attended"] == pytest.approx(float(((attention[:, :-1] * labels).sum(1) * target).mean()))


def test_a_label_stored_in_the_scores_is_seen():
    """ê of the keys meets one item component of the target: η = ℓ_T s c x̂_T₀, whose mean is what is stored."""
    net = by_hand(torch.ones(D + 2), torch.ones(D + 2), 0.1)
    with torch.no_grad():
        net.attention.key.weight[0, -2:] += torch.tensor([2.0, -2.0], dtype=torch.double) / math.sqrt(2)
    tokens, labels, _ = sequences(400)
    normed = torch.nn.functional.layer_norm(tokens, (D + 2,))[:, -1, 0]
    target = torch.sign(normed)
    measured = order_parameters(net, tokens, labels, target)
    unit = math.sqrt(D + 2) / 2 * 2.0 * math.sqrt(0.1)
    assert measured["stored"] == pytest.approx(unit * float(normed.abs().mean()), rel=1e-9)
    assert measured["label_std"] == pytest.approx(unit * float(normed.abs().std()), rel=1e-9)


def test_initial_networks_have_what_the_equations_start_from():
    """Means over 30 networks of D = 31: ρ = 1 and |v|² = s²/3 to four standard errors of √(2/33)/√30 = 5 %."""
    tokens, labels, target = sequences(100, 31)
    found = []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(30):
            found.append(order_parameters(modules.Transformer(31, 16).double(), tokens, labels, target))
    mean = {name: sum(one[name] for one in found) / 30 for name in found[0]}
    model = ReducedTransformer(N, 31)
    assert mean["item_roughness"] == pytest.approx(1.0, rel=0.02)
    assert mean["value"] == pytest.approx(model.initial_value, rel=0.2)
    assert mean["label_std"] == pytest.approx(model.label_scale / 3, rel=0.2)
    assert abs(mean["beta"]) < 4 * model.initial_beta_std / math.sqrt(30)


def test_a_deeper_network_is_refused():
    tokens, labels, target = sequences(3)
    with pytest.raises(ValueError, match="Argument 'network' must have one attention layer"):
        order_parameters(modules.Transformer(D, 8, depth=2).double(), tokens, labels, target)
    with pytest.raises(ValueError, match="Argument 'labels' must"):
        order_parameters(modules.Transformer(D, 8).double(), tokens, labels[:, 1:], target)


RUN = Run(
    "transformer", Task(N, 16, D), 0, width=8, learning_rate=0.2, batch_size=16, budget=8.0, evaluate_every=0.2,
    test_size=20,
)  # fmt: skip


@pytest.mark.parametrize("diversity", [16, math.inf])
def test_a_run_stores_what_is_read_off_its_weights(diversity):
    """Readings, 32 at most, are the module's with the stacked weights, on the batch that comes next."""
    run = RUN.with_(task_diversity=diversity)
    trainer = EnsembleTrainer([run, run.with_(seed=1)], dtype=torch.float64)
    expected = []
    for _ in range(5):
        batch = trainer.sequences.batch(trainer.step)
        net = modules.Transformer(D, 8).double()
        net.load_state_dict({name: value[1] for name, value in trainer.parameters.items()})
        tokens, labels, target = sequence_tokens(batch)[1], batch.context_labels[1], batch.target_labels[1]
        expected.append(order_parameters(net, tokens[:SEQUENCES], labels[:SEQUENCES], target[:SEQUENCES]))
        trainer.advance()
    assert trainer.between_readings == 2 and len(trainer.order) == 21 <= READINGS
    stored = trainer.dataset(1)
    for name in ORDER:
        values = stored[f"order_{name}"].values
        assert values[[0, 2, 4]] == pytest.approx([expected[i][name] for i in (0, 2, 4)], rel=1e-9, abs=1e-12), name
        assert np.isnan(values[[1, 3]]).all()
    assert len(set(stored.order_w.values[[0, 2, 4]])) == 3  # training moves it


def test_reading_them_changes_neither_the_training_nor_the_address(monkeypatch):
    whole, without = EnsembleTrainer([RUN]), EnsembleTrainer([RUN])
    without.order = without.order[:0]
    for trainer in (whole, without):
        for _ in range(3):
            trainer.advance()
    for name, value in whole.parameters.items():
        assert torch.equal(without.parameters[name], value)
    assert np.array_equal(whole.metrics, without.metrics, equal_nan=True)
    assert not any("order" in name for name in RUN.as_json())


def test_a_resumed_run_keeps_them():
    whole, first, second = (EnsembleTrainer([RUN, RUN.with_(seed=1)]) for _ in range(3))
    for trainer, advances in ((whole, 5), (first, 3)):
        for _ in range(advances):
            trainer.advance()
    second.restore(first.state())
    for _ in range(2):
        second.advance()
    assert np.array_equal(second.order, whole.order, equal_nan=True) and np.isfinite(whole.order[:3]).all()
    earlier = {name: value for name, value in first.state().items() if name != "order"}
    third = EnsembleTrainer([RUN, RUN.with_(seed=1)])
    third.restore(earlier)
    third.advance()
    assert np.isnan(third.order[:2]).all() and third.step == 4 * RUN.steps_between_evaluations


def test_runs_stored_before_they_were_read_join_those_stored_after(tmp_path):
    runs = [RUN.with_(seed=s) for s in range(2)]
    train(runs, tmp_path, progress=False)
    store = RunStore(tmp_path)
    both = train(runs, tmp_path, progress=False)
    assert np.isfinite(both.order_beta.sel(seed=1)).sum() == 21
    path = store.directory(runs[0]) / "metrics.nc"
    before = read_dataset(path)
    write_dataset(path, before.drop_vars([name for name in before.data_vars if str(name).startswith("order_")]))
    joined = train(runs, tmp_path, progress=False)
    assert "order_beta" not in joined and np.isfinite(joined.icl_accuracy).all()


def test_other_networks_have_none():
    for run in (RUN.with_(depth=2), Run("minimal", Task(N, 16, D), 0, width=8, budget=1.0, test_size=20)):
        trainer = EnsembleTrainer([run])
        trainer.advance()
        assert not len(trainer.order) and not any(str(name).startswith("order_") for name in trainer.dataset(0))
        EnsembleTrainer([run]).restore(trainer.state())
