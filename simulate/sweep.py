"""Grids of ensembles as labelled datasets, kept on disk under the hash of everything that determines them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from .. import theory
from ..theory import MeasuredMemory
from ..theory.common.arguments import instance, integer, named, number, real, require, within_memory
from ..theory.common.files import netcdf, read_netcdf, written_whole
from .calls.run import check_levels
from .ensemble import solve_ensemble
from .model import PARAMETERS, CoupledModel, EventLevels

if TYPE_CHECKING:
    import xarray as xr

#: Axes that set the initial state.
INITIAL = ("beta0", "w0")
MOST_DRAWS = 10_000_000


def beta0_quantiles(mean: float, std: float, draws: int) -> np.ndarray:
    """β0 at the midpoints of ``draws`` equally probable intervals of N(mean, std²): a distribution without noise.

    Raises ``ValueError`` for draws < 1 or more than memory can hold solved, for std < 0, and for several draws of
    std = 0.

    Examples
    --------
    >>> beta0_quantiles(0.0, 1.0, 3).round(3).tolist()
    [-0.967, 0.0, 0.967]
    """
    draws = integer("draws", draws, minimum=1)
    within_memory(80.0 * draws, draws=draws)  # what a trajectory's results take (solve_ensemble)
    mean, std = number("beta0_mean", mean), number("beta0_std", std, minimum=0.0)
    require(std > 0.0 or draws == 1, "beta0_std", "be positive where there are several draws", std)
    require(draws <= MOST_DRAWS, "draws", f"be at most {MOST_DRAWS:,}", draws)
    quantiles = mean + std * ndtri((np.arange(draws) + 0.5) / draws)
    require(bool(np.all(np.diff(quantiles) > 0.0)), "beta0_mean", f"leave {draws} draws apart with this width", mean)
    return quantiles


def sweep(
    model: CoupledModel,
    axes: Mapping[str, ArrayLike],
    t_span: tuple[float, float],
    rtol: float = 1e-6,
    atol: float = 1e-9,
    *,
    levels: EventLevels | None = None,
    stop: str | None = None,
    cache: str | Path | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> xr.Dataset:
    """Every combination of the values on ``axes``, as a dataset with one dimension an axis.

    With ``cache`` each value of the first axis is one file in a directory named by the hash of the model, the other
    axes, the tolerances and the source of equations and solver; what is there is read, so that an interrupted sweep
    goes on where it stopped. Files appear whole or not at all, and hold numbers only.

    Parameters
    ----------
    model : CoupledModel
    axes : dict of one-dimensional array_like
        ``beta0`` and ``w0`` (0 where absent), and any of ``context_length``, ``task_diversity``, ``dimension``,
        ``label_std``, ``copies``, ``decay_w``, ``decay_beta``, ``rate_ratio``, or ``decay`` for both decays at once. A
        distribution of β0 is given by its quantiles: :func:`beta0_quantiles`.
    t_span, rtol, atol, levels, stop, threads
        As for :func:`solve_ensemble`.
    cache : path, optional
        Directory for results; created if absent.
    progress : callable (done, total), optional
        Called after every value of the first axis.

    Returns
    -------
    xarray.Dataset
        Event times, final state, clocks and status over the axes.

    Raises
    ------
    ValueError
        For an unknown or empty axis, or as :func:`solve_ensemble`.

    Source: as for :func:`solve_ensemble`.

    Examples
    --------
    >>> from iclrace.theory import Task
    >>> axes = {"context_length": [25, 50], "beta0": [0.0, 1.0]}
    >>> data = sweep(CoupledModel(Task(context_length=25)), axes, (0.0, 1e4), stop="acquired")
    >>> data["time_acquired"].round(0).values.tolist()
    [[72.0, 26.0], [141.0, 50.0]]
    """
    import xarray as xr

    instance("model", model, CoupledModel)
    require(progress is None or callable(progress), "progress", "be callable, or None", progress)
    grid = _check_axes(axes)
    model.check_parameters({"decay_w" if name == "decay" else name: grid[name] for name in grid if name not in INITIAL})
    levels = check_levels(levels)
    first, *rest = grid
    folder = None
    if cache is not None:
        tail = {name: grid[name].tolist() for name in rest}
        folder = Path(cache) / _digest(model, first, tail, t_span, rtol, atol, asdict(levels), stop)
        folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for done, value in enumerate(grid[first]):
        path = None if folder is None else folder / f"{first}={float(value).hex()}.nc"
        part = None if path is None else _read(path)
        if part is None:
            part = _solve_slab(model, {**grid, first: np.array([value])}, t_span, rtol, atol, levels, stop, threads)
            if path is not None:
                with written_whole(path) as partial:
                    partial.write_bytes(netcdf(part))
        parts.append(part)
        if progress is not None:
            progress(done + 1, len(grid[first]))
    whole: Any = xr.concat(parts, dim=first)
    return whole


def _check_axes(axes: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
    known = (*INITIAL, "decay", *PARAMETERS)
    require(isinstance(axes, Mapping), "axes", "be a mapping", axes)
    require(len(axes) >= 1, "axes", "hold at least one axis", axes)
    grid = {}
    for name, values in axes.items():
        require(name in known, "axes", f"name any of {', '.join(known)}", name)
        own: Any = values
        if named(own):
            require(own.dims == (name,), "axes", f"give values over their own dimension, {name!r}", own.dims)
            own = own.values
        least = 0.0 if name == "decay" else -np.inf
        array = real(name, own, minimum=least, finite=name not in ("task_diversity", "dimension"))
        require(array.ndim == 1 and array.size >= 1, name, "be a sequence of one or more values", values)
        require(len(np.unique(array)) == array.size, name, "hold every value once", values)
        grid[name] = array
    clash = "decay" in grid and ("decay_w" in grid or "decay_beta" in grid)
    require(not clash, "axes", "name either 'decay' or the two decays", tuple(grid))
    return grid


def _solve_slab(
    model: CoupledModel,
    grid: dict[str, np.ndarray],
    t_span: tuple[float, float],
    rtol: float,
    atol: float,
    levels: EventLevels,
    stop: str | None,
    threads: int | None,
) -> xr.Dataset:
    shape = tuple(map(len, grid.values()))
    open_grid = dict(zip(grid, np.meshgrid(*grid.values(), indexing="ij", sparse=True), strict=True))
    w, beta = (np.broadcast_to(open_grid.pop(name, np.zeros([1] * len(shape))), shape) for name in ("w0", "beta0"))
    if (decay := open_grid.pop("decay", None)) is not None:
        open_grid["decay_w"] = open_grid["decay_beta"] = decay
    runs = solve_ensemble(
        model, np.stack([w, beta], axis=-1), t_span, rtol, atol,
        parameters=open_grid, dims=tuple(grid), levels=levels, stop=stop, threads=threads,
    )  # fmt: skip
    return runs.to_dataset().assign_coords(grid)


def _digest(model: CoupledModel, *settings: Any) -> str:
    """Hash of everything that the numbers depend on, the source of the equations and of the solver included."""
    description = {"task": asdict(model.task), "settings": settings, "nodes": model.nodes, "rates": model.rate_ratio}
    description["decays"] = (model.decay_w, model.decay_beta)
    content = hashlib.sha256(json.dumps(description, sort_keys=True, default=float).encode())
    for column in model.contexts or ():
        content.update(column.tobytes())
    if isinstance(model.memory, MeasuredMemory):
        for run in model.memory.runs:
            for array in (run.clock, run.c1, run.margins, [run.task_diversity, run.total, model.memory.rate_ratio]):
                content.update(np.asarray(array, dtype=np.float64).tobytes())
    elif model.memory is not None:
        content.update(repr(model.memory).encode())
    for package in (theory.__file__, __file__):
        for source in sorted(Path(package).parent.rglob("*.py")):
            content.update(source.read_bytes())
    return content.hexdigest()[:24]


def _read(path: Path) -> xr.Dataset | None:
    """A finished part; None where there is none, or where it is damaged in any way and has to be computed again."""
    if not path.exists():
        return None
    try:
        return read_netcdf(path)
    except Exception:  # a flipped byte makes HDF5, h5py and xarray raise whatever they happen to
        return None
