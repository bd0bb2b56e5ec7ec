"""The report in a real browser, and the Markdown page: whole, self-contained, escaped."""

import math
import re
import shlex
import sys
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from itertools import takewhile

import pytest

from iclrace.cli import main
from iclrace.figures import FIGURES, Results, report
from iclrace.figures.questions import by_question
from iclrace.figures.report import reproduce, write_html, write_markdown
from iclrace.figures.verdicts import COLUMNS, cells, count, interval
from iclrace.theory import Estimate
from iclrace.validate import Claim, Claims, PValue, Range
from iclrace.validate.training.store import StoreError
from iclrace.validate.values import Answer

#: A claim whose words ask to be escaped.
ROW = {
    "quantity": "K* <script>alert(1)</script> & co | x",
    "predicted": 100.0,
    "measured": Estimate(12345.0, 11000.0, 14000.0),
    "bar": 1.25,
}


@pytest.fixture(scope="module")
def page(reference, tmp_path_factory):
    return write_html([reference], tmp_path_factory.mktemp("report") / "report.html")


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


SHOWN = """return [...document.querySelectorAll('table.verdicts tbody tr:not(.group)')].filter(r => r.checkVisibility())
    .map(r => [...r.cells].map(c => c.innerText))"""


def type_in(browser, words="", kind=""):
    browser.run("""const told = [["words", arguments[0]], ["kind", arguments[1]]];
        for (const [id, value] of told) document.getElementById(id).value = value;
        document.getElementById("words").dispatchEvent(new Event("input"))""", words, kind)  # fmt: skip


def plain(rows):
    """Symbols as the page shows them: an index stands below the line, not behind an underscore."""
    return [[re.sub(r"\b([tIL])_(ICL|IWL|loss|K)", r"\1\2", cell) for cell in row] for row in rows]


def asked_for(claims):
    """Rows in the order of the page: by question."""
    named = dict(zip(map(id, claims), claims.names, strict=True))
    return plain(cells(named[id(one)], one) for mine in by_question(claims).values() for one in mine)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_in_a_browser(browser, page, reference, width):
    browser.open(page, width, 900)
    assert browser.run(SHOWN) == []  # questions are closed
    first = browser.run("""return [...document.querySelectorAll(".first section")].map(s => [
        s.querySelector("h2").innerText, s.querySelectorAll("img").length, s.getBoundingClientRect().top])""")
    kinds = [claim.verdict.kind for claim in reference.claims if claim.verdict.kind != "reported"]
    told = [f"What {kind}: {kinds.count(kind)} of {len(kinds)}" for kind in ("holds", "fails")]
    assert [one[:2] for one in first] == [[title, 1] for title in ("What was asked", *told)]
    if width < 600:  # results first
        assert first[1][2] < 60 and first[1][2] < first[2][2] < first[0][2]
    browser.run("document.getElementById('open').click()")
    assert browser.run(SHOWN) == asked_for(reference.claims)
    pictures = browser.run("""[...document.images].forEach((i) => { i.loading = "eager"; });
        return Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth).catch(() => 0)))""")
    assert len(pictures) >= 10 and all(size > 100 for size in pictures)
    assert browser.problems() == [] and browser.overflow() == 0
    phone = browser.run("return getComputedStyle(document.querySelector('thead')).display") == "none"
    assert phone == (width < 600)
    size = browser.run("return Math.min(...[...document.querySelectorAll('td, figcaption, .first li')].map(e => "
                       "parseFloat(getComputedStyle(e).fontSize)))")  # fmt: skip
    assert size >= 13
    # an interval is never broken: one line high, wherever it stands
    broken = browser.run(
        "return [...document.querySelectorAll('.n')].filter(e => e.getClientRects().length > 1).length"
    )
    assert broken == 0
    assert browser.run("return document.querySelectorAll('td .n').length") > len(reference.claims) / 2


def test_filter_and_sort(browser, page, reference):
    browser.open(page, 1280, 900)
    everything = asked_for(reference.claims)
    type_in(browser, kind="fails")
    assert browser.run(SHOWN) == [row for row in everything if row[-1].startswith("fails")]
    assert browser.run("return document.getElementById('left').innerText") == f"4 of {len(everything)} rows"
    type_in(browser, "K*, Coupled equations")
    found = browser.run(SHOWN)
    assert found == [row for row in everything if "K*" in row[0] and "coupled equations" in row[0]] and found
    type_in(browser, "t_ICL, minimal")
    assert len(browser.run(SHOWN)) == 2  # an index is found as it is typed
    type_in(browser, "K = 204")
    assert browser.run(SHOWN) == []  # not K = 2048
    type_in(browser)
    browser.run("document.getElementById('open').click()")
    assert browser.run(SHOWN) == everything
    heads = "document.querySelector('#question-sharing thead').querySelectorAll('button')"
    column = "return [...document.querySelectorAll('#question-sharing tr[data-kind]')].map(r => r.cells[3].innerText)"
    before = browser.run(column)
    for turn in (1, -1):
        browser.run(f"{heads}[3].click()")
        values = [float(text.split()[0]) for text in browser.run(column) if text != "–"]
        assert values == sorted(values)[::turn] and len(values) > 5
        assert browser.run(column)[-2:] == ["–", "–"]  # what is no number comes last, either way
    browser.run(f"{heads}[3].click()")
    assert browser.run(column) == before


def test_links_open_what_they_lead_to(browser, page):
    browser.open(page, 1280, 900)
    closed = browser.run("""const links = [...document.querySelectorAll("a[href^='#']")];
        return (async () => {
          const closed = [];
          for (const link of links) {
            document.getElementById("close").click();
            link.click();
            await new Promise((done) => setTimeout(done));
            const target = document.getElementById(link.getAttribute("href").slice(1));
            if (!target?.checkVisibility() || target.closest("details:not([open])")) closed.push(link.href);
          }
          return [links.length, closed];
        })()""")
    assert closed[0] > 10 and closed[1] == []


def test_the_page_is_legible_without_scripts(page, reference):
    """Every claim, figure and question stands in the file itself."""
    text = page.read_text("utf-8")
    for question, claims in by_question(reference.claims).items():
        assert f'id="question-{question.name}"' in text and escape(question.asks) in text
        assert len(claims)
    failed = sum(claim.verdict.kind == "fails" for claim in reference.claims)
    assert f"What fails: {failed} of " in text[: text.index("<table")]


def test_the_page_needs_nothing_from_elsewhere(page, reference):
    text = page.read_text("utf-8")
    tags = Tags(text).found
    assert not [tag for tag, _ in tags if tag in ("link", "iframe")]
    (script,) = [attributes for tag, attributes in tags if tag == "script"]
    assert script == {}  # plain, in the file
    (policy,) = [attributes["content"] for tag, attributes in tags if attributes.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:;")
    sources = [attributes["src"] for _, attributes in tags if "src" in attributes]
    assert sources and all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert not re.search(r"url\(|@import|https?://", text)
    drawn = {attributes["id"] for tag, attributes in tags if tag == "figure"}
    assert {"accuracy_minimal", "clock_collapse", "landscape"} <= drawn <= set(FIGURES)
    for claim in reference.claims:
        assert all(escape(entry) in text for entry in claim.inputs)
    assert "torch" in text and "iclrace validate --preset laptop" in text
    assert len(text) < 8e6
    # what makes the figures that are not there
    missing = text[text.index("Do learning rates decide, or capacity?</h2>") :]
    assert "Kinetics or capacity: <code>iclrace validate --preset workstation -e kinetics --out" in missing
    assert not [one for one in FIGURES if one in drawn and f"{FIGURES[one].title}: <code>" in text]


@pytest.fixture
def one_figure(monkeypatch):
    """Pages with one figure of the theory, not with all."""
    entry = FIGURES["landscape"]
    monkeypatch.setattr("iclrace.figures.sections.available", lambda results: [(entry, entry.picture(results))])


def test_what_a_folder_says_is_escaped(folder, tmp_path, one_figure):
    folder.claim("threshold", **ROW)
    results = folder.results(note="chosen <afterwards>")
    html = write_html([results], tmp_path / "report.html").read_text()
    assert html.count("<script>") == 1 and "&lt;script&gt;alert(1)" in html
    assert "chosen &lt;afterwards&gt;" in html
    markdown = write_markdown([results], tmp_path / "RESULTS.md").read_text()
    (row,) = [line for line in markdown.splitlines() if line.startswith("| K")]
    assert row.replace("\\|", "").count("|") == len(COLUMNS) + 1
    assert "<script>" not in markdown
    assert "12300 [11000, 14000]" in row and "**fails by factor" in row


def test_two_folders_make_one_page_with_the_theory_once(reference, folder, tmp_path, one_figure):
    folder.claim("threshold", **ROW)
    text = write_html([reference, folder.results()], tmp_path / "both.html").read_text()
    assert text.count('<figure id="landscape">') == 1
    groups = re.findall(r'scope="rowgroup">([^<]*)<', text)
    assert "laptop: threshold" in groups and "workstation: threshold" in groups
    assert text.count("how to make it again") == 2


def test_the_committed_page_is_what_the_reference_results_say(reference, tmp_path):
    folders = sorted(path.parent for path in reference.directory.parent.glob("*/summary.json"))
    assert reference.directory in folders
    written = write_markdown([Results(one) for one in folders], tmp_path / "RESULTS.md", pictures=False)
    lines = written.read_text().splitlines()
    committed = (reference.directory.parents[2] / "docs" / "RESULTS.md").read_text().splitlines()
    said = "docs/RESULTS.md is older than results/reference; its second line says which command writes it"
    assert [line for line in committed if "Written by" not in line] == [
        line for line in lines if "Written by" not in line
    ], said


def test_the_readme_quotes_the_answers_of_the_page_and_every_row_of_the_laptop(reference):
    root = reference.directory.parents[2]
    readme, page = ((root / name).read_text().splitlines() for name in ("README.md", "docs/RESULTS.md"))
    told = readme[readme.index("<!-- answers -->") + 2 : readme.index("<!-- end of answers -->") - 1]
    start = page.index(told[0])
    assert len(told) > 10 and page[start : start + len(told) + 1] == [*told, ""]
    (head,) = [i for i, line in enumerate(readme) if line == f"| {' | '.join(COLUMNS)} |"]
    bold = {"holds": "**", "fails": "**"}
    rows = []
    for name, claim in zip(reference.claims.names, reference.claims, strict=True):
        *words, verdict = map(report._plain, cells(name, claim))
        mark = bold.get(claim.verdict.kind, "")
        rows.append(f"| {' | '.join(word.replace('|', chr(92) + '|') for word in words)} | {mark}{verdict}{mark} |")
    quoted = list(takewhile(lambda line: line.startswith("|"), readme[head + 2 :]))
    assert quoted and not set(quoted) - set(rows)


def test_words_of_the_table():
    claim = Claim("K*", "minimal", Estimate.exact(100.0), 1.25, measured=Estimate(12345.0, 0.0, math.inf))
    assert cells("K*", claim)[:3] == ("K*", "100", "12300 [0, ∞]") and cells("K*", claim)[4] == "× 1.25"
    difference = replace(claim, scale="difference", bar=0.1, measured=Range(100.0, 99.95, 100.05))
    assert cells("", difference)[3:] == ("difference 0 [-0.05, 0.05]", "± 0.1", "holds")
    assert cells("", replace(claim, predicted=None, bar=None))[1:5:2] == ("–", "–")
    asked = replace(claim, predicted=Answer(True), bar=0.01, measured=PValue(0.004, "dip"))
    assert cells("", asked)[1:] == ("yes", "p = 0.004", "–", "p < 0.01", "holds")
    assert interval(Estimate(0.0123456, 0.01, 0.0156)) == "0.0123 [0.01, 0.0156]"
    held = replace(claim, measured=Estimate.exact(100.0))
    claims = Claims([replace(claim, measured=Estimate.exact(200.0)), held, replace(held, bar=None)])
    assert count(claims) == "2 predictions: 1 hold, 1 fail, 0 undecided; 1 without a prediction or a bar"


def test_commands(reference, tmp_path, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["iclrace", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr()

    folder = reference.directory
    code, printed = run("figure", "4", "--out", tmp_path, "--format", "svg")
    assert code == 0 and (tmp_path / "landscape.svg").is_file() and "N = 100" in printed.out
    code, printed = run("figure", "clock_collapse", "--results", folder, "--out", tmp_path / "collapse.pdf")
    assert code == 0 and (tmp_path / "collapse.pdf").read_bytes().startswith(b"%PDF")
    code, printed = run("figure", "kinetics_or_capacity", "--results", folder, "--out", tmp_path)
    assert code == 2 and "iclrace validate --preset workstation -e kinetics" in printed.err
    assert run("figure", "4", "--format", "gif")[0] == 2
    assert run("figure", "99")[0] == 2
    code, printed = run("figure", "--list")
    assert code == 0 and all(name in printed.out for name in FIGURES)
    code, printed = run("report", folder, "--markdown", tmp_path / "RESULTS.md")
    assert code == 0 and (tmp_path / "RESULTS.md").is_file()
    (tmp_path / "summary.json").write_text("{}")
    code, printed = run("report", tmp_path)
    assert code == 1 and "summary.json" in printed.err and "another version" in printed.err
    with pytest.raises(StoreError):
        Results(tmp_path)


HOSTILE = "x; rm -rf ~ `id` $(id) <script>alert(1)</script>\n```\n# head\n[a](javascript:b) **b**"


def test_names_from_a_folder_are_text_in_markdown_and_words_in_the_shell(folder):
    folder.claim("exp | <b>", **ROW)
    folder.claim("exp | <b>", **ROW | {"quantity": HOSTILE}, method=HOSTILE, inputs=[HOSTILE])
    provenance = {HOSTILE: {HOSTILE: HOSTILE}}
    text = {"description": HOSTILE, "note": f"{HOSTILE}\n\n- item"}
    for preset in (HOSTILE, "workstation"):
        results = folder.results(preset=preset, provenance=provenance, **text)
        page = write_markdown([results], folder.path / "page of `x`.md").read_text("utf-8")
        (block,) = re.finditer(r"\n(`{3,})sh\n(.*)\n\1\n$", page, re.DOTALL)
        pictures = re.compile(r"^!\[[^\]\n]*\]\(images/results_\w+\.png\)$", re.MULTILINE)  # the page's own
        before, commands = pictures.sub("", page[: block.start()]), block[2]
        assert block[1] not in commands
        assert not re.search(r"<(?!!)\w", before) and "](" not in before and "**b**" not in before
        heads = [line for line in before.splitlines() if line.lstrip("- ").startswith("#")]
        assert len(heads) == 5 and "```" not in before  # the page, two questions, what was known, the preset
        for line in commands.splitlines():
            words = shlex.split(line, comments=True)
            assert not words or words[0] == "iclrace"
            assert all(word not in ("id", ";", "rm") for word in words)
        html = write_html([results], folder.path / "page.html").read_text("utf-8")
        assert [tag for tag, _ in Tags(html).found].count("script") == 1


def test_a_preset_in_toml_is_one_of_the_package(reference):
    foreign = Results(reference.directory.parent / "foreign")
    assert reproduce(foreign)[0] == "iclrace validate --preset foreign --out results/foreign"
