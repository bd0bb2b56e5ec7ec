"""The laws as expressions: each is the number that the package computes, and the Mills ratio is a function of sympy's.

Every law is lambdified and compared with its numerical function at random points, to 1e-9; a law that no case below
names is refused.
"""

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.special import ndtr, ndtri

from iclrace import theory
from iclrace.theory import PowerLawMemory, Task
from iclrace.theory.acquisition.early import EarlyPath
from iclrace.theory.contexts.attention import attended_label, context_nodes
from iclrace.theory.derivation import Mills, laws

LAWS = laws()
POINTS = 20
#: Where the number is a central difference of step h = 1e-4: h² f‴/6f′ with f‴/f′ up to (κ e^{−β} + |w|)³ = 18³.
DIFFERENCE = 1e-5


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
    amplitude, nu = at.get("amplitude", 0.1), at.get("exponent", 0.7)
    return PowerLawMemory(amplitude, nu, margin_scale=at.get("margin_scale", 1.0), depth=int(at.get("depth", 3)))


def diversity_at(at):
    """K at which r_K is the rate of the point."""
    memory = memory_of(at)
    return (memory.margin_scale / ((memory.growth_exponent - 1) * at["rate"] * memory.amplitude)) ** (1 / 0.7)


def early_drag(at):
    return theory.early_drag(task_of(at), at["c2"])


def clock(at):
    task = task_of(at)
    return (
        task.context_length
        / task.copies
        * float(theory.acquisition_clock(at["beta0"], at["w0"], theory.early_drag(task)))
    )


def critical(at):
    return theory.threshold(task_of(at), memory_of(at), at["beta0"], at["w0"], clock=clock(at)).value


def difference(function, x, step=1e-4):
    return (float(function(x + step)) - float(function(x - step))) / (2 * step)


def early_rates(at):
    """(dw/dτ, dβ/dτ): the clock that is left falls at rate 1, and the constant of the path stays.

    The terms of the two equations cancel by a factor 5 at most.
    """
    left = lambda w, beta: theory.acquisition_clock(beta, w, at["drag"])  # noqa: E731
    kept = lambda w, beta: constant({**at, "w": w, "beta": beta})  # noqa: E731
    slopes = [
        [difference(lambda w: f(w, at["beta"]), at["w"]), difference(lambda beta: f(at["w"], beta), at["beta"])]  # noqa: B023
        for f in (left, kept)
    ]
    return np.linalg.solve(slopes, [-1.0, 0.0])


def constant(at):
    return float(EarlyPath(np.array(at["beta"]), np.array(at["w"]), at["drag"]).constant)


def slope_in_beta0(at):
    return difference(lambda b: np.log(theory.acquisition_clock(b, at["w0"], at["drag"])), at["beta0"])


def at_infinite_budget(at):
    """Of the budget's own factor, the integration of the memory's law at a budget is test_closed_form_bindings'."""
    return -at["beta0_std"] * slope_in_beta0(at) / at["exponent"]


def margin_of_branch(at):
    return float(theory.branch_margin(task_of(at), at["decay"], at["beta"]))


def half_square(at):
    """∫ w dw along dw/dβ = 1/(w (1 − a))."""
    task = task_of(at)
    return quad(lambda b: 1 / (1 - float(theory.branch_point(task, b)[1])), at["beta_acquired"], at["beta"])[0]


def lag(at):
    """How far heavy-ball steps of a constant gradient 1 stay behind η/(1 − μ) a step."""
    place = velocity = 0.0
    for _ in range(2000):
        velocity = at["momentum"] * velocity + 1.0
        place += at["learning_rate"] * velocity
    return 2000 * at["learning_rate"] / (1 - at["momentum"]) - place


def creep(at):
    """dβ/dτ from the time of the tail, t = (2N/m)∫dβ/(dβ/dτ), at N = 100, m = 1, c1 = 1/2."""
    task, rate = Task(100, label_std=math.sqrt(2 * at["drag"])), at["decay_per_clock"] / 200
    return -200 / difference(lambda b: theory.tail_time(task, rate, b), at["beta"])


RACE = {"context_length": (10, 2000), "copies": (1, 4), "label_std": (0.3, 2), "beta0": (-3, 3), "w0": (-2, 2)}
EARLY = {"w": (-2, 3), "beta": (-2, 3), "drag": (0.05, 2)}
MARGIN = {"margin": (0, 10), "margin_scale": (0.3, 5), "depth": (3, 7), "rate": (0.01, 1)}
DRAW = {
    "context_length": (10, 200), "copies": (1, 4), "dimension": (8, 80), "target_in_softmax": (0, 1), "w": (-3, 3),
    "beta": (-2, 4), "margin": (-2, 5), "label_sum": (-5, 5),
}  # fmt: skip
BRANCH = {"context_length": (20, 2000), "copies": (1, 4), "beta": (0.5, 8), "decay": (1e-6, 1e-3)}
POWER = {"task_diversity": (10, 5000), "amplitude": (0.5, 5), "exponent": (0.5, 1)}
#: Of every law its number, the ranges of its symbols, and the error to which that number is known.
CASES = {
    **{name: (one_draw(name), DRAW) for name in ("logit", "loss", "dw/dt", "dβ/dt", "σ(−u)")},
    "P_ICL": (
        lambda at: theory.icl_accuracy(1.0, at["beta"], task_of(at)),
        {"context_length": (10, 2000), "copies": (1, 4), "label_std": (0.3, 2), "beta": (-2, 2)},
    ),
    "argument of P_ICL beside memory": (
        lambda at: ndtri(theory.finite_accuracy(at["w"], at["beta"], task_of(at), at["memory_noise"])),
        {"context_length": (10, 400), "copies": (1, 4), "label_std": (0.5, 2), "w": (0.1, 2), "beta": (-2, 2),
         "memory_noise": (0.1, 3)},
    ),
    "κ": (lambda at: theory.early_drag(task_of({"context_length": 9, **at}), at["c2"]),
          {"copies": (1, 5), "label_std": (0, 2), "c2": (0, 1)}),
    "dw/dτ": (lambda at: early_rates(at)[0], EARLY, 5 * DIFFERENCE),
    "dβ/dτ": (lambda at: early_rates({**at, "drag": 0.7})[1], {"w": (-2, 3), "beta": (-2, 3)}, 5 * DIFFERENCE),
    "C": (constant, EARLY),
    "τ*": (lambda at: theory.acquisition_clock(at["beta0"], at["w0"], at["drag"]),
           {"beta0": (-3, 3), "w0": (-2, 2), "drag": (0.05, 2)}),
    "F": (lambda at: theory.acquisition_clock(at["b"], at["w0"], 1.0), {"w0": (-2, 2), "b": (-3, 5)}),
    "d ln F/db": (lambda at: theory.crossover_slope(at["b"]), {"w0": (0, 0), "b": (-3, 5)}),
    "τ* without drag": (lambda at: theory.acquisition_clock(at["beta0"], at["w0"], 0.0),
                        {"beta0": (-3, 3), "w0": (-5, 5)}),
    "I*": (clock, RACE),
    "t_ICL": (lambda at: 2 * clock(at), RACE),
    "dφ/dt": (lambda at: memory_of(at).field(at["margin"], memory_of(at).c1(at["margin"]), diversity_at(at)), MARGIN),
    "I_K(φ)": (lambda at: memory_of(at).clock(at["margin"], diversity_at(at)), MARGIN),
    "I_K(∞)": (lambda at: memory_of(at).total_clock(at["task_diversity"]), POWER),
    "r_K": (lambda at: memory_of(at).rate(at["task_diversity"]), {**POWER, "margin_scale": (0.3, 5), "depth": (3, 7)}),
    "K*": (critical, {**RACE, "amplitude": (0.5, 5), "exponent": (0.5, 1)}),
    "P(acquire)": (
        lambda at: ndtr(at["exponent"] * math.log(at["task_diversity"] / at["threshold"]) / at["beta0_std"]),
        {"task_diversity": (10, 5000), "exponent": (0.5, 1), "beta0_std": (0.5, 2), "threshold": (100, 1000)},
    ),
    "K*(T)/K*": (
        lambda at: (
            float(memory_of({**at, "depth": 4}).clock(at["margin_at_budget"], 100.0))
            / float(memory_of({**at, "depth": 4}).total_clock(100.0))
        ) ** (-1 / at["exponent"]),
        {"exponent": (0.5, 1), "margin_scale": (0.3, 5), "growth_exponent": (1.5, 1.5), "margin_at_budget": (0.5, 9)},
    ),
    "d ln τ*/dβ0": (slope_in_beta0, {"beta0": (-2, 3), "w0": (-2, 2), "drag": (0.05, 2)}, DIFFERENCE),
    "transition width, T → ∞": (
        at_infinite_budget,
        {"beta0": (-2, 3), "w0": (-2, 2), "drag": (0.05, 2), "exponent": (0.5, 1), "beta0_std": (0.5, 2)}, DIFFERENCE,
    ),
    "w_tr": (lambda at: theory.tracking_weight(at["c3"], at["decay"]), {"c3": (0.001, 5), "decay": (1e-6, 1e-2)}),
    "w − w_1": (
        lambda at: theory.conserved_weight(at["margin"], at["rate"], at["margin_scale"], at["growth_exponent"],
                                           since=at["since"]),
        {"margin": (0, 9), "margin_scale": (0.3, 5), "growth_exponent": (1.2, 2), "rate": (0.01, 1), "since": (0, 5)},
    ),
    "(w² − w_1²)/2": (half_square, {**BRANCH, "beta_acquired": (0.5, 3)}, 1e-8),
    "w on the branch": (lambda at: theory.branch_point(task_of(at), at["beta"])[0], BRANCH),
    "a on the branch": (lambda at: theory.branch_point(task_of(at), at["beta"])[1], BRANCH),
    "φ on the branch": (margin_of_branch, BRANCH),
    "dφ/dβ on the branch": (
        lambda at: difference(lambda b: margin_of_branch({**at, "beta": b}), at["beta"]), BRANCH, 1e-5,
    ),
    "φ_c − ln(1/λ)": (lambda at: margin_of_branch({**at, "decay": 1e-200}) - 200 * math.log(10), BRANCH),
    "λ_c": (
        lambda at: theory.critical_decay(
            task_of({**at, "label_std": math.sqrt(2 * at["drag"] * at["copies"])}), at["c1"], 0.5,
        ),
        {"context_length": (10, 2000), "copies": (1, 4), "drag": (0.05, 2), "c1": (0.01, 0.5)},
    ),
    "dβ/dτ in the tail": (creep, {"beta": (-4, -2.5), "drag": (0.3, 0.7), "decay_per_clock": (0.01, 0.1)}, 1e-4),
    "saddle of repeats": (
        lambda at: theory.repeat_saddle(Task(int(at["context_length"]), at["task_diversity"])),
        {"context_length": (5, 500), "task_diversity": (10, 5000)},
    ),
    "momentum lag": (lag, {"learning_rate": (0.01, 0.5), "momentum": (0, 0.95)}, 1e-8),
}  # fmt: skip
#: Laws of which no number stands alone: tested together, below or for the reduced transformer.
TOGETHER = {
    "d ln K*/d ln I*", "transition width", "dt/dI on the branch", "t_loss", "d ln t_loss/d ln K", "L_ICL L_IWL",
}  # fmt: skip
WHOLE = {"context_length", "copies", "depth", "target_in_softmax", "label_sum", "task_diversity", "dimension"}


def points(ranges, name):
    draws = np.random.default_rng(sum(name.encode()))
    for _ in range(POINTS):
        at = {word: draws.uniform(low, high) for word, (low, high) in ranges.items()}
        yield {word: float(round(value)) if word in WHOLE else value for word, value in at.items()}


def value(name, at):
    """The lambdified law at a point, by mpmath: what it loses where its terms cancel is not the number's."""
    law = LAWS[name]
    function = sp.lambdify(list(law.symbols.values()), law.expression, "mpmath")
    with mpmath.workdps(30):
        return float(function(*(mpmath.mpf(at[word]) for word in law.symbols)))


@pytest.mark.parametrize("name", CASES)
def test_the_law_is_the_number_that_the_package_computes(name):
    number, ranges, error = (*CASES[name], 1e-9)[:3]
    for at in points(ranges, name):
        assert value(name, at) == pytest.approx(float(number(at)), rel=error, abs=1e-3 * error), at


def test_no_law_is_left_without_its_number():
    assert {name for name in LAWS if not name.startswith("reduced ")} == set(CASES) | TOGETHER
    for name, law in LAWS.items():
        assert set(law.symbols.values()) == law.expression.free_symbols, name
        assert law.step in {step.key for step in theory.derivation.chain()}, name


def test_the_binding_can_fail():
    wrong = {
        **CASES,
        "τ*": (lambda at: theory.acquisition_clock(at["beta0"], at["w0"], 1.001 * at["drag"]), *CASES["τ*"][1:]),
    }
    number, ranges = wrong["τ*"]
    assert all(abs(value("τ*", at) / float(number(at)) - 1) > 1e-9 for at in points(ranges, "τ*"))


@pytest.mark.parametrize("until", [600.0, 1e4])
def test_slope_and_width_at_a_budget(until):
    task, memory = Task(100), PowerLawMemory(3.9, 0.6)
    reading = float(theory.clock_at_acquisition(task, 0.0))
    star = theory.threshold(task, memory, 0.0, budget=until).value
    at = {"c1": float(memory.c1(memory.margin(reading, star))), "exponent": 0.6, "budget": until, "clock": reading}
    slopes = theory.threshold_slopes(task, memory, 0.0, budget=until)
    assert value("d ln K*/d ln I*", at) == pytest.approx(slopes["clock"], rel=1e-9)
    # to the blow-up: the 95 % time's own slope in β0 is that of another clock
    early = {**at, "beta0": 0.0, "w0": 0.0, "drag": 0.5, "beta0_std": 0.8}
    assert value("transition width", early) == pytest.approx(-0.8 * slope_in_beta0(early) * slopes["clock"], rel=1e-6)


def test_the_time_of_loss_is_the_integral_of_its_rate_along_the_branch():
    """(1/λ) ∫ (a/w) dI from φ = 0 to the fold, by quadrature over β; and w̄ is between its ends."""
    task, memory, rate = Task(100, task_diversity=1000.0), PowerLawMemory(3.9, 0.7), 1e-4
    grid = np.linspace(20.0, 1.0, 20001)
    margins = theory.branch_margin(task, rate, grid)
    top = int(np.argmax(margins))
    branch = slice(int(np.searchsorted(margins[:top], 0.0)), top + 1)
    w, a = theory.branch_point(task, grid[branch])
    reading = memory.clock(margins[branch], 1000.0)
    dwell = LAWS["dt/dI on the branch"].function("branch_weight", "attention", decay=rate)(w, a)
    known = float(theory.mean_transience_time(task, memory, rate))
    assert np.trapezoid(dwell, reading) == pytest.approx(known, rel=1e-3)
    mean = LAWS["t_loss"].function("mean_weight", clock_at_fold=reading[-1], clock_at_acquisition=0.0, decay=rate)
    assert mean(float((w / a).max())) < known < mean(float((w / a).min()))
    i = 3000
    product = float(theory.loss_product(task, rate, float(margins[branch][i])))
    at = {"decay": rate, "branch_weight": w[i], "attention": a[i]}
    assert value("L_ICL L_IWL", at) == pytest.approx(product, rel=1e-6)


def test_the_slope_of_the_time_of_loss_in_k():
    """d ln t_loss/d ln K at a fixed I_acq and mean weight, by differences of K in I_c = g K^ν."""
    at = {"exponent": 0.7, "clock_at_fold": 300.0, "clock_at_acquisition": 100.0}
    lasting = lambda x: math.log(300.0 * math.exp(0.7 * x) - 100.0)  # noqa: E731
    assert value("d ln t_loss/d ln K", at) == pytest.approx(difference(lasting, 0.0), rel=1e-6)


def test_a_law_is_a_numpy_function():
    time = LAWS["t_ICL"].function("context_length", "beta0", copies=1, label_std=1, w0=0)
    sizes, start = np.arange(50, 500, 50), np.array([[-1.0], [0.0], [1.0]])
    direct = [[2 * n * float(theory.acquisition_clock(b, 0.0, 0.5)) for n in sizes] for b in start[:, 0]]
    assert time(sizes, start) == pytest.approx(np.array(direct), rel=1e-12)
    with pytest.raises(ValueError, match="Arguments of t_ICL must be context_length"):
        LAWS["t_ICL"].function("context_length")


class TestMills:
    x = sp.Symbol("x", real=True)

    def test_its_derivative_is_that_of_its_error_function(self):
        for order in (1, 2, 3):
            found = Mills(self.x).diff(self.x, order).rewrite(sp.erfc)
            assert sp.simplify(found - sp.diff(Mills(self.x).rewrite(sp.erfc), self.x, order)) == 0

    @pytest.mark.parametrize("at", ["-7/2", "0", "1/3", "40", "1000"])
    def test_digits(self, at):
        with mpmath.workdps(60):
            exact = mpmath.quad(lambda y: mpmath.exp(-mpmath.mpf(sp.Rational(at)) * y - y * y / 2), [0, 1, 4, 12, 40])
        assert abs(Mills(sp.Rational(at)).evalf(40) / sp.Float(exact, 50) - 1) < 1e-28

    def test_series(self):
        assert sp.series(Mills(self.x), self.x, 0, 6) == sp.series(Mills(self.x).rewrite(sp.erfc), self.x, 0, 6)
        far = sp.series(Mills(self.x), self.x, sp.oo, 8).removeO()
        assert float(far.subs(self.x, 20)) == pytest.approx(float(Mills(20)), rel=105 / 20**8)  # the next term
        assert sp.limit(self.x * Mills(self.x), self.x, sp.oo) == 1

    def test_lambdified(self):
        points = np.array([-5.0, 0.0, 3.0, 300.0])
        assert np.array_equal(sp.lambdify(self.x, Mills(self.x))(points), theory.mills_ratio(points))
        with mpmath.workdps(30):
            exact = sp.lambdify(self.x, Mills(self.x), "mpmath")(mpmath.mpf(2))
            assert abs(exact - mpmath.mpf(str(Mills(2).evalf(30)))) < 1e-28

    def test_latex_and_values(self):
        assert sp.latex(Mills(self.x) ** 2) == r"M^{2}{\left(x\right)}"
        assert [Mills(0), Mills(sp.oo), Mills(-sp.oo)] == [sp.sqrt(sp.pi / 2), 0, sp.oo]
        assert Mills(self.x).is_positive and Mills(self.x).subs(self.x, 0) == sp.sqrt(sp.pi / 2)
