"""Numerical solution of the coupled model: single trajectories, ensembles, sweeps and the theory curves on top."""

from .ensemble import Ensemble, acquisition_time, solve_ensemble
from .model import CoupledModel, EventLevels
from .observables import observables
from .solve import solve
from .trajectory import Trajectory

__all__ = [
    "CoupledModel",
    "Ensemble",
    "EventLevels",
    "Trajectory",
    "acquisition_time",
    "observables",
    "solve",
    "solve_ensemble",
]
