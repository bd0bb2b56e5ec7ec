"""Experiments on the minimal model: at the size of an hour on two cores, and at the paper's own."""

from __future__ import annotations

from ..experiments import Experiment

WORKSTATION: tuple[Experiment, ...] = ()
PAPER: tuple[Experiment, ...] = ()
