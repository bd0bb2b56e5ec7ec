"""The reduced transformer's main equations, between averages over contexts (docs/reduced_transformer.md).

An average stands as one symbol: ``mean_wrong_attended`` is ⟨σ(−z) m⟩, with z the logit and m the label that the
attention returns.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from .law import Law, law

d, D, K, r, c, a0 = sp.symbols("d D K r c a", positive=True)
w, beta, tau, echo, answer, stored, offset = sp.symbols("w beta tau q chi mu b", real=True)
V, k, G2, g2, theta, s, decay, R = sp.symbols("V k G_2 g_2 Theta s lambda R", positive=True)
square, label_square = sp.symbols("A A_l", positive=True)
S, X, C, h, curve = sp.symbols("S X C h h_sigma", real=True)
B, Q, E, F, stein, echoed, gain = sp.symbols("B Q E F Sigma M g", real=True)
bent, fixed, seen, turned = sp.symbols("g_eta g_xi a_2 a_4", real=True)
rough, labelled, scatter, attention_scale = sp.symbols("varrho eta nu_l omega", positive=True)
time, width, gate, slope_square, novel = sp.symbols("t n rho_g n_2 s_varphi", positive=True)
attended, target, label, novel_echo = sp.symbols("m xi_T xi_eta q'", real=True)
of_rank = sp.Symbol("g_2r", positive=True)

#: The package's words, those of the averages included.
WORDS: Mapping[sp.Symbol, str] = {
    d: "size", D: "dimension", K: "task_diversity", r: "rate_ratio", c: "residual_scale", a0: "initial_square",
    w: "w", beta: "beta", tau: "residual", echo: "echo", answer: "answer", stored: "stored", offset: "offset",
    V: "value", k: "label_kernel", G2: "mean_gradient", g2: "gradient", theta: "memory_kernel", s: "label_scale",
    decay: "decay", R: "memory_speed", square: "square", label_square: "label_square", rough: "item_share",
    labelled: "label_share", scatter: "stored_std", attention_scale: "attention_scale",
    S: "mean_wrong_attended", X: "mean_wrong", C: "mean_curve_direct", h: "mean_curve_gain_opened",
    curve: "mean_curve", B: "mean_towards", Q: "mean_recruited", E: "mean_ahead", F: "mean_self_noise",
    stein: "mean_stein", echoed: "mean_attended_label", gain: "mean_wrong_gain_opened", bent: "mean_slope",
    width: "width", gate: "gate", slope_square: "slope_square", novel: "novel_std", attended: "attended",
    target: "target", label: "label", novel_echo: "novel_echo", of_rank: "mean_rank_square",
    fixed: "mean_fixed_slope", seen: "mean_self_squared", turned: "mean_self_turned",
}  # fmt: skip

#: cosh 2u of the hyperbolic turn of W_K and W_Q that β stands for.
turn = sp.sqrt(1 + 2 * beta**2 / (d * a0) ** 2)
#: How fast a score along the labels learns, over D.
kernel = s**2 * d * label_square / D
rate_w = (r * k * V + s**2 * (G2 + w**2 / V)) * S - r * k * sp.sqrt(V) * c * C - decay * w
rate_value = 2 * s**2 * w * S - 2 * decay * V
rate_residual = c * ((r * k * V + s**2 * G2) * S / sp.sqrt(V) - r * k * c * C) - R * theta * C  # c d(w/|v|)/dt − …
drive = d**2 / (2 * D) * square * B
recruited = d * square * g2 / (3 * sp.sqrt(2) * D) * Q
removal = d**2 * square / (2 * D**2) * stein
offset_speed = s**2 * sp.sqrt(a0**4 + 8 * a0 * offset**2 / s**2)
rate_answer = kernel * (fixed * answer - h * tau)
memory_speed = r + slope_square * (d * seen + square * d**2 / 3 * turned) / (K * theta)
initial_kernel = gate**2 * (1 + 2 * width / d) / 9
initial_slope = gate**2 / 27
gain_variance = V * (slope_square - G2) / d
accuracy_argument = (w * attended + c * w / sp.sqrt(V) * target - novel_echo * label) / sp.sqrt(
    novel**2 + gain_variance * attended**2
)


def laws() -> list[Law]:
    """The equations of the order parameters, and the scales of the scores without weight decay."""
    unit = attention_scale**2
    on_label = unit * s / 3 * sp.sqrt(turn)
    shared = r * k
    expressions = {
        "dw/dt": ("label gain", rate_w),
        "d|v|²/dt": ("label gain", rate_value),
        "dτ/dt": ("label gain", rate_residual),
        "k(0)": ("shared kernel", initial_kernel),
        "G²(0)": ("shared kernel", initial_slope),
        "ς²": ("interference", gain_variance),
        "argument of P_ICL": ("interference", accuracy_argument),
        "score of items": ("turn", rough * unit * sp.sqrt(d / 18) * turn),
        "own score": ("turn", rough * unit * sp.sqrt(d) / 3 * sp.sqrt(2 * turn**2 - 1)),
        "score of labels": ("turn", sp.sqrt((labelled * on_label) ** 2 + scatter**2)),
        "square": ("turn", 2 * a0 * turn),
        "label square": ("turn", a0 * (1 + turn)),
        "dβ/dt": ("learned scores", drive + recruited - 2 * decay * beta),
        "db/dt": ("learned scores", offset_speed * (E - g2 / 3 * F) - 3 * decay * offset),
        "d ln ρ/dt": ("removed scores", removal),
        "d ln η/dt": ("removed scores", kernel * bent),
        "dχ/dt": ("removed scores", rate_answer - 2 * decay * answer),
        "dμ/dt": ("stored labels", (kernel * bent - 2 * decay) * stored + kernel * D / K * gain),
        "dν/dt": (
            "stored labels", (kernel * bent - 2 * decay) * scatter + kernel * D * sp.sqrt(of_rank / (K * D)),
        ),
        "R": ("stored labels", memory_speed),
        "dJ/dt": ("stored labels", R * X),
        "dq/dt": ("stored labels", (R * theta + shared) * curve * (w * echoed - echo)),
        "dq′/dt": ("stored labels", shared * curve * (w * echoed - echo)),
    }  # fmt: skip
    return [law(f"reduced {name}", expression, step, WORDS) for name, (step, expression) in expressions.items()]
