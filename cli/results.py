"""The commands that list: presets and figures, claims of a folder, and how far a folder has come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import CsvFile, Json
from .tables import print_rows, show, write_rows


def results(
    folder: Annotated[Path, typer.Argument(help="A folder made by `iclrace validate`.")],
    where: Annotated[
        str, typer.Option(help="Only claims that meet this, such as 'quantity == K* and network == transformer'.")
    ] = "",
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """List the claims of a folder: predicted, measured and the verdict, filtered by any field or coordinate."""
    import json

    from ..figures.verdicts import COLUMNS, cells
    from ..validate import read_summary

    claims = read_summary(folder).claims
    found = claims.where(where) if where else claims
    if csv_file is not None:
        write_rows(csv_file, found.rows())
    if as_json:
        from ..validate.training.config import json_text

        print(json.dumps(json.loads(json_text([claim.as_json() for claim in found]))))
        return
    if not found:
        print("no claim meets this")
        return
    print_rows(
        str(folder),
        [dict(zip(COLUMNS, cells(name, claim), strict=True)) for name, claim in zip(found.names, found, strict=True)],
    )


def rivals(
    folder: Annotated[Path, typer.Argument(help="A folder made by `iclrace validate`, with several conditions.")],
    quantity: Annotated[str, typer.Option(help='What is predicted: K*, t_ICL or "final accuracy".')] = "K*",
    network: Annotated[str, typer.Option(help="Of which network.")] = "transformer",
    part: Annotated[str, typer.Option(help="Of which part of it: whole or circuit.")] = "whole",
    against: Annotated[
        str, typer.Option(help="The predictor that the others are tested against; the theory's by default.")
    ] = "",
    more: Annotated[
        list[str] | None, typer.Option("--with", help='A rival of your own as "package.module:object".')
    ] = None,
    conditions: Annotated[bool, typer.Option(help="A row for every condition and predictor instead.")] = False,
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """Score every predictor, the theory's own and its rivals, on the conditions of a folder; lower is better."""
    from ..theory._arguments import choice
    from ..validate.experiments.outcomes import FINAL
    from ..validate.rivals import compare, compare_accuracy, predictors, rival_named
    from ..validate.rivals import conditions as conditions_of

    own = [rival_named(name) for name in more or ()]
    if quantity == FINAL:
        choice("part", part, ["whole"])
    predicted = "K*" if quantity == FINAL else quantity  # the accuracy follows from K*
    known = conditions_of(folder, predicted, network, part)
    found = (compare_accuracy if quantity == FINAL else compare)(known, predictors(known, predicted, own), against)
    rows = found.by_condition() if conditions else found.rows()
    left = f", {found.left_out} more without two ends" if found.left_out else ""
    title = f"{quantity} of the {network} at {len(found.known)} conditions of {folder}{left}"
    show(title, rows, None, as_json, csv_file, None)


def everything(
    preset: Annotated[str | None, typer.Argument(help="A preset, by name or file: lists its experiments.")] = None,
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """List presets, or the experiments of one, with their networks and minutes; `figure --list` has figures."""
    from ..validate import PRESETS
    from ..validate.plan import costs
    from ..validate.run import chosen

    if preset is not None:
        show(f"experiments of {preset}", plan_rows(costs(chosen(preset).experiments)), None, as_json, csv_file, None)
        return
    rows: list[dict[str, Any]] = []
    for name, one in PRESETS.items():
        parts = costs(one.experiments)
        rows.append(
            {
                "preset": name, "experiments": len(parts), "runs": sum(part.runs for part in parts),
                "hours": sum(part.minutes for part in parts) / 60, "description": one.description,
            }
        )  # fmt: skip
    show("presets", rows, None, as_json, csv_file, None)


def plan_rows(parts: Any) -> list[dict[str, Any]]:
    """Rows of a plan: what is to be trained, and about what it costs."""
    return [
        {
            "experiment": part.experiment, "runs": part.runs, "done": part.done, "to train": part.runs - part.done,
            "minutes": part.minutes, "MB": part.megabytes, "seeds": part.seeds, "bar": part.bar,
            "spread at 90 % power": part.spread,
        }
        for part in parts
    ]  # fmt: skip


def status(
    folder: Annotated[Path, typer.Argument(help="A folder that `iclrace validate` works in, or has worked in.")],
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """Tell what is done, missing and left of the last call of `iclrace validate` in a folder."""
    from ..validate.plan import progress

    show(str(folder), progress(folder), None, as_json, csv_file, None)
