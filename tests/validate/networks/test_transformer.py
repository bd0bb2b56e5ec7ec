"""The transformer is the paper's, held to a reference that shares no code with it: x = LayerNorm(tokens), once.

After that everything reads the normed tokens, the residual too. The network that adds the attention to the raw target
instead is built here as well, and must be told apart by every check.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from iclrace.theory import Task
from iclrace.validate import MemoryTraining, Run
from iclrace.validate.data.seeds import Purpose, derive_seed
from iclrace.validate.data.sequences import Sequences
from iclrace.validate.networks.fused import FusedTransformer
from iclrace.validate.networks.modules import Transformer, context_tokens, target_tokens
from iclrace.validate.networks.stacked import TransformerEnsemble
from iclrace.validate.training.config import content_key
from iclrace.validate.training.memory import train_memory
from iclrace.validate.training.trainer import EnsembleTrainer

DIMENSION, WIDTH = 7, 11
SIZE = DIMENSION + 2
# Sums of some hundred products in float64, with a margin.
TOLERANCE = 1e-10


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(SIZE, SIZE, bias=False) for _ in range(3))

    def forward(self, x):
        query, key, value = self.query(x), self.key(x), self.value(x)
        return F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=1.0)


def mlp(outputs):
    hidden = (nn.Linear(SIZE, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())
    return nn.Sequential(*hidden, nn.Linear(WIDTH, outputs))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.perceptron = Attention(), mlp(SIZE)


class Reference(nn.Module):
    """The paper's network; with ``raw`` the one in which each attention is added to what came before LayerNorm."""

    def __init__(self, depth, raw=False):
        super().__init__()
        self.raw, self.norm = raw, nn.LayerNorm(SIZE)
        self.blocks = nn.ModuleList(Layer() for _ in range(depth - 1))
        self.attention, self.memory = Attention(), mlp(1)

    def forward(self, tokens):
        if self.raw:
            for block in self.blocks:
                tokens = block.perceptron(tokens + block.attention(self.norm(tokens)))
            return self.memory((tokens + self.attention(self.norm(tokens)))[:, -1]).squeeze(-1)
        x = self.norm(tokens)
        for block in self.blocks:
            x = block.perceptron(x + block.attention(x))
        return self.memory((x + self.attention(x))[:, -1]).squeeze(-1)


def loss_and_gradients(logits, labels, parameters):
    loss = F.softplus(-logits * labels).mean(-1).sum()
    return loss, torch.autograd.grad(loss, parameters)


def setting(depth, raw=False, seed=0):
    """Reference, ensemble parameters of one network with the same values, a batch, and its tokens."""
    torch.manual_seed(seed)
    reference = Reference(depth, raw).double()
    with torch.no_grad():  # away from (1, 0), where parts of the gradient would drop out
        reference.norm.weight += 0.3 * torch.randn(SIZE)
        reference.norm.bias += 0.3 * torch.randn(SIZE)
    parameters = {name: value.detach()[None].clone() for name, value in reference.named_parameters()}
    batch = Sequences(Task(6, dimension=DIMENSION), (16,), (seed,), 12, shuffled=depth > 1, dtype=torch.float64).batch(
        0
    )
    items, labels = batch.table.items[0], batch.table.labels[0]
    context, target = batch.context[0], batch.target[0]
    tokens = torch.cat([context_tokens(items[context], labels[context]), target_tokens(items[target])[:, None]], 1)
    return reference, parameters, batch, tokens


def distance(ours, theirs):
    return float(((ours - theirs).norm() / theirs.norm()).detach())


def distances(form, depth, raw=False, seed=0):
    """Relative distance of logits, and the largest of a gradient (against the largest gradient), to the reference."""
    reference, parameters, batch, tokens = setting(depth, raw, seed)
    expected = reference(tokens)
    labels = batch.target_labels[0]
    _, gradients = loss_and_gradients(expected, labels, list(reference.parameters()))
    names = [name for name, _ in reference.named_parameters()]
    largest = max(float(g.norm()) for g in gradients)
    if form == "module":
        module = Transformer(DIMENSION, WIDTH, depth=depth).double()
        module.load_state_dict(reference.state_dict())
        logits = module(tokens)
        _, ours = loss_and_gradients(logits, labels, [dict(module.named_parameters())[name] for name in names])
    elif form == "stacked":
        followed = {name: value.requires_grad_(True) for name, value in parameters.items()}
        logits = TransformerEnsemble(depth).forward(followed, batch)[0][0]
        _, ours = loss_and_gradients(logits, labels, [followed[name] for name in names])
        ours = [g[0] for g in ours]
    else:  # one step at rate 1 changes the parameters by minus the gradient
        logits = FusedTransformer().forward(parameters, batch)[0][0]
        before = {name: value.clone() for name, value in parameters.items()}
        rates = {name: torch.full((1, *[1] * (value.ndim - 1)), -1.0).double() for name, value in parameters.items()}
        FusedTransformer().step_of(parameters, rates, {})(batch)
        ours = [(before[name] - parameters[name])[0] for name in names]
    worst = max(float((a - b).norm()) for a, b in zip(ours, gradients, strict=True)) / largest
    return distance(logits, expected), worst


FORMS = [("module", 1), ("module", 2), ("stacked", 1), ("stacked", 2), ("fused", 1)]


@pytest.mark.parametrize(("form", "depth"), FORMS)
@pytest.mark.parametrize("seed", range(5))
def test_logits_and_every_gradient_equal_the_reference(form, depth, seed):
    assert max(distances(form, depth, seed=seed)) < TOLERANCE


@pytest.mark.parametrize(("form", "depth"), FORMS)
def test_the_raw_residual_is_told_apart(form, depth):
    logits, gradients = distances(form, depth, raw=True)
    assert logits > 0.01
    assert gradients > 0.01


def reading(depth, raw, scale):
    reference, _, _, tokens = setting(depth, raw)
    logits = {"reference": reference(scale * tokens).detach()}
    if not raw:
        module = Transformer(DIMENSION, WIDTH, depth=depth).double()
        module.load_state_dict(reference.state_dict())
        logits["module"] = module(scale * tokens).detach()
    return logits


@pytest.mark.parametrize("depth", [1, 2])
def test_the_logit_does_not_change_when_all_tokens_are_longer(depth):
    """Only LayerNorm's epsilon, 1e-5 against a variance of 1/SIZE, tells one length from another."""
    bound = 10 * 1e-5 * SIZE
    for name, logits in reading(depth, raw=False, scale=1.0).items():
        longer = reading(depth, raw=False, scale=3.0)[name]
        assert float((longer - logits).abs().max()) < bound
    wrong = [reading(depth, raw=True, scale=scale)["reference"] for scale in (1.0, 3.0)]
    assert float((wrong[1] - wrong[0]).abs().max()) > 10 * bound


def test_the_residual_scale_changes_what_memory_reads_and_not_the_attention():
    """With W_V = 0 the perceptron reads s x_T alone; the attention's weights do not know of s."""
    reference, _, _, tokens = setting(1)
    module = Transformer(DIMENSION, WIDTH, residual_scale=0.5).double()
    module.load_state_dict(reference.state_dict())
    attended = []
    module.attention.register_forward_hook(lambda _, __, out: attended.append(out))
    halved = module(tokens)
    expected = reference.memory(
        0.5 * reference.norm(tokens)[:, -1] + reference.attention(reference.norm(tokens))[:, -1]
    )
    assert distance(halved, expected.squeeze(-1)) < TOLERANCE
    assert distance(attended[0], reference.attention(reference.norm(tokens))) < TOLERANCE
    with pytest.raises(ValueError, match="residual_scale"):
        Run("minimal", Task(5, 16, 7), 0, residual_scale=0.5)
    with pytest.raises(ValueError, match="residual_scale"):
        Run("transformer", Task(5, 16, 7), 0, depth=2, residual_scale=0.5)


def test_trained_networks_have_the_residual_that_their_run_asks_for():
    run = Run("transformer", Task(5, 16, 7), 0, width=8, batch_size=8, budget=1.0, test_size=20)
    logits = []
    for scale in (1.0, 2.0):
        trainer = EnsembleTrainer([run.with_(residual_scale=scale)], dtype=torch.float64)
        logits.append(trainer.computation.forward(trainer.parameters, trainer.icl_test)[0])
        expected = TransformerEnsemble(1, scale).forward(trainer.parameters, trainer.icl_test)[0]
        assert distance(logits[-1], expected) < TOLERANCE
    assert distance(logits[1], logits[0]) > 0.01


def test_a_transformer_is_never_read_from_the_address_of_one_with_the_raw_residual():
    run = Run("transformer", Task(5, 16, 7), 0)
    old = {name: value for name, value in run.as_json().items() if name != "residual"}
    assert content_key(old) != content_key(run.as_json())
    assert "residual" not in Run("minimal", Task(5, 16, 7), 0).as_json()
    assert "residual_scale" not in run.as_json()
    assert run.with_(residual_scale=0.5).as_json()["residual_scale"] == 0.5


def test_a_perceptron_alone_reads_items_of_the_given_length():
    """At the start its margins are those of PyTorch's perceptron on 3 x̂; addresses without the factor stay."""
    alone = MemoryTraining(16, 0, dimension=7, width=8, layer_norm=True, learning_rate=0.1, until=0.4, budget=1.0)
    assert "input_scale" not in alone.as_json()
    torch.manual_seed(derive_seed(0, Purpose.INITIALISATION))
    plain = nn.Sequential(nn.Linear(SIZE, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
    generator = torch.Generator().manual_seed(derive_seed(0, Purpose.ITEMS))
    items = torch.randn(1, 16, DIMENSION, generator=generator)[0] / DIMENSION**0.5
    labels = torch.tensor([1.0, -1.0] * 8)
    start = {}
    for scale in (1.0, 3.0):
        curves = train_memory(replace(alone, input_scale=scale))
        margins = plain(scale * F.layer_norm(F.pad(items, (0, 2)), (SIZE,))).squeeze(-1) * labels
        start[scale] = curves.margins.isel(time=0).values
        expected = np.quantile(margins.detach().numpy(), curves["quantile"].values)
        np.testing.assert_allclose(start[scale], expected, atol=1e-5)
    assert np.abs(start[3.0] - start[1.0]).max() > 0.01


@pytest.mark.parametrize(("beta0", "scale"), [(1.0, 1.0), (-1.5, 1.0), (1.0, 0.6)])
def test_beta0_is_the_mean_score_of_a_copy_at_the_start_and_touches_nothing_else(beta0, scale):
    """W_Q + 3b W_K, b = √2 β0/d: scores of initial networks against b x̂_j·x̂_T and the theory's standard deviations.

    By seed they differ by β0's spread; means of 300 networks are held to four standard errors. At twice the β0, or at
    one that does not know of the scale, they lie more than ten errors away.
    """
    run = Run("transformer", Task(5, 64, 7), 0, width=4, batch_size=4, budget=1.0, test_size=4, attention_scale=scale)
    many = 300
    plain, moved = (
        EnsembleTrainer([run.with_(seed=s, beta0=b) for s in range(many)], dtype=torch.float64).parameters
        for b in (0.0, beta0)
    )
    assert [name for name in plain if not torch.equal(plain[name], moved[name])] == ["attention.query.weight"]
    generator = torch.Generator().manual_seed(3)
    items = torch.randn(2, DIMENSION, generator=generator, dtype=torch.float64) / DIMENSION**0.5
    target, copy, other = (
        F.layer_norm(one, one.shape[-1:])
        for one in (
            target_tokens(items[None, :1])[0, 0],
            context_tokens(items[None, :1], torch.ones(1, 1, dtype=torch.float64))[0, 0],
            context_tokens(items[None, 1:], torch.ones(1, 1, dtype=torch.float64))[0, 0],
        )
    )
    matrix = moved["attention.key.weight"].transpose(1, 2) @ moved["attention.query.weight"]
    b = 2**0.5 * beta0 / SIZE
    for token in (target, copy, other):
        scores = torch.einsum("i,sij,j->s", token, matrix, target)
        # Variance of b x̂ᵀ(3 W_Kᵀ W_K)x̂_T beside that of W_Kᵀ W_Q, |x̂|² = d each: scale⁴ (1 + 9b²(1 + cos²)) d/9.
        cosine = float(token @ target) / SIZE
        std = scale**2 * (SIZE / 9 * (1 + 9 * (b / scale**2) ** 2 * (1 + cosine**2))) ** 0.5
        error = std / many**0.5
        assert abs(float(scores.mean()) - b * float(token @ target)) < 4 * error
        assert float(scores.std()) == pytest.approx(std, rel=4 / (2 * many) ** 0.5)
    diagonal = 2**-0.5 * SIZE * matrix.diagonal(dim1=1, dim2=2).mean(1)
    assert abs(float(diagonal.mean()) - beta0) < 4 * scale**2 * SIZE / 2**0.5 / 3 / SIZE / many**0.5 * 1.5


def test_a_start_that_the_network_does_not_have_is_refused_and_addresses_without_one_stay():
    run = Run("transformer", Task(5, 16, 7), 0)
    assert run.with_(beta0=1.0).as_json() == {**run.as_json(), "beta0": 1.0}
    for changes in ({"beta0": None}, {"beta0": 1.0, "depth": 2}):
        with pytest.raises(ValueError, match="beta0"):
            run.with_(**changes)
