"""The laws as expressions: each is the number that the package computes, and the Mills ratio is a function of sympy's.

Every law is lambdified and compared with its numerical function at random points, to 1e-9; a law that no case below
names is refused.
"""

import itertools
import math

import numpy as np
import pytest
import sympy as sp
from scipy.special import lambertw, ndtr

from iclrace import theory
from iclrace.theory import PowerLawMemory, Task
from iclrace.theory.attention import attended_label, context_nodes
from iclrace.theory.early import EarlyPath
from iclrace.theory.symbolic import Mills, flow, laws, race
from iclrace.theory.symbolic.symbols import beta, kappa, w

LAWS = laws()
DRAWS = np.random.default_rng(0)
POINTS = 25


def task_of(at, **more):
    return Task(
        int(at["context_length"]), dimension=at.get("dimension", math.inf), copies=int(at.get("copies", 1)),
        label_std=at.get("label_std", 1.0), target_in_softmax=bool(at.get("target_in_softmax", 0)), **more,
    )  # fmt: skip


def one_draw(quantity):
    """The population average restricted to one label sum n."""

    def found(at):
        nodes = context_nodes(task_of(at))._replace(label_sum=np.array([at["label_sum"]]), weight=np.ones(1))
        a = attended_label(np.array(at["beta"]), task_of(at), nodes)
        u = at["margin"] + at["w"] * a.value[0]
        residual = 1 / (1 + math.exp(u))
        values = {"logit": u, "loss": math.log1p(math.exp(-u)), "dw/dt": residual * a.value[0], "σ(−u)": residual}
        return {**values, "dβ/dt": residual * at["w"] * a.slope[0]}[quantity]

    return found


def memory_of(at):
    amplitude, nu = at.get("amplitude", 3.0), at.get("exponent", 0.7)
    return PowerLawMemory(amplitude, nu, margin_scale=at.get("margin_scale", 1.0), depth=int(at.get("depth", 3)))


def diversity_at(at):
    """K at which r_K is the rate of the point."""
    memory = memory_of(at)
    return (memory.margin_scale / ((memory.growth_exponent - 1) * at["rate"] * memory.amplitude)) ** (1 / 0.7)


def early_drag(at):
    return theory.early_drag(task_of(at), at["c2"])


def clock(at):
    task = task_of(at)
    drag = theory.early_drag(task)
    return task.context_length / task.copies * float(theory.acquisition_clock(at["beta0"], at["w0"], drag))


def probability(at):
    """P(β0 > β_c(K)) far in the branch without drag, I_K(∞) = A K^ν with A such that K* is the threshold."""
    z = at["exponent"] * math.log(at["task_diversity"] / at["threshold"]) / at["beta0_std"]
    return ndtr(z)


def log_slope(at):
    drag = at["drag"]
    step = 1e-5
    values = [math.log(theory.acquisition_clock(at["beta0"] + sign * step, at["w0"], drag)) for sign in (1, -1)]
    return (values[0] - values[1]) / (2 * step)


def budget_slope(at):
    return 1 / (at["exponent"] * (1 - at["c1"] * at["budget"] / at["clock"]))


def branch(at):
    return theory.branch_point(task_of(at), at["beta"])


def c_of(at):
    return float(EarlyPath(np.array(at["beta"]), np.array(at["w"]), at["drag"]).constant)
