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
    description="the minimal model, and the transformer where no other preset asks: 100 minutes on two cores",
    experiments=(*minimal.WORKSTATION, *transience.WORKSTATION, *knobs.WORKSTATION, *transformer.WORKSTATION),
    note="\n\n".join(f"{part}: {' '.join(module.NOTE.split())}" for part, module in _PARTS.items()),
)
REPLICATION = Preset(
    name="replication",
    description="the time of ICL's loss at 40 fresh seeds, 40 minutes on two cores",
    experiments=transience.REPLICATION,
    note=" ".join(transience.REPLICATION_NOTE.split()),
)
PAPER = Preset(
    name="paper",
    description="every experiment at the paper's sizes (N=100, D=63, width 512), for a GPU",
    experiments=(*minimal_paper.PAPER, *transience.PAPER, *transformer.PAPER),
    looks=Looks(THREE),
)
PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (SMOKE, LAPTOP, WORKSTATION, REPLICATION, COUPLING, CONTROLS, RIVALS, PAPER_CPU, PAPER)
}

__all__ = ["PRESETS", "Preset"]
