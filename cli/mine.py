"""The preset of a network of the user's own, from the options of ``iclrace validate --preset mine``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from .options import option_name

if TYPE_CHECKING:
    from ..validate import Preset


def own_preset(preset: str, network: str | None, settings: dict[str, Any]) -> str | Preset:
    """The preset of the network that --network names; the name of any other preset, which takes no such options."""
    if preset != "mine":
        options = {"network": network, **settings}
        given = next((name for name, value in options.items() if value is not None), None)
        if given is not None:
            raise typer.BadParameter(f"be left out: the preset is {preset}, not mine", param_hint=option_name(given))
        return preset
    if network is None:
        raise typer.BadParameter("be given with --preset mine, as package.module:factory", param_hint="--network")
    from ..validate.presets.mine import mine

    sys.path.insert(0, "")  # modules of the folder that the command is called in
    return mine(network, **settings)
