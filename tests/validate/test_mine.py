"""K* of a network of the user's own, from definition to verdict: predicted before it is measured, resumed, drawn."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from iclrace import figures
from iclrace.figures import report as report_page
from iclrace.validate import Run, run
from iclrace.validate.data.items import items_named
from iclrace.validate.presets.mine import mine
from iclrace.validate.run import chosen


class Reader(nn.Module):
    """The minimal model as somebody else would write it: an item's own memory, and one head that copies a label."""

    def __init__(self, size, width):
        super().__init__()
        self.memory = nn.Sequential(nn.Linear(size, width), nn.ReLU(), nn.Linear(width, 1))
        self.w, self.beta = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def forward(self, tokens):
        items, labels, target = tokens[:, :-1, :-2], tokens[:, :-1, -2] - tokens[:, :-1, -1], tokens[:, -1, :-2]
        attention = (self.beta * (items * target[:, None]).sum(-1)).softmax(-1)
        return self.memory(target).squeeze(-1) + self.w * (attention * labels).sum(-1)


def reader(run):
    return Reader(int(run.task.dimension), run.width)


TOY = {"width": 32, "learning_rate": 0.5, "batch_size": 64, "budget": 60.0, "test_size": 200, "seeds": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("mine")
    return out, run(mine(reader, 6, 8, task_diversity=[8, 32, 128, 512], **TOY), out, progress=False)


def test_it_is_predicted_from_scrambled_and_endless_networks_and_measured_on_others(folder):
    _, report = folder
    star = report.claims.select(quantity="K*", method="scrambled networks")[0]
    assert 8 < star.predicted.value < 512 and 8 <= star.measured.value <= 512
    told = " ".join(star.inputs)
    assert "t_ICL(K → ∞)" in told and "I_K(t = budget)" in told
    experiment = report.preset.experiments[0]
    calibration = [one for jobs in experiment.calibration().values() for one in jobs]
    networks = [one for jobs in experiment.networks().values() for one in jobs]
    assert not {one.seed for one in calibration} & {one.seed for one in networks}
    assert all(one.scrambled or math.isinf(one.task.task_diversity) for one in calibration)
    assert {one.network for one in [*calibration, *networks]} == {f"{__name__}:reader"}


def test_a_second_call_trains_nothing_and_says_the_same(folder):
    out, report = folder
    spent = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("metrics.nc")}
    again = run(mine(reader, 6, 8, task_diversity=[8, 32, 128, 512], **TOY), out, progress=False)
    assert {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("metrics.nc")} == spent
    assert list(again.claims) == list(report.claims)


def test_figures_and_report_show_it(folder, tmp_path):
    out, report = folder
    results = figures.Results(out)
    pictures, _ = figures.save_all(results, tmp_path)
    drawn = {path.stem for path in pictures}
    assert {"accuracy_own", "verdicts"} <= drawn and not {"accuracy_minimal", "race", "accuracy_transformer"} & drawn
    star = report.claims.select(quantity="K*", method="scrambled networks")[0].predicted.value
    ax = figures.draw("accuracy_own", results).axes[0]
    assert any(f"= {star:.0f}" in str(line.get_label()) for line in ax.get_lines())
    assert ax.get_title() == "" or "reader" in ax.get_title()
    text = report_page.write_html([results], tmp_path / "report.html").read_text("utf-8")
    assert "reader" in text and "scrambled networks" in text


def test_the_scan_and_its_rules_follow_from_n():
    (experiment,) = mine(reader, 10, 8).experiments
    scan = experiment.scans["networks"]
    assert scan.task_diversity[0] == 40 and 1000 <= scan.task_diversity[-1] <= 1500
    ratios = np.divide(scan.task_diversity[1:], scan.task_diversity[:-1])
    assert np.all(np.abs(ratios - 1.5) < 0.1)
    assert {scan.task_diversity[0], scan.task_diversity[-1]} <= set(scan.scrambled)
    assert scan.run.budget == 80.0 and experiment.bar == 1.25


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"network": "no.such:thing"}, "network"),
        ({"seeds": 1}, "seeds"),
        ({"task_diversity": [8, 16]}, "task_diversity"),
        ({"task_diversity": [8, 16, 33]}, "task_diversity"),
        ({"budget": 0.0}, "budget"),
        ({"wdith": 8}, "settings"),
        ({"items": "iclrace.validate.examples:none"}, "items"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes, argument):
    with pytest.raises(ValueError, match=f"Argument '{argument}' must"):
        preset = mine(**{"network": reader, "context_length": 6, "dimension": 8, **changes})
        [job for one in preset.experiments for jobs in one.networks().values() for job in jobs]


def test_items_are_imported_by_name(tmp_path, monkeypatch):
    (tmp_path / "rows.py").write_text("import numpy as np\nrows = np.eye(8)\n\ndef made():\n    return rows / 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert np.array_equal(items_named("rows:rows"), np.eye(8)) and items_named("rows:made")[0, 0] == 0.5


def test_digits_are_centred_and_of_unit_length_on_average():
    pytest.importorskip("sklearn")
    rows = items_named("iclrace.validate.examples:digits")
    assert rows.shape == (1797, 64)
    assert np.abs(rows.mean(0)).max() < 1e-12 and np.mean(np.sum(rows**2, 1)) == pytest.approx(1.0)


def test_the_foreign_preset_is_found_by_name_and_shares_no_seed():
    pytest.importorskip("sklearn")
    preset = chosen("foreign")
    assert [one.name for one in preset.experiments] == ["digits", "pre_norm", "two_heads", "two_blocks"]
    for one in preset.experiments:
        seeds = [{job.seed for jobs in part().values() for job in jobs} for part in (one.calibration, one.networks)]
        assert not seeds[0] & seeds[1]


def test_the_command_takes_a_module_of_the_folder_it_is_called_in(tmp_path):
    source = "from torch import nn\n\ndef bag(run):\n    size = run.task.context_length + 1\n"
    source += (
        "    return nn.Sequential(nn.Flatten(), nn.Linear(size * (int(run.task.dimension) + 2), 1), nn.Flatten(0))\n"
    )
    (tmp_path / "mynet.py").write_text(source)
    words = ["validate", "--preset", "mine", "--network", "mynet:bag", "-N", "6", "-D", "8", "--dry-run", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "iclrace.cli", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["experiment"] == "own_threshold"


def test_any_module_is_trained_with_the_items_it_is_given():
    assert Run(reader, mine(reader, 6, 8).experiments[0].scans["networks"].run.task, 0).foreign
