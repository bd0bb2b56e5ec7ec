"""The explorer's transformer in a real browser: its equations are Python's, its table of perceptrons trained alone."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from iclrace.figures import explorer
from iclrace.figures.explorer import coupling
from iclrace.simulate.reduced_transformer import reduced_threshold, solve_reduced
from iclrace.theory.reduced_transformer import CORE, ReducedTransformer, draw_contexts
from iclrace.validate.training.coupling import CouplingTraining, measured_coupling, train_coupling

DRAWS = 60
#: Order parameters of the core terms, by the places of the page's state.
STATE = ("w", "value", "beta", "item_roughness", "label_roughness", "clock")
#: (settings, what they are to try): K within, between, below and above the stored runs, and everything that moves.
SETTINGS = [
    {"N": 15, "K": 512, "r": 1.0, "scale": 1.0, "start": 0.0, "decay": 0.0, "T": 125.0},
    {"N": 15, "K": 700, "r": 1.0, "scale": 1.0, "start": 0.5, "decay": 0.0, "T": 125.0},
    {"N": 7, "K": 40, "r": 2.0, "scale": 0.5, "start": -1.0, "decay": 0.0, "T": 60.0},
    {"N": 31, "K": 5000, "r": 0.5, "scale": 1.5, "start": 1.0, "decay": 3e-3, "T": 300.0},
    {"N": 20, "K": math.inf, "r": 1.0, "scale": 1.0, "start": 0.0, "decay": 1e-2, "T": 200.0},
]
SOLVE = """return arguments[0].map(([s, given]) => {
  const contexts = Object.fromEntries(Object.entries(given).map(([name, values]) => [name, Float64Array.from(values)]));
  contexts.N = s.N;
  contexts.draws = contexts.own.length;
  const all = { ...s, K: s.K ?? Infinity, D: CONSTANTS.coupling.settings.dimension }, m = transformer(all);
  const found = solveTransformer(m, contexts, transformerStart(all), s.T);
  const [icl, iwl] = transformerAccuracy(m, contexts, s.T, found.end, true);
  return { state: found.end, icl, iwl, acquired: String(found.acquired), steps: found.steps };
});"""


def model_of(s):
    return ReducedTransformer(
        s["N"], coupling.DIMENSION, s["K"], rate_ratio=s["r"], attention_scale=s["scale"], decay=s["decay"],
        width=coupling.WIDTH, terms=CORE,
    )  # fmt: skip


def contexts_of(s, seed):
    return draw_contexts(model_of(s), DRAWS, coupling.stored()["quantiles"], seed)


def reference(s, contexts):
    model = model_of(s)
    beta0 = s["start"] * model.initial_beta_std
    return solve_reduced(model, coupling.coupling(), budget=s["T"], beta0=beta0, contexts=contexts)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return explorer.write(tmp_path_factory.mktemp("explorer") / "explorer.html", {"model": "transformer"})


def test_the_equations_are_pythons(browser, page):
    """Both take the same steps with the same contexts: what is left is Φ, which the page knows to 1e-7."""
    browser.open(page)
    given = [(s, contexts_of(s, seed)) for seed, s in enumerate(SETTINGS)]
    names = ("labels", "items", "overlaps", "own", "common", "label", "rank")
    asked = [
        [s | {"K": None if math.isinf(s["K"]) else s["K"]},
         {name: np.ravel(getattr(contexts, name)).astype(float).tolist() for name in names}]
        for s, contexts in given
    ]  # fmt: skip
    acquired = []
    for (s, contexts), found in zip(given, browser.run(SOLVE, asked), strict=True):
        expected = reference(s, contexts)
        assert expected.status.item() == 0 and found["steps"] == expected.steps.item()
        for name, value in zip(STATE, found["state"], strict=True):
            assert value == pytest.approx(expected[name].item(), rel=1e-6, abs=1e-9), (name, s)
        assert found["icl"] == pytest.approx(expected.icl_accuracy.item(), abs=1e-6), s
        assert found["iwl"] == pytest.approx(expected.iwl_accuracy.item(), abs=1e-9), s
        time = expected.time_acquired.item()
        assert float(found["acquired"]) == pytest.approx(
            time if math.isfinite(time) else math.nan, rel=1e-5, nan_ok=True
        )
        acquired.append(math.isfinite(time))
    assert set(acquired) == {True, False}  # or the comparison would say little


def test_the_comparison_can_fail(browser, page):
    """A rate ratio that is one percent off is told apart a thousand times over."""
    browser.open(page)
    s = SETTINGS[0]
    contexts = contexts_of(s, 0)
    names = ("labels", "items", "overlaps", "own", "common", "label", "rank")
    given = {name: np.ravel(getattr(contexts, name)).astype(float).tolist() for name in names}
    (found,) = browser.run(SOLVE, [[s | {"r": 1.01}, given]])
    assert abs(found["state"][0] / reference(s, contexts).w.item() - 1) > 1e-3


def test_the_pages_own_contexts_are_draws_like_pythons(browser, page):
    """Moments of what is drawn, to four standard errors; mirror images are exact."""
    browser.open(page)
    found = browser.run("""const c = drawContexts(15, 31, 4000), out = {};
        for (const name of Object.keys(c)) if (c[name].length) out[name] = Array.from(c[name]);
        return out""")
    c = {name: np.array(values) for name, values in found.items()}
    half = 4000
    labels, items, overlaps = (c[name].reshape(2 * half, 15) for name in ("labels", "items", "overlaps"))
    assert np.all(labels[:, 0] == 1) and np.all(overlaps[:, 0] == 1) and np.all(items[:, 0] == c["own"])
    assert np.array_equal(labels[:half, 1:], -labels[half:, 1:]) and np.array_equal(
        c["label"][:half], -c["label"][half:]
    )
    for values, deviation in ((items[:half, 1:], 1.0), (overlaps[:half, 1:], 31**-0.5), (c["own"][:half], 1.0),
                              (c["common"][:half], 1.0), (c["label"][:half], 1.0)):  # fmt: skip
        scaled = np.ravel(values) / deviation
        assert abs(scaled.mean()) < 4 / math.sqrt(scaled.size)
        assert abs((scaled**2).mean() - 1) < 4 * math.sqrt(2 / scaled.size)
        assert abs((scaled**4).mean() - 3) < 4 * math.sqrt(96 / scaled.size)
    assert abs(labels[:half, 1:].mean()) < 4 / math.sqrt(half * 14)
    assert abs(np.mean(c["own"][:half] * c["common"][:half])) < 4 / math.sqrt(half)
    assert set(np.bincount(c["rank"].astype(int))) == {2 * half // 16}


def test_the_scan_agrees_with_reduced_threshold(browser, page):
    """K* of 500 contexts of its own, beside Python's over eight other draws: within their spread."""
    browser.open(page)
    shown = browser.run("""return new Promise((done) => {
        const wait = () => document.getElementById("charts").dataset.settled
          ? done(document.querySelector("#numbers dd").textContent) : setTimeout(wait, 50);
        wait();
    })""")
    assert browser.problems() == []
    s = explorer.TRANSFORMER
    found = [reduced_threshold(model_of(s), coupling.coupling(), budget=s["T"], draws=500, seed=k) for k in range(8)]
    spread = np.log(found)
    assert abs(math.log(float(shown.replace(",", ""))) - spread.mean()) < 3.5 * spread.std(ddof=1)
    assert browser.run("return document.querySelectorAll('svg.plot').length") == 4
    verdict = browser.run("return document.getElementById('verdict').textContent")
    assert verdict.startswith("With K = 512 the transformer memorises: at T = 125 accuracy is 0.")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_mode_is_chosen_shared_and_left(browser, page, width):
    browser.open(page, width=width, height=844)
    address = f"{Path(page).resolve().as_uri()}#model=minimal&K=300"
    browser.driver.get("about:blank")
    browser.driver.get(address)
    assert browser.run("return readAll().K") == 300 and browser.run("return document.getElementById('nu') !== null")
    choose = """const e = document.getElementById("model"); e.value = arguments[0];
        e.dispatchEvent(new Event("input", { bubbles: true }))"""
    browser.run(choose, "transformer")
    assert browser.run("return readAll()") == pytest.approx(explorer.TRANSFORMER)
    assert browser.run("return location.hash") == ""  # the page's own model
    assert browser.run("return getComputedStyle(document.querySelector('[data-model=minimal]')).display") == "none"
    browser.run(
        "const e = document.getElementById('r'); e.value = 1; e.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    assert browser.run("return location.hash") == "#r=4"
    told = browser.run("""
        const help = (e) => document.getElementById(e.getAttribute("aria-describedby")).textContent;
        return [...document.querySelectorAll("#model, #controls input, #controls select")].map((e) =>
            [e.labels.length && e.labels[0].textContent, help(e), e.ariaValueText ?? e.tagName === "SELECT"]);
        """)
    assert len(told) == 1 + len(explorer.TRANSFORMER) and all(all(words) for words in told)
    assert browser.overflow() == 0 and browser.problems() == []


def test_the_stored_table_is_of_perceptrons_that_anyone_can_train():
    """The smallest one trained anew: within what another machine's rounding makes of it."""
    stored = coupling.stored()
    training = CouplingTraining(
        64, coupling.SEED, coupling.DIMENSION, coupling.WIDTH, learning_rate=coupling.LEARNING_RATE
    )
    settings = {name: getattr(training, name) for name in stored["settings"]}
    again = coupling.thinned(measured_coupling([training], [train_coupling(training)]), settings)
    assert again["settings"] == stored["settings"] and again["quantiles"] == stored["quantiles"]
    for name, values in again["runs"][0].items():
        assert np.asarray(values) == pytest.approx(np.asarray(stored["runs"][0][name]), rel=2e-3, abs=2e-3), name


def test_the_other_settings_are_refused():
    with pytest.raises(ValueError, match="Argument 'defaults' must name some of N, K, start"):
        explorer.page({"model": "transformer", "nu": 1.0})
    with pytest.raises(ValueError, match="as its model"):
        explorer.page({"model": "rival"})
    assert replace(model_of(SETTINGS[0]), copies=1).terms is CORE  # the page solves no other terms
