"""The commands that list: presets and figures, claims of a folder, and how far a folder has come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .options import TABLE, argument, option, text, with_options
from .tables import print_rows, show, write_rows


@with_options(
    folder=argument(Path, "A folder made by `iclrace validate`."),
    where=text(help="Only claims that meet this, such as 'quantity == K* and network == transformer'.", default=""),
    **TABLE,
)
def results(given: Any) -> None:
    """List the claims of a folder: predicted, measured and the verdict, filtered by any field or coordinate."""
    import json

    from ..figures.verdicts import COLUMNS, cells
    from ..validate import read_summary

    claims = read_summary(given.folder).claims
    claims = claims.where(given.where) if given.where else claims
    if given.csv_file is not None:
        write_rows(given.csv_file, claims.rows())
    if given.as_json:
        from ..validate.training.config import json_text

        print(json.dumps(json.loads(json_text([claim.as_json() for claim in claims]))))
        return
    if not claims:
        print("no claim meets this")
        return
    named = zip(claims.names, claims, strict=True)
    print_rows(str(given.folder), [dict(zip(COLUMNS, cells(name, claim), strict=True)) for name, claim in named])


@with_options(
    folder=argument(Path, "A folder made by `iclrace validate`, with several conditions."),
    quantity=text(help='What is predicted: K*, t_ICL or "final accuracy".', default="K*"),
    network=text(help="Of which network.", default="transformer"),
    part=text(help="Of which part of it: whole or circuit.", default="whole"),
    against=text(help="The predictor that the others are tested against; the theory's by default.", default=""),
    more=option(list[str], "--with", help='A rival of your own as "package.module:object".'),
    conditions=option(bool, help="A row for every condition and predictor instead.", default=False),
    **TABLE,
)
def rivals(given: Any) -> None:
    """Score every predictor, the theory's own and its rivals, on the conditions of a folder; lower is better."""
    from ..theory.common.arguments import choice
    from ..validate.experiments.outcomes import FINAL
    from ..validate.rivals import compare, compare_accuracy, predictors, rival_named
    from ..validate.rivals import conditions as conditions_of

    own = [rival_named(name) for name in given.more or ()]
    quantity, network, of_accuracy = given.quantity, given.network, given.quantity == FINAL
    if of_accuracy:
        choice("part", given.part, ["whole"])
    predicted = "K*" if of_accuracy else quantity  # the accuracy follows from K*
    known = conditions_of(given.folder, predicted, network, given.part)
    compared = (compare_accuracy if of_accuracy else compare)(known, predictors(known, predicted, own), given.against)
    rows = compared.by_condition() if given.conditions else compared.rows()
    left = f", {compared.left_out} more without two ends" if compared.left_out else ""
    show(given, f"{quantity} of the {network} at {len(compared.known)} conditions of {given.folder}{left}", rows)


@with_options(preset=argument(str | None, "A preset, by name or file: lists its experiments.", default=None), **TABLE)
def everything(given: Any) -> None:
    """List presets, or the experiments of one, with their networks and minutes; `figure --list` has figures."""
    from ..validate import PRESETS
    from ..validate.plan import costs
    from ..validate.run import chosen

    if given.preset is not None:
        show(given, f"experiments of {given.preset}", plan_rows(costs(chosen(given.preset).experiments)))
        return
    rows: list[dict[str, Any]] = []
    for name, preset in PRESETS.items():
        parts = costs(preset.experiments)
        rows.append(
            {
                "preset": name, "experiments": len(parts), "runs": sum(part.runs for part in parts),
                "hours": sum(part.minutes for part in parts) / 60, "description": preset.description,
            }
        )  # fmt: skip
    show(given, "presets", rows)


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


@with_options(folder=argument(Path, "A folder that `iclrace validate` works in, or has worked in."), **TABLE)
def status(given: Any) -> None:
    """Tell what is done, missing and left of the last call of `iclrace validate` in a folder.

    Of finished results that were kept without their runs, as the stored reference is, what they hold.
    """
    from ..validate import read_summary
    from ..validate.plan import progress

    if (given.folder / "plan.json").exists() or not (given.folder / "summary.json").exists():
        show(given, str(given.folder), progress(given.folder))
        return
    show(given, f"{given.folder}: finished results, without the runs", read_summary(given.folder).verdicts())
    if not given.as_json:
        print(f"`iclrace results {given.folder}` lists the claims, `iclrace report {given.folder}` shows them")
