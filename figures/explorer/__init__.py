"""The explorer: one HTML page with sliders that solves the theory's equations where it is opened."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from ... import __version__
from ...simulate import CoupledModel
from ...theory import PowerLawMemory, Task, acquired_beta
from ...theory.accuracy import ACQUIRED
from ...theory.common.arguments import require
from ...theory.common.files import written_whole
from ...theory.numerics import rodas5p
from . import coupling

#: The page's own settings when it opens: figure 6d's context length, and the memory law of the paper's setting.
DEFAULTS: dict[str, Any] = {
    "N": 100, "K": 1000, "D": 63, "labels": "iid", "mean": 0.0, "std": 1.0, "decay": 0.0, "A": 3.9, "nu": 0.7, "T": 1e5,
}  # fmt: skip
#: The transformer's, in whose mode the page opens with ``model="transformer"``: the README's own N, D and T.
TRANSFORMER: dict[str, Any] = {"N": 15, "K": 512, "start": 0.0, "scale": 1.0, "r": 1.0, "decay": 0.0, "T": 125.0}
RTOL = 1e-6


def constants() -> dict[str, Any]:
    """Numbers that the page takes from the package: quadrature, method, accuracy level, the memory law's p and q."""
    memory = PowerLawMemory(DEFAULTS["A"], DEFAULTS["nu"])
    task = Task(2)  # one other label of deviation 1: e^β is the level's normal deviate
    nodes, weights = CoupledModel(task).quadrature()
    return {
        "version": __version__,
        "nodes": [*(-nodes[::-1]), *nodes],
        "weights": [*weights[::-1], *weights],
        "level": ACQUIRED,
        "level_deviate": math.exp(acquired_beta(task)),
        "margin_scale": memory.margin_scale,
        "growth_exponent": memory.growth_exponent,
        "rtol": RTOL,
        "coupling": coupling.stored(),
        "rodas5p": {
            "gamma": rodas5p.GAMMA,
            "a": rodas5p.A.tolist(),
            "c": rodas5p.C.tolist(),
            "h": [row.tolist() for row in (rodas5p.H1, rodas5p.H2, rodas5p.H3)],
        },
    }


def page(defaults: dict[str, Any] | None = None) -> str:
    """The explorer as one HTML text that needs nothing else.

    Parameters
    ----------
    defaults : dict, optional
        Settings in place of some of :data:`DEFAULTS`: N, K, D, labels ("iid" or "balanced"), mean and std of β0, decay
        λ, A and ν of I_K(∞) = A K^ν, and the training time T, each in the range of the page's slider. With "model":
        "transformer", in place of some of :data:`TRANSFORMER`: N, K, start (β0 in its deviations over initial weights),
        scale of W_Q and W_K, r, decay and T.

    Raises
    ------
    ValueError
        For a name that is in neither, or a model that is not known.
    """
    given = dict(defaults or {})
    model = given.pop("model", "minimal")
    require(model in ("minimal", "transformer"), "defaults", 'have "minimal" or "transformer" as its model', model)
    known = DEFAULTS if model == "minimal" else TRANSFORMER
    require(set(given) <= set(known), "defaults", f"name some of {', '.join(known)}", sorted(given))
    both = {"defaults": DEFAULTS, "transformer": TRANSFORMER}
    both["defaults" if model == "minimal" else "transformer"] = known | given
    folder = Path(__file__).parent
    # JSON has no infinity; the page reads null as D = ∞
    plain = {name: {k: None if v == math.inf else v for k, v in chosen.items()} for name, chosen in both.items()}
    numbers = {**constants(), "model": model, **plain}
    text = (folder / "page.html").read_text("utf-8")
    for mark, content in (
        ("/*CONSTANTS*/", json.dumps(numbers).replace("<", "\\u003c")),
        ("/*MODEL*/", (folder / "model.js").read_text("utf-8")),
        ("/*TRANSFORMER*/", (folder / "transformer.js").read_text("utf-8")),
        ("/*PAGE*/", (folder / "page.js").read_text("utf-8")),
    ):
        text = text.replace(mark, content)
    return text


def write(path: str | os.PathLike[str], defaults: dict[str, Any] | None = None) -> Path:
    """:func:`page` as a file, written under a temporary name and renamed."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(target) as partial:
        partial.write_text(page(defaults), "utf-8")
    return target
