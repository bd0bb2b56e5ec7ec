"""Benchmarks write where their tables are quoted, and call a miss a miss; what they measure runs."""

from pathlib import Path

import pytest

from iclrace.benchmarks import scaling, wait
from iclrace.benchmarks.sections import markdown, write_section

ROOT = Path(__file__).parents[1]


def test_a_table_takes_the_place_of_the_one_before_and_touches_nothing_else(tmp_path):
    page = tmp_path / "RESULTS.md"
    page.write_text("before\n<!-- measured by make one -->\n\nold µ\n\n<!-- end of make one -->\nafter\n", "utf-8")
    write_section(markdown(["what", "s"], [["this", "1"]]), page, "one")
    table = "| what | s |\n| --- | --- |\n| this | 1 |"
    written = f"before\n<!-- measured by make one -->\n\n{table}\n\n<!-- end of make one -->\nafter\n"
    assert page.read_text("utf-8") == written
    with pytest.raises(ValueError, match="no place for what `make other` measures"):
        write_section("", page, "other")
    assert page.read_text("utf-8") == written


@pytest.mark.parametrize("command", ["bench-ode", "bench-train", "bench-wait", "bench-scaling"])
def test_results_have_a_place_for_every_command_that_writes_one(command, tmp_path):
    page = tmp_path / "RESULTS.md"
    page.write_text((ROOT / "benchmarks" / "RESULTS.md").read_text("utf-8"), "utf-8")
    write_section("a table", page, command)
    assert "a table" in page.read_text("utf-8")
    assert f"{command}:" in (ROOT / "Makefile").read_text("utf-8")


def test_a_goal_that_is_not_reached_is_called_missed(tmp_path):
    code = wait.readme_training(tmp_path)  # the README's own, and it can be run
    assert "train([few, many])" in code and compile(code, "README.md", "exec")
    one = wait.Wait("this", 0.2, ("-c", "pass"))
    assert wait.row(one, (0.2, 0.9))[-1] == "met" and wait.row(one, (0.21, 0.21))[-1] == "**missed**"


def test_a_command_that_fails_is_no_fast_command(tmp_path):
    with pytest.raises(RuntimeError, match="no such thing"):
        wait.elapsed(("-c", "raise SystemExit('no such thing')"), tmp_path)


def test_every_repeat_finds_a_new_folder_where_it_asks_for_one(tmp_path):
    makes = "import pathlib, sys; pathlib.Path(sys.argv[1]).mkdir()"  # fails where it is there already
    wait.measured(wait.Wait("this", 1.0, ("-c", makes, wait.NEW)), 2, tmp_path)
    with pytest.raises(RuntimeError, match="FileExistsError"):
        wait.measured(wait.Wait("this", 1.0, ("-c", makes, str(tmp_path / "kept"))), 2, tmp_path)


def test_what_is_waited_for_runs(tmp_path):
    """The commands that take no solving, once each."""
    light = [each for each in wait.waits(tmp_path) if each.goal <= 0.3 and not each.cold][:2]
    assert len(light) == 2
    for each in light:
        assert wait.elapsed(each.arguments, tmp_path) > 0.0


def test_slopes_of_the_scaling_table_are_those_of_a_power_law(tmp_path):
    points = [(10, 1.0, 100.0), (100, 10.0, 100.0), (1000, 1000.0, 900.0)]
    rows = scaling.table("networks", points).splitlines()[2:]
    assert [row.split("|")[3].strip() for row in rows] == ["", "1.00", "2.00"]
    scaling.plot({"networks": points, "trajectories": points}, tmp_path / "here" / "scaling.png")
    assert (tmp_path / "here" / "scaling.png").stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.parametrize(("axis", "size"), [("trajectories", 100), ("networks", 2)])
def test_a_point_of_the_scaling_table_is_measured(axis, size, monkeypatch):
    monkeypatch.setitem(scaling.SETTINGS, "steps", 2)
    seconds, peak = scaling.measured(axis, size)
    assert seconds > 0.0 and 20.0 < peak < 4000.0
