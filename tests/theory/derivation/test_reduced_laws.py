"""The reduced transformer's equations as expressions: at sampled states they are the rates that the package computes.

The averages over contexts that an expression holds are formed here from attention, labels and logits.
"""

import math

import numpy as np
import pytest
from scipy.special import ndtr

from iclrace.theory.derivation import laws
from iclrace.theory.reduced_transformer import (
    STATE,
    ReducedTransformer,
    Terms,
    attend,
    draw_contexts,
    icl_accuracy,
    rates,
    score_scales,
)
from iclrace.theory.reduced_transformer.equations import _read, gain_variance, label_kernel, memory_speed
from iclrace.theory.reduced_transformer.readout import initial_kernel, initial_slope_square

LAWS = {name.removeprefix("reduced "): law for name, law in laws().items() if name.startswith("reduced ")}
OF_STATE = {
    "w": "dw/dt", "value": "d|v|²/dt", "beta": "dβ/dt", "item_roughness": "d ln ρ/dt", "label_roughness": "d ln η/dt",
    "stored": "dμ/dt", "stored_std": "dν/dt", "clock": "dJ/dt", "residual": "dτ/dt", "echo": "dq/dt",
    "novel_echo": "dq′/dt", "answer": "dχ/dt", "offset": "db/dt",
}  # fmt: skip
#: The one law that stands for a draw, not for an average.
ACCURACY = "argument of P_ICL"


def sample(seed):
    """A model, a state, a row of couplings and contexts, all drawn."""
    rng = np.random.default_rng(seed)
    model = ReducedTransformer(
        int(rng.integers(7, 20)), int(rng.integers(8, 40)), 2.0 * rng.integers(50, 500), rate_ratio=rng.uniform(0.5, 2),
        attention_scale=rng.uniform(0.5, 1.5), residual_scale=rng.uniform(0.5, 1.5), decay=rng.uniform(0, 1e-3),
        terms=Terms(aligned_readout=False),
    )  # fmt: skip
    state = rng.normal(0.0, 0.3, len(STATE))
    state[1] = rng.uniform(1.0, 5.0)
    row = np.concatenate([rng.uniform(0.02, 0.5, 7), rng.normal(0.5, 0.5, 4)])
    row[4] += row[1]  # ⟨|∇f|²⟩ ≥ G²
    return model, state, row, draw_contexts(model, 200, 4, seed=seed)


def words(model, state, row, contexts):
    """What every word of the expressions stands for at a state."""
    now, scores = _read(model, state, row, contexts, 0.0), score_scales(model, state)
    a, a_self, m, wrong, curve = now.attention, now.on_self, now.attended, now.wrong, now.curve
    z_slope = -curve  # dσ(−z)/dz
    ahead = contexts.labels - m[:, None]
    along = (a * contexts.overlaps * ahead).sum(1) - math.sqrt(2) * a_self * m
    on_copies = a[:, : model.copies].sum(1)
    noise = (a[:, model.copies :] ** 2).sum(1) + on_copies**2 / 2
    d = model.size
    recruited = d * a_self * noise + d / math.sqrt(2) * (on_copies * noise - on_copies**2 / 2)
    others, lean = a[:, model.copies :], ahead[:, model.copies :]
    # ∂/∂s_j of σ(−z) w a_j (ℓ_j − m): ∂a_j/∂s_j = a_j(1 − a_j), ∂m/∂s_j = a_j(ℓ_j − m), ∂z/∂s_j = w a_j(ℓ_j − m)
    own = wrong[:, None] * now.gain[:, None] * (others * (1 - others) * lean - others * others * lean)
    through = z_slope[:, None] * now.gain[:, None] ** 2 * (others * lean) ** 2
    opened = 1 - a_self - m**2
    bent = m * (a_self - 2 * opened)
    eta = wrong * now.gain * bent + z_slope * now.gain * opened * (now.gain * opened - state[9] / scores.label)
    fixed = wrong * now.gain * bent + z_slope * (now.gain * opened) ** 2
    direct = state[8] + now.gain * state[11] * opened
    kernel = label_kernel(model, state, row)
    opening = wrong * now.gain * opened  # averaged over the contexts of targets of one margin, then squared
    ranks = [contexts.rank == i for i in range(len(row) - 7)]
    return {
        "width": model.width, "gate": model.gate, "slope_square": row[4], "novel_std": row[2],
        "mean_rank_square": sum(one.mean() * opening[one].mean() ** 2 for one in ranks),
        "size": d, "dimension": model.dimension, "task_diversity": model.task_diversity,
        "rate_ratio": model.rate_ratio, "residual_scale": model.residual_scale,
        "initial_square": model.initial_square, "decay": model.decay, "label_scale": model.label_scale,
        "attention_scale": model.attention_scale, "w": state[0], "value": state[1], "beta": state[2],
        "item_share": math.exp(state[3]), "label_share": math.exp(state[4]), "stored_std": state[5],
        "stored": state[6], "residual": state[8], "echo": state[9], "answer": state[11], "offset": state[12],
        "label_kernel": kernel, "mean_gradient": row[1], "gradient": row[3], "memory_kernel": row[5],
        "memory_speed": memory_speed(model, row, now), "square": scores.square, "label_square": scores.label_square,
        "mean_wrong_attended": (wrong * m).mean(), "mean_wrong": wrong.mean(),
        "mean_curve_direct": (curve * direct).mean(), "mean_curve_gain_opened": (curve * now.gain * opened).mean(),
        "mean_curve": curve.mean(), "mean_towards": (wrong * now.gain * along).mean(),
        "mean_recruited": recruited.mean(), "mean_ahead": (wrong * now.gain * a_self * m).mean(),
        "mean_self_noise": (a_self * noise).mean(), "mean_stein": (own + through).sum(1).mean(),
        "mean_attended_label": (m * contexts.label).mean(),
        "mean_wrong_gain_opened": (wrong * now.gain * opened).mean(),
        "mean_slope": eta.mean(), "mean_fixed_slope": fixed.mean(), "mean_self_squared": (a_self**2).mean(),
        "mean_self_turned": (a_self**2 * (1 - a_self) ** 2).mean(),
    }  # fmt: skip


def value(name, at):
    law = LAWS[name]
    return float(law.function(*law.symbols)(*(at[word] for word in law.symbols)))


@pytest.mark.parametrize("seed", range(6))
def test_the_expressions_are_the_rates(seed):
    model, state, row, contexts = sample(seed)
    known = dict(zip(STATE, rates(model, state, row, contexts), strict=True))
    at = words(model, state, row, contexts)
    assert set(OF_STATE) == set(STATE)
    for name, law in OF_STATE.items():
        assert value(law, at) == pytest.approx(known[name], rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("seed", range(6))
def test_the_scales_are_those_of_the_scores(seed):
    model, state, row, contexts = sample(seed)
    scores, at = score_scales(model, state), words(model, state, row, contexts)
    known = {
        "square": scores.square, "label square": scores.label_square, "score of items": scores.item,
        "own score": scores.own, "score of labels": scores.label,
    }  # fmt: skip
    for name, number in known.items():
        assert value(name, at) == pytest.approx(number, rel=1e-12), name
    now = _read(model, state, row, contexts, 0.0)
    assert value("R", at) == pytest.approx(memory_speed(model, row, now), rel=1e-9)
    assert value("ς²", at) == pytest.approx(gain_variance(model, state, row), rel=1e-12)
    assert value("k(0)", at) == pytest.approx(initial_kernel(model.size, model.width, model.gate), rel=1e-12)
    assert value("G²(0)", at) == pytest.approx(initial_slope_square(model.gate), rel=1e-12)
    assert set(OF_STATE.values()) | set(known) | {"R", "ς²", "k(0)", "G²(0)", ACCURACY} == set(LAWS)


@pytest.mark.parametrize("seed", range(3))
def test_the_accuracy_is_the_mean_of_the_expressions_over_contexts(seed):
    """Φ of the argument, draw by draw; on novel items, whose labels no score stores."""
    model, state, row, contexts = sample(seed)
    at = words(model, state, row, contexts)
    _, _, m = attend(score_scales(model, state), state[2], 0.0, state[11], state[12], contexts)
    law = LAWS[ACCURACY]
    each = {**at, "attended": m, "target": contexts.target, "label": contexts.label, "novel_echo": state[10]}
    arguments = law.function(*law.symbols)(*(each[word] for word in law.symbols))
    assert ndtr(arguments).mean() == pytest.approx(icl_accuracy(model, state, row, contexts), rel=1e-12)
    each["novel_std"] = 1.01 * each["novel_std"]
    arguments = law.function(*law.symbols)(*(each[word] for word in law.symbols))
    assert ndtr(arguments).mean() != pytest.approx(icl_accuracy(model, state, row, contexts), rel=1e-9)


def test_a_changed_average_is_seen():
    """Negative control: every average that an equation holds matters to it."""
    model, state, row, contexts = sample(0)
    at = words(model, state, row, contexts)
    for name, law in LAWS.items():
        for word in law.symbols if name != ACCURACY else ():
            changed = {**at, word: at[word] * 1.01}
            assert value(name, changed) != pytest.approx(value(name, at), rel=1e-9), (name, word)
