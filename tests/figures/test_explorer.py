"""The explorer in a real browser: its numbers are Python's, a slider is drawn at once, the page stands alone."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from typer.testing import CliRunner

from iclrace.cli.app import app
from iclrace.figures import explorer
from iclrace.simulate import CoupledModel, coupled_acquisition_time, observables, solve
from iclrace.theory import PowerLawMemory, Task, acquired_beta, threshold, time_of_clock

SETTINGS = 50
#: The bar: relative for times, clocks, K and losses above 1; absolute for probabilities and accuracies.
TOLERANCE = 1e-3
#: Evaluations of the field that are done in 50 ms: at 1 µs each, an average over 16 nodes.
EVALUATIONS = 50_000
NUMBERS = """
const plain = (x) => typeof x === "number" && !Number.isFinite(x) ? String(x)
    : Array.isArray(x) ? x.map(plain) : x && typeof x === "object"
    ? Object.fromEntries(Object.entries(x).map(([k, v]) => [k, plain(v)])) : x;
return arguments[0].map((s) => plain(compute({ ...s, D: s.D ?? Infinity }, 40)));
"""


def random_settings(count, seed):
    """Settings over the sliders' ranges, short of their ends where nothing happens."""
    rng = np.random.default_rng(seed)
    between = lambda low, high: float(np.exp(rng.uniform(np.log(low), np.log(high))))  # noqa: E731
    return [
        {
            "N": 2 * round(between(4, 250)),
            "K": round(between(30, 1e5)),
            "D": [31, 63, 127, None][rng.integers(4)],
            "labels": ["iid", "iid", "balanced"][rng.integers(3)],
            "mean": rng.uniform(-1.5, 1.5),
            "std": rng.uniform(0.1, 1.5),
            "decay": 0.0 if rng.random() < 0.4 else between(1e-5, 1e-2),
            "A": between(0.5, 20),
            "nu": rng.uniform(0.4, 1.1),
            "T": between(1e3, 1e6),
        }
        for _ in range(count)
    ]


def model_of(s, endless=False):
    task = Task(s["N"], math.inf if endless else s["K"], s["D"] or math.inf, s["labels"])
    memory = None if endless else PowerLawMemory(s["A"], s["nu"])
    decay = 0.0 if endless else s["decay"]
    return CoupledModel(task, memory, decay_w=decay, decay_beta=decay)


def critical_beta(s):
    """β0 that just acquires ICL by T: the edge found on grids of ensembles, each 40 times finer than the last."""
    low, high = s["mean"] - 5.5 * s["std"], s["mean"] + 5.5 * s["std"]
    for _ in range(3):
        grid = np.linspace(low, high, 41)
        acquired = np.isfinite(coupled_acquisition_time(model_of(s), grid, budget=s["T"], rtol=1e-8))
        # from w0 = 0 and β0 above the level ICL is there at once, also where decay takes it within the first step
        acquired |= grid > acquired_beta(model_of(s).task)
        assert np.all(np.diff(acquired.astype(int)) >= 0)  # a larger β0 never loses
        if acquired.all() or not acquired.any():
            return -math.inf if acquired.all() else math.inf
        first = int(acquired.argmax())
        low, high = grid[first - 1], grid[first]
    return 0.5 * (low + high)


def coupled_threshold(s):
    """K that just acquires by T under the coupled equations, on grids of ensembles, each finer than the last."""
    low, high = 0.0, math.log(1e12)
    for _ in range(4):
        grid = np.linspace(low, high, 31)
        parameters = {"task_diversity": np.exp(grid)}
        start = np.full(grid.shape, s["mean"])
        times = coupled_acquisition_time(model_of(s), start, budget=s["T"], rtol=1e-8, parameters=parameters)
        acquired = np.isfinite(times) | (s["mean"] > acquired_beta(model_of(s).task))
        assert np.all(np.diff(acquired.astype(int)) >= 0)  # a larger K never loses
        if not acquired.any():
            return math.inf
        if acquired[0]:
            return math.exp(low)
        first = int(acquired.argmax())
        low, high = grid[first - 1], grid[first]
    return math.exp(0.5 * (low + high))


def reference(s):
    """The same quantities from theory and simulate."""
    model = model_of(s)
    times = np.geomspace(1.0, s["T"], 40)
    times[-1] = s["T"]
    run = solve(model, [0.0, s["mean"], 0.0], (0.0, s["T"]), rtol=1e-8, atol=1e-11, times=times)
    assert run.success
    curves = observables(model, run.w, run.beta, run.memory)
    endless = coupled_acquisition_time(model_of(s, endless=True), s["mean"], budget=1e15, rtol=1e-8)
    clock = float(endless) / 2 if np.isfinite(endless) else math.inf
    acquired, lost = run.events["acquired"], run.events["lost"]
    if s["labels"] == "balanced" and s["D"] is None:
        lost = math.nan  # the level is β = 0, to which β decays from above: a crossing there is rounding
    curves["icl_accuracy"][np.abs(run.w) < 1e-6] = math.nan  # decayed: the sign of what is left is rounding
    del curves["c1"]
    return {
        "curves": {**curves, "clock": run.clock, "w": run.w, "beta": run.beta},
        "acquired": acquired,
        "lost": lost,
        "clock": clock,
        "threshold": threshold(model.task, model.memory, s["mean"], budget=s["T"], clock=clock).value
        if math.isfinite(clock)
        else math.inf,
        "coupledThreshold": coupled_threshold(s),
        "probability": float(ndtr((s["mean"] - critical_beta(s)) / s["std"])),
        "phase": "no ICL" if math.isnan(acquired) else "lasting" if math.isnan(lost) else "transient",
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return explorer.write(tmp_path_factory.mktemp("explorer") / "explorer.html")


@pytest.fixture(scope="module")
def compared(browser, page):
    """(settings, the page's numbers, Python's numbers) of every random setting."""
    settings = random_settings(SETTINGS, seed=20261123)
    browser.open(page)
    return list(zip(settings, browser.run(NUMBERS, settings), map(reference, settings), strict=True))


def test_curves_agree(compared):
    for settings, found, expected in compared:
        for name, values in expected["curves"].items():
            error = np.abs(np.array(found["curves"][name]) - values) / np.maximum(np.abs(values), 1.0)
            assert np.nanmax(error) < TOLERANCE, (name, error, settings)


@pytest.mark.parametrize("name", ["acquired", "lost", "clock", "threshold", "coupledThreshold"])
def test_times_clock_and_threshold_agree(compared, name):
    for settings, found, expected in compared:
        assert float(found[name]) == pytest.approx(expected[name], rel=TOLERANCE, nan_ok=True), settings


def test_phases_and_probabilities_agree(compared):
    for settings, found, expected in compared:
        assert found["phase"] == expected["phase"], settings
        assert found["probability"] == pytest.approx(expected["probability"], abs=TOLERANCE), settings


def test_the_settings_cover_every_phase(compared):
    """Or the comparison would say little."""
    assert {expected["phase"] for _, _, expected in compared} == {"no ICL", "transient", "lasting"}
    assert sum(0.02 < expected["probability"] < 0.98 for _, _, expected in compared) >= SETTINGS // 4
    assert sum(math.isfinite(expected["threshold"]) for _, _, expected in compared) >= SETTINGS // 2


def test_the_comparison_can_fail(browser, page):
    """A page that computes with ν half a percent off is told apart."""
    settings = explorer.DEFAULTS | {"std": 0.5}
    browser.open(page)
    (off,) = browser.run(NUMBERS, [settings | {"nu": settings["nu"] * 1.005}])
    expected = reference(settings)
    assert abs(off["probability"] - expected["probability"]) > TOLERANCE
    assert abs(off["acquired"] / expected["acquired"] - 1) > TOLERANCE


def test_the_race_curve_is_the_theorys(browser, page):
    """At each β0 the K that just wins by T; 0.2 % of the closed form's times move K by 1/ν of it and a bit more."""
    settings = explorer.DEFAULTS
    browser.open(page)
    (found,) = browser.run(NUMBERS, [settings])
    memory, task = PowerLawMemory(settings["A"], settings["nu"]), Task(settings["N"], dimension=settings["D"])
    told = [(float(k), p) for k, p in found["race"] if 1 < float(k) < 1e7]
    assert len(told) >= 4
    for diversity, probability in told:
        beta0 = settings["mean"] - settings["std"] * float(ndtri(probability))
        expected = threshold(task, memory, beta0, budget=settings["T"]).value
        assert diversity == pytest.approx(expected, rel=2e-3 * 1.2 / settings["nu"])


def test_the_command_and_the_readme_say_the_same(browser, page):
    """K* at the same N, D, β0 and T, from the same memory law: explorer, command line, README and Python."""
    s = explorer.DEFAULTS
    browser.open(page)
    (found,) = browser.run(NUMBERS, [s])
    words = [
        "curves",
        "threshold",
        "-N",
        s["N"],
        "-D",
        s["D"],
        "--beta0",
        s["mean"],
        "-A",
        s["A"],
        "--exponent",
        s["nu"],
    ]
    told = CliRunner().invoke(app, [*map(str, words), "--json"])
    (row,) = json.loads(told.stdout)
    assert row["budget"] == s["T"]  # the command's own, if none is given
    assert found["threshold"] == pytest.approx(row["threshold"], rel=3e-3)
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (line,) = re.findall(r"threshold\(task, memory, beta0=0.0, budget=1e5\).*: (\d+)$", readme, re.MULTILINE)
    assert float(line) == pytest.approx(row["threshold"], abs=0.5)
    # what the page says of a K agrees with the K* that it shows
    near = [{**s, "K": found["coupledThreshold"] * factor} for factor in (0.99, 1.01)]
    assert [one["phase"] for one in browser.run(NUMBERS, near)] == ["no ICL", "lasting"]


def test_the_lone_memorys_clock_is_the_theorys_and_stays_below_all_there_is(browser, page):
    s = explorer.DEFAULTS
    browser.open(page)
    (found,) = browser.run(NUMBERS, [s])
    memory = PowerLawMemory(s["A"], s["nu"])
    times, clock = np.array(found["lone"]["x"]), np.array(found["lone"]["y"])
    assert np.all(clock <= found["total"]) and times[-1] == pytest.approx(s["T"], rel=1e-6)
    for t, reading in list(zip(times, clock, strict=True))[5::40]:
        assert time_of_clock(memory, reading, s["K"]) == pytest.approx(t, rel=1e-5)


def test_a_slider_is_drawn_at_once(browser, page):
    """In the frame after its change, and within so many evaluations of the field that 50 ms of two cores hold them."""
    browser.open(page)
    found = browser.run("""
        const changes = [["K", 0.2], ["K", 0.6], ["N", 0.7], ["decay", 0.7], ["decay", 0.9], ["mean", 0.8],
          ["std", 0.4], ["A", 0.8], ["nu", 0.9], ["T", 0.9], ["T", 0.6], ["K", 0.35], ["decay", 0], ["mean", -0.6],
          ["N", 0.5]];
        let evaluations = 0;
        const own = field;
        field = (...given) => { evaluations++; return own(...given); };
        return changes.map(([key, value]) => {
          const before = document.querySelector("#charts").innerHTML, element = document.getElementById(key);
          evaluations = 0;
          element.value = value;
          element.dispatchEvent(new Event("input", { bubbles: true }));
          return [evaluations, before !== document.querySelector("#charts").innerHTML];
        });
    """)
    assert all(changed for _, changed in found)
    median = float(np.median([evaluations for evaluations, _ in found]))
    print(f"evaluations of the field from a slider's change to its chart, median: {median:,.0f}")
    assert median < EVALUATIONS


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_stands_alone(browser, page, width):
    browser.open(page, width=width, height=844)
    assert browser.problems() == []
    assert browser.overflow() == 0
    shown = browser.run("""return {
        charts: [...document.querySelectorAll("svg.plot")].map((svg) => svg.querySelectorAll("path").length),
        smallest: Math.min(...[...document.querySelectorAll("svg.plot text, small, label")]
          .map((e) => parseFloat(getComputedStyle(e).fontSize))),
        controls: [...document.querySelectorAll(".control")].every((e) =>
          e.querySelector("label") && e.querySelector("small").textContent.length > 20),
        verdict: document.getElementById("verdict").textContent,
        numbers: [...document.querySelectorAll("#numbers dd")].map((e) => e.textContent) }""")
    assert len(shown["charts"]) == 4 and min(shown["charts"]) > 8
    assert shown["smallest"] >= 12
    assert shown["controls"]
    assert "K = 1,000" in shown["verdict"]
    assert len(shown["numbers"]) == 8 and all(shown["numbers"])


def test_every_control_counts_and_reset_restores(browser, page):
    browser.open(page)
    for key, value in {"labels": "balanced", "D": "Infinity", "decay": "0.6", "T": "0.4"}.items():
        browser.run("const e = document.getElementById(arguments[0]); e.value = arguments[1];"
                    "e.dispatchEvent(new Event('input', {bubbles: true}))", key, value)  # fmt: skip
    settings = browser.run("const s = readAll(); return {...s, D: String(s.D)}")
    assert settings["labels"] == "balanced" and settings["D"] == "Infinity" and 0 < settings["decay"] < 1e-2
    browser.run("document.querySelector('button').click()")
    assert browser.run("return readAll()") == pytest.approx(explorer.DEFAULTS)
    assert browser.problems() == []


def test_the_constants_are_the_packages():
    found = explorer.constants()
    assert found["level_deviate"] * math.sqrt(98) == pytest.approx(math.exp(acquired_beta(Task(99))), rel=1e-14)
    nodes, weights = np.array(found["nodes"]), np.array(found["weights"])
    assert weights.sum() == pytest.approx(1.0, abs=1e-14)
    assert weights @ nodes**4 == pytest.approx(3.0, rel=1e-12)


def test_the_page_is_one_file_with_the_chosen_defaults(tmp_path):
    text = explorer.page({"K": 300, "D": math.inf})
    assert not re.search(r"(src|href)\s*=|@import|url\(", text)
    constants = json.loads(re.search(r"const CONSTANTS = (\{.*\});", text)[1])
    assert constants["defaults"]["K"] == 300 and constants["defaults"]["D"] is None
    with pytest.raises(ValueError, match="Argument 'defaults' must name some of N, K"):
        explorer.page({"gamma": 1.0})


def test_the_address_holds_the_settings_and_nothing_that_is_out_of_range(browser, page):
    browser.open(page)
    address = f"{Path(page).resolve().as_uri()}#K=300&labels=balanced&N=50&D=Infinity&std=0.5&A=1e9&nu=&bogus=1"
    browser.driver.get("about:blank")
    browser.driver.get(address)
    settings = browser.run("const s = readAll(); return {...s, D: String(s.D)}")
    chosen = {"K": 300, "labels": "balanced", "N": 50, "D": "Infinity", "std": 0.5}
    assert settings == pytest.approx({**explorer.DEFAULTS, **chosen})
    assert browser.run("return location.hash") == "#N=50&K=300&labels=balanced&D=Infinity&std=0.5"
    browser.run("const e = document.getElementById('T'); e.value = 0;"
                "e.dispatchEvent(new Event('input', {bubbles: true}))")  # fmt: skip
    assert "T=100" in browser.run("return location.hash")
    browser.run("document.querySelector('button').click()")
    assert browser.run("return location.hash") == ""
    assert browser.problems() == []


def test_on_a_phone_a_chart_stays_in_view_while_any_slider_moves(browser, page):
    browser.open(page, width=390, height=844)
    for key in browser.run("return [...document.querySelectorAll('#controls input')].map((e) => e.id)"):
        browser.run("document.getElementById(arguments[0]).scrollIntoView({block: 'end'})", key)
        chart, slider = browser.run("""
            const box = (e) => { const r = e.getBoundingClientRect(); return [r.top, r.bottom]; };
            return [box(document.querySelector("svg.plot")), box(document.getElementById(arguments[0]))];
            """, key)  # fmt: skip
        assert 0 <= chart[0] < chart[1] <= slider[0] + 1 and slider[1] <= 845, key


def test_every_control_and_chart_says_what_it_is_without_being_seen(browser, page):
    browser.open(page)
    told = browser.run("""
        const name = (e) => e.labels.length && e.labels[0].textContent;
        const help = (e) => document.getElementById(e.getAttribute("aria-describedby")).textContent;
        return { controls: [...document.querySelectorAll("#controls input, #controls select")].map((e) =>
            [name(e), help(e), e.tagName === "SELECT" || e.getAttribute("aria-valuetext")]),
          charts: [...document.querySelectorAll("svg.plot")].map((e) => e.getAttribute("aria-label")) };""")
    assert len(told["controls"]) == 10 and all(all(words) for words in told["controls"])
    assert told["charts"][2].startswith("The race: alone the memory's clock ends at 491; ICL needs 140")
    browser.run("const e = document.getElementById('K'); e.focus()")
    before = browser.run("return readAll().K")
    from selenium.webdriver.common.keys import Keys

    browser.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert browser.run("return readAll().K") > before
