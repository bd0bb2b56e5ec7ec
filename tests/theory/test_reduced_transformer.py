"""The reduced transformer's averages and derivatives, each against sampled networks, differences or a closed form."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from iclrace.theory.reduced_transformer import (
    COLUMNS,
    STATE,
    CouplingRun,
    MeasuredCoupling,
    ReducedTransformer,
    Terms,
    attend,
    draw_contexts,
    icl_accuracy,
    initial_state,
    rates,
    score_scales,
)
from iclrace.theory.reduced_transformer.readout import grown, readout_growth
from iclrace.theory.reduced_transformer.scores import offset_speed
from iclrace.validate.networks import modules

MODEL = ReducedTransformer(context_length=15, dimension=31, task_diversity=256)


def coupling(task_diversity=256, quantiles=4):
    """A memory made by hand: c1 from 1/2 to 1/50 while everything else grows a hundredfold."""
    clock = np.linspace(0, 12, 30)
    margin = 4 * (clock / 12) ** 2
    grown = 100 ** (clock / 12)
    columns = {name: scale * grown for name, scale in zip(COLUMNS, (0.08, 0.003, 0.07, 0.002, 0.04, 0.02), strict=True)}
    return CouplingRun(
        task_diversity, clock, expit(-margin), margin[:, None] * np.linspace(0.5, 1.5, quantiles), **columns
    )


@pytest.fixture(scope="module")
def sampled():
    """Initial transformers with PyTorch's default weights: W_Q, W_K, W_V (network, d, d) of D = 31."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        nets = [modules.Transformer(31, 8) for _ in range(60)]
    return [torch.stack([getattr(net.attention, name).weight.detach() for net in nets]).double().numpy()
            for name in ("query", "key", "value")]  # fmt: skip


def normed(tokens):
    return torch.nn.functional.layer_norm(tokens, tokens.shape[-1:]).double().numpy()


def test_initial_scores_have_the_widths_that_the_equations_start_from(sampled):
    """Every part of x̂_jᵀ W_Kᵀ W_Q x̂_T by itself, over 60 networks and 200 pairs in each.

    Pairs of one network share its weights: the scatter of a mean square over networks is √(2/d) per network at the
    least, 3 % over 60, and 4 standard errors are allowed. LayerNorm's denominator adds O(1/d) = 3 % to each width.
    """
    query, key, value = sampled
    rng = torch.Generator().manual_seed(1)
    items = torch.randn(2, 200, 31, generator=rng) / math.sqrt(31)
    ones = torch.ones(200)
    context = normed(modules.context_tokens(items[0], ones)), normed(modules.context_tokens(items[0], -ones))
    target = normed(modules.target_tokens(items[1]))
    matrix = np.einsum("sca,scb->sab", key, query)
    parts = {
        "item": (context[0] + context[1]) / 2 * ([1.0] * 31 + [0.0] * 2),
        "common": (context[0] + context[1]) / 2 * ([0.0] * 31 + [1.0] * 2),
        "label": (context[0] - context[1]) / 2,
        "own": target,
    }
    scores = score_scales(MODEL, initial_state(MODEL))
    for name, part in parts.items():
        found = np.einsum("pa,sab,pb->sp", part, matrix, target)
        squares = (found**2).mean(1)
        error = 4 * squares.std() / math.sqrt(len(squares))
        assert getattr(scores, name) ** 2 == pytest.approx(squares.mean(), abs=error + 0.06 * squares.mean()), name
    along = parts["label"].mean(0)
    lengths = ((value @ along) ** 2).sum(1)
    assert MODEL.initial_value == pytest.approx(
        lengths.mean(), rel=4 * lengths.std() / math.sqrt(60) / lengths.mean() + 0.03
    )
    assert np.linalg.norm(along) == pytest.approx(MODEL.label_scale, rel=0.02)
    assert scores.square == pytest.approx((query**2).sum(1).mean() + (key**2).sum(1).mean(), rel=0.01)


def test_a_copys_rough_score_is_the_targets_own(sampled):
    """Both are x_Tᵀ M x_T on the target's item: the copy's own item score is 1/√2 of the target's, exactly."""
    query, key, _ = sampled
    items = torch.randn(50, 31, generator=torch.Generator().manual_seed(2)) / math.sqrt(31)
    copy = normed(modules.context_tokens(items, torch.ones(50))) - normed(
        modules.context_tokens(items, -torch.ones(50))
    )
    token = normed(modules.context_tokens(items, torch.ones(50))) - copy / 2  # without its label
    token[:, 31:] = 0.0
    target = normed(modules.target_tokens(items))
    matrix = np.einsum("sca,scb->sab", key, query)
    of_copy = np.einsum("pa,sab,pb->sp", token, matrix, target).ravel()
    of_self = np.einsum("pa,sab,pb->sp", target, matrix, target).ravel()
    assert np.corrcoef(of_copy, of_self)[0, 1] > 0.98
    assert of_self.std() / of_copy.std() == pytest.approx(math.sqrt(2), rel=0.06)
    contexts = draw_contexts(MODEL, 40, 4)
    scores = score_scales(MODEL, initial_state(MODEL))
    assert scores.item == pytest.approx(scores.own / math.sqrt(2))
    assert np.array_equal(contexts.items[:, 0], contexts.own)


def test_the_offset_grows_as_a_product_of_two_layers():
    """b = s ĉ·M·shift, with M's row and the shift both moved along their gradient; 1000 steps of first order: 1 %."""
    a, s, steps = 1 / 3, MODEL.label_scale, 4000
    row, shift = np.array([a, 0.0]), np.zeros(2)
    offset, gain = 0.0, 2.0
    for _ in range(steps):
        row, shift = row + 2 * a * s * gain / steps * shift, shift + s * gain / steps * row
        offset += gain / steps * offset_speed(MODEL, offset)
    assert offset == pytest.approx(s * row @ shift, rel=0.01)
    assert offset > 3 * gain * offset_speed(MODEL, 0.0) / 2


def test_the_kernel_of_the_gain_is_that_of_a_linear_network():
    """k(Y)/k(0) against a three-layer linear network of width 128, averaged over four starts."""
    rng = np.random.default_rng(0)
    d, n, at = 33, 128, np.array([0.1, 0.3, 1.0])
    found = np.zeros((4, 3))
    for network in range(4):
        first, second, third = (rng.uniform(-1, 1, shape) / math.sqrt(shape[-1]) for shape in ((n, d), (n, n), (1, n)))
        v = np.eye(d)[0]
        path = []
        while not path or path[-1][0] < at[-1]:
            a, q = first @ v / 2, third[0] / 2
            s, u = second.T @ q, second @ a
            path.append((q @ u, s @ s / 4 + (q @ q) * (a @ a) + u @ u / 4))
            h = 0.01 / math.sqrt(path[-1][1])
            first, second, third = first + h / 2 * np.outer(s, v), second + h * np.outer(q, a), third + h / 2 * u
        y, k = np.array(path).T
        found[network] = np.interp(at, y, k) / np.interp(0.0, y, k)
    expected = [grown(y, readout_growth(d, n)) for y in at]
    assert found.mean(0) == pytest.approx(expected, rel=0.12)


def test_the_learned_score_starts_with_the_width_of_its_trace(sampled):
    """β0 = (d/√2) tr(M)/D over items has standard deviation √(d/18D)."""
    query, key, _ = sampled
    matrix = np.einsum("sca,scb->sab", key, query)[:, :31, :31]
    start = 33 / math.sqrt(2) * np.trace(matrix, axis1=1, axis2=2) / 31
    assert MODEL.initial_beta_std == pytest.approx(start.std(), rel=4 / math.sqrt(2 * 60))


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_scores_grow_as_hyperbolic_functions(scale):
    """W_K and W_Q turned into each other by gradient steps along the identity, against the closed form.

    Widths over 64 networks of d = 66: entries of M number d² each; one tenth of a percent in trace, two in widths.
    """
    rng = np.random.default_rng(0)
    d, steps = 66, 400
    bound = scale / math.sqrt(d)
    key, query = rng.uniform(-bound, bound, (2, 64, d, d))
    label = rng.uniform(-bound, bound, (64, d, 1))  # a column of W_K that belongs to a label
    for _ in range(steps):
        key, query = key + 0.5 / steps * query, query + 0.5 / steps * key
    model = ReducedTransformer(15, d - 2, attention_scale=scale)
    matrix = key.transpose(0, 2, 1) @ query
    trace = np.trace(matrix, axis1=1, axis2=2).mean() / d
    state = initial_state(model, beta0=d / math.sqrt(2) * trace)
    scores, flat = score_scales(model, state), score_scales(model, initial_state(model))
    square = (key**2).sum(1).mean() + (query**2).sum(1).mean()
    assert scores.square == pytest.approx(square, rel=2e-2)
    off = matrix[:, ~np.eye(d, dtype=bool)].std()
    assert scores.item / flat.item == pytest.approx(off / (scale**2 / (3 * math.sqrt(d))), rel=2e-2)
    x = rng.normal(size=(64, d, 200)) / math.sqrt(d)
    along = np.einsum("sac,sab,sbp->scp", label, query, x).std() * math.sqrt(d)
    assert scores.label / flat.label == pytest.approx(along / (scale**2 / 3 * math.sqrt(1.0)), rel=4e-2)
    own = np.einsum("sap,sab,sbp->sp", x, matrix - trace * np.eye(d), x)
    assert scores.own / flat.own == pytest.approx(own.std() / (scale**2 / (3 * math.sqrt(d))), rel=6e-2)
    without = ReducedTransformer(15, d - 2, attention_scale=scale, terms=Terms(score_growth=False))
    assert score_scales(without, state).square == flat.square < 0.99 * square


def test_mirror_images_leave_the_labels_mean_without_noise():
    """At flat attention ⟨m⟩ is (copies − 1/2…)/N exactly: 1/(N + 1) with the target itself in the softmax."""
    contexts = draw_contexts(MODEL, 50, 4)
    flat = score_scales(ReducedTransformer(15, 31, attention_scale=1e-6), initial_state(MODEL))
    _, _, m = attend(flat, 0.0, 0.0, 0.0, 0.0, contexts)
    assert m.mean() == pytest.approx(1 / 16, abs=1e-9)
    assert m.std() > 0.2


def test_nothing_is_learnt_in_context_from_scrambled_labels():
    """Mirror images cancel the drive exactly; with a copy that tells the label they do not."""
    row = MeasuredCoupling([coupling()]).table(256)[1][40]
    start = initial_state(MODEL)
    scrambled = draw_contexts(MODEL, 40, 4, scrambled=True)
    assert rates(MODEL, start, row, scrambled)[STATE.index("w")] == pytest.approx(0.0, abs=1e-15)
    assert rates(MODEL, start, row, draw_contexts(MODEL, 40, 4))[STATE.index("w")] > 1e-4


def changed(model, state, row, contexts, **shift):
    """m and the residual's drive ⟨σ w B⟩ at scores shifted along one direction."""
    moved = state.copy()
    for name, by in shift.items():
        moved[STATE.index(name)] += by
    scores = score_scales(model, moved)
    return attend(scores, moved[2], moved[STATE.index("stored")], 0.0, moved[STATE.index("offset")], contexts)


STATES = st.tuples(
    st.floats(0.1, 8), st.floats(2, 30), st.floats(-1, 5), st.floats(-1, 0), st.floats(-2, 0), st.floats(0, 2),
    st.floats(-0.5, 1), st.floats(0, 11), st.floats(0, 1), st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 0),
    st.floats(-1, 2),
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(STATES)
def test_the_label_scores_slope_is_the_derivative_of_the_attended_label(numbers):
    """∂m/∂η = 1 − a_T − m², and its own derivative, by central differences (h²/6 of third derivatives below 8)."""
    state = np.array(numbers)
    contexts = draw_contexts(MODEL, 20, 4)
    h = 1e-4
    _, on_self, m = changed(MODEL, state, None, contexts)
    sides = [changed(MODEL, state, None, contexts, stored=by) for by in (h, -h)]
    assert (sides[0][2] - sides[1][2]) / (2 * h) == pytest.approx(1 - on_self - m**2, abs=1e-6)
    second = [1 - own - m_**2 for _, own, m_ in sides]
    assert (second[0] - second[1]) / (2 * h) == pytest.approx(m * (on_self - 2 * (1 - on_self - m**2)), abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(STATES)
def test_gradient_terms_are_the_losses_own_derivatives(numbers):
    """The drive of β and the Stein terms against differences of the loss ⟨log(1 + e^{−z})⟩ at one kernel each."""
    state = np.array(numbers)
    state[8] = 0.0
    plain = Terms(self_attention=False, gain_spread=False, residual=False, score_growth=False)
    model = ReducedTransformer(15, 31, 256, terms=plain)
    contexts = draw_contexts(model, 20, 4)
    row = MeasuredCoupling([coupling()]).table(256)[1][100]

    def loss(beta):
        _, _, m = attend(score_scales(model, state), beta, state[6], 0.0, state[12], contexts)
        return np.logaddexp(0, -(row[7:][contexts.rank] + state[0] * m - state[9] * contexts.label)).mean()

    h = 1e-5
    slope = -(loss(state[2] + h) - loss(state[2] - h)) / (2 * h)
    d, dim = model.size, model.dimension
    assert rates(model, state, row, contexts)[2] == pytest.approx(d * d / (3 * dim) * slope, abs=1e-5)


def test_random_scores_are_removed_as_steins_lemma_says():
    """A linear score b·x learnt from fresh targets: ⟨g(b·x) x⟩ = ⟨g′⟩ b/D, g = σ(−w m) w ∂m/∂η at two tokens."""
    rng = np.random.default_rng(0)
    dim, draws = 31, 400_000
    b = rng.normal(size=dim)
    x = rng.normal(size=(draws, dim)) / math.sqrt(dim)
    eta, w, h = x @ b, 2.0, 1e-4

    def g(score):
        m = np.tanh(score)
        return expit(-w * m) * w * (1 - m**2)

    slope = ((g(eta + h) - g(eta - h)) / (2 * h)).mean()
    along = (g(eta)[:, None] * x).mean(0) @ b / (b @ b)
    error = 5 * (g(eta) * (x @ b)).std() / math.sqrt(draws) / (b @ b)
    assert along == pytest.approx(slope / dim, abs=error)
    assert abs(slope / dim) > 10 * error


def test_stored_labels_are_a_linear_classifiers():
    """b = (κ/K) Σ ℓ_j q x_j: the mean over training targets of ℓ b·x is κq/K, its scatter κq/√(KD), as integrated."""
    rng = np.random.default_rng(0)
    k, dim, kernel, g = 400, 31, 180.0, 0.3
    means, scatters = [], []
    for _ in range(200):
        x, label = rng.normal(size=(k, dim)) / math.sqrt(dim), rng.choice([-1.0, 1.0], k)
        stored = label * (x @ (kernel * g / k * (label @ x)))
        means.append(stored.mean())
        scatters.append(stored.std())
    assert np.mean(means) == pytest.approx(kernel * g / k, abs=5 * np.std(means) / math.sqrt(200))
    assert np.mean(scatters) == pytest.approx(kernel * g / math.sqrt(k * dim), rel=0.03)


def test_the_table_gives_back_its_runs_and_lies_between_them():
    low, high = coupling(256), coupling(1024)
    table = MeasuredCoupling([low, high])
    total, at = table.table(256)
    assert total == low.total
    assert at[0, :6] == pytest.approx([getattr(low, name)[0] for name in COLUMNS])
    assert at[-1, 0] == pytest.approx(low.gain[-1])
    between = table.table(512)[1]
    assert np.all(between[:, 0] <= np.maximum(at[:, 0], table.table(1024)[1][:, 0]) * (1 + 1e-12))
    held = table.held().table(512)[1]
    assert np.ptp(held[:, 0]) == 0 and np.array_equal(held[:, 2:], between[:, 2:])
    endless = table.unmemorised()[1]
    assert np.all(endless[:, 5] == 0) and np.all(endless[:, 7:] == 0)
    assert endless[0, 0] == endless[0, 6] == high.gain[0]


@settings(max_examples=30, deadline=None)
@given(STATES)
def test_accuracy_is_a_probability_and_chance_at_no_gain(numbers):
    state = np.array(numbers)
    contexts = draw_contexts(MODEL, 20, 4)
    row = MeasuredCoupling([coupling()]).table(256)[1][60]
    assert 0 <= icl_accuracy(MODEL, state, row, contexts) <= 1
    state[0] = state[10] = 0.0
    assert icl_accuracy(MODEL, state, row, contexts) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("context_length", 1), ("dimension", 0), ("task_diversity", 1), ("copies", 15), ("rate_ratio", 0),
     ("attention_scale", -1), ("residual_scale", -0.1), ("decay", math.nan)],
)  # fmt: skip
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(ValueError, match=f"Argument '{argument}' must"):
        ReducedTransformer(**{"context_length": 15, "dimension": 31, argument: value})


@pytest.mark.parametrize("gate", [0.25, 0.5])
def test_gates_that_never_change_are_a_network_of_half_the_units(gate):
    """ρ = 1/2: half the units at full gates. The closed system against a linear network of those, to 12 %."""
    rng = np.random.default_rng(1)
    d, n, at = 33, 128, np.array([0.1, 0.3, 1.0])
    open_ = n if gate == 0.25 else n // 2
    scale = 0.5 if gate == 0.25 else 1.0  # every unit at half, or half of them at one
    found = np.zeros((6, 3))
    for network in range(6):
        first = rng.uniform(-1, 1, (open_, d)) / math.sqrt(d)
        second, third = (rng.uniform(-1, 1, shape) / math.sqrt(n) for shape in ((open_, open_), (1, open_)))
        path = []
        while not path or path[-1][0] < at[-1]:
            a, q = scale * first[:, 0], scale * third[0]
            s, u = second.T @ q, second @ a
            path.append((q @ u, scale**2 * (s @ s + u @ u) + (q @ q) * (a @ a)))
            h = 0.01 / math.sqrt(path[-1][1])
            first[:, 0] += h * scale * s
            second, third = second + h * np.outer(q, a), third + h * scale * u
        y, k = np.array(path).T
        found[network] = np.interp(at, y, k) / np.interp(0.0, y, k)
    assert found.mean(0) == pytest.approx([grown(y, readout_growth(d, n, gate)) for y in at], rel=0.12)
    assert abs(found.mean(0) / [grown(y, readout_growth(d, n, 0.75 - gate)) for y in at] - 1).max() > 0.12


def test_a_target_that_is_no_token_gets_no_attention():
    model = ReducedTransformer(15, 31, 256, terms=Terms(own_token=False))
    state = initial_state(model)
    contexts = draw_contexts(model, 20, 4)
    weights, own, m = attend(score_scales(model, state), 0.0, 0.0, 0.0, state[STATE.index("offset")], contexts)
    assert not own.any() and weights.sum(1) == pytest.approx(np.ones(40))
    flat = score_scales(ReducedTransformer(15, 31, attention_scale=1e-6), initial_state(MODEL))
    _, _, m = attend(flat, 0.0, 0.0, 0.0, state[STATE.index("offset")], contexts)
    assert m.mean() == pytest.approx(1 / 15, abs=1e-9)
    row = MeasuredCoupling([coupling()]).table(256)[1][40]
    assert rates(model, state, row, contexts)[STATE.index("offset")] == 0.0
