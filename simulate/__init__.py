"""Numerical solution of the coupled model: single trajectories, ensembles, sweeps and the theory curves on top."""

from ..theory.decay.phases import PHASES
from .curves import balanced_fraction, coupled_acquisition_distribution, phase_diagram, transience
from .ensemble import Ensemble, coupled_acquisition_time, solve_ensemble
from .model import CoupledModel, EventLevels
from .observables import observables
from .solve import solve
from .sweep import beta0_quantiles, sweep
from .trajectory import Trajectory

__all__ = [
    "PHASES",
    "CoupledModel",
    "Ensemble",
    "EventLevels",
    "Trajectory",
    "coupled_acquisition_distribution",
    "coupled_acquisition_time",
    "balanced_fraction",
    "beta0_quantiles",
    "observables",
    "phase_diagram",
    "solve",
    "solve_ensemble",
    "sweep",
    "transience",
]


def __dir__() -> list[str]:
    """What is public, without the modules it comes from."""
    return sorted(__all__)
