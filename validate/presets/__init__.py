"""What ``iclrace validate`` trains: every number that decides a result stands here."""

from ..sequential import THREE, Looks
from . import knobs, minimal, minimal_paper, transformer, transience
from .base import Preset
from .controls import CONTROLS
from .coupling import COUPLING
from .laptop import LAPTOP
from .paper_cpu import PAPER_CPU
from .rivals import RIVALS
from .smoke import SMOKE

_PARTS = {"Minimal model": minimal, "Transience": transience, "Knobs": knobs, "Transformer": transformer}
WORKSTATION = Preset(
    name="workstation",
    description="the minimal model, and the transformer where no other preset asks: an hour and a half on two cores",
    experiments=(*minimal.WORKSTATION, *transience.WORKSTATION, *knobs.WORKSTATION, *transformer.WORKSTATION),
    note="\n\n".join(f"{part}: {' '.join(module.NOTE.split())}" for part, module in _PARTS.items()),
)
TRANSIENCE = Preset(
    name="transience",
    description="when ICL is lost: the minimal model at 40 fresh seeds, and the transformer; 45 minutes on two cores",
    experiments=transience.TRANSIENCE,
    note="\n\n".join(" ".join(part.split()) for part in transience.TRANSIENCE_NOTES),
)
PAPER = Preset(
    name="paper",
    description="every experiment at the paper's sizes (N=100, D=63, width 512), for a GPU",
    experiments=(*minimal_paper.PAPER, *transience.PAPER, *transformer.PAPER),
    looks=Looks(THREE),
)
PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (SMOKE, LAPTOP, WORKSTATION, TRANSIENCE, COUPLING, CONTROLS, RIVALS, PAPER_CPU, PAPER)
}

__all__ = ["PRESETS", "Preset"]
