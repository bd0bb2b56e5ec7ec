"""The peers of the work-precision diagram, each on the same equations with the same 16 nodes."""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import numba
import numpy as np
from scipy.integrate import solve_ivp

CORES = os.cpu_count() or 1
PEERS = {"numbalsoda": "numbalsoda", "diffrax": "diffrax"}
Run = Callable[[np.ndarray], np.ndarray]


def missing() -> str:
    return ", ".join(name for name, module in PEERS.items() if find_spec(module) is None)


def constants(case: Any) -> np.ndarray:
    """N − 1, decay, r_K, q, size of the state, then nodes and weights."""
    model = case.model
    x, p = np.polynomial.hermite_e.hermegauss(model.nodes)
    rate = 0.0 if model.memory is None else float(model.memory.rate(model.task.task_diversity))
    return np.array(
        [model.task.context_length - 1.0, model.decay_w, rate, 4.0 / 3.0, case.y0.shape[1], *x, *p / p.sum()]
    )


def available(case: Any) -> dict[str, tuple[Callable[[float], Run], int]]:
    """Constructor (tolerance → run) and number of trajectories of each installed peer; slow ones get fewer."""
    data = constants(case)
    peers: dict[str, tuple[Callable[[float], Run], int]] = {
        "scipy LSODA, numpy": (lambda tol: _scipy(case, data, "LSODA", numpy_field, tol), 16),
        "scipy DOP853, numpy": (lambda tol: _scipy(case, data, "DOP853", numpy_field, tol), 16),
        "scipy LSODA, compiled": (lambda tol: _scipy(case, data, "LSODA", compiled_field, tol), 32),
        "scipy DOP853, compiled": (lambda tol: _scipy(case, data, "DOP853", compiled_field, tol), 32),
    }
    if find_spec("numbalsoda"):
        peers["numbalsoda LSODA"] = (lambda tol: _numbalsoda(case, data, "lsoda", tol), 2000)
        peers["numbalsoda dop853"] = (lambda tol: _numbalsoda(case, data, "dop853", tol), 2000)
    if find_spec("diffrax"):
        peers["diffrax Tsit5"] = (lambda tol: _diffrax(case, data, "Tsit5", tol), 2000)
        peers["diffrax Dopri8"] = (lambda tol: _diffrax(case, data, "Dopri8", tol), 2000)
    return peers


def numpy_field(_: float, y: np.ndarray, data: np.ndarray) -> np.ndarray:
    """The field as a numpy user writes it."""
    others, decay, rate, power, size = data[:5]
    x, p = data[5:].reshape(2, -1)
    e = math.exp(y[1])
    n = math.sqrt(others) * x
    z = e + others
    margin = y[2] if size > 2 else 0.0
    residual = p / (1.0 + np.exp(margin + y[0] * (e + n) / z))
    dw = (residual * (e + n)).sum() / z - decay * y[0]
    db = y[0] * e * (residual * (others - n)).sum() / z**2 - decay * y[1]
    if size > 2:
        return np.array([dw, db, rate * (1.0 + margin) ** power * residual.sum()])
    return np.array([dw, db])


@numba.njit(cache=True, error_model="numpy")
def scalar_field(y: Any, out: Any, data: Any) -> None:
    """The field as a plain loop, for everybody who takes compiled code."""
    others, decay, rate, power, size = data[0], data[1], data[2], data[3], data[4]
    count = (len(data) - 5) // 2
    e = math.exp(y[1])
    z = e + others
    spread = math.sqrt(others)
    margin = y[2] if size > 2.0 else 0.0
    dw = db = total = 0.0
    for k in range(count):
        n = spread * data[5 + k]
        residual = data[5 + count + k] / (1.0 + math.exp(margin + y[0] * (e + n) / z))
        dw += residual * (e + n)
        db += residual * (others - n)
        total += residual
    out[0] = dw / z - decay * y[0]
    out[1] = y[0] * e * db / (z * z) - decay * y[1]
    if size > 2.0:
        out[2] = rate * (1.0 + margin) ** power * total


@numba.njit(cache=True, error_model="numpy")
def compiled_field(t: float, y: Any, data: Any) -> Any:
    out = np.empty(len(y))
    scalar_field(y, out, data)
    return out


#: What is compiled once and used at every tolerance.
_DRIVERS: dict[tuple[str, int | str], Any] = {}


def _scipy(case: Any, data: np.ndarray, method: str, field: Any, tolerance: float) -> Run:
    def run(y0: np.ndarray) -> np.ndarray:
        options: dict[str, Any] = {"method": method, "rtol": tolerance, "atol": tolerance, "args": (data,)}
        return np.array([solve_ivp(field, (0.0, case.end), state, **options).y[:, -1] for state in y0])

    return run


def _numbalsoda(case: Any, data: np.ndarray, method: str, tolerance: float) -> Run:
    import numbalsoda

    run_all = _numbalsoda_driver(method, case.y0.shape[1], len(data))
    times = np.array([0.0, case.end])

    def run(y0: np.ndarray) -> np.ndarray:
        out = np.empty_like(y0)
        pieces = np.array_split(np.arange(len(y0)), 4 * CORES)
        with ThreadPoolExecutor(CORES) as pool:
            list(pool.map(lambda part: run_all(y0, out, part, times, data, tolerance), pieces))
        return out

    assert numbalsoda is not None
    return run


def _numbalsoda_driver(method: str, size: int, length: int) -> Any:
    """A compiled loop over trajectories, without the interpreter lock."""
    if (method, size) in _DRIVERS:
        return _DRIVERS[method, size]
    from numbalsoda import dop853, lsoda, lsoda_sig

    @numba.cfunc(lsoda_sig)
    def right_hand_side(t, y, out, data):
        scalar_field(numba.carray(y, (size,)), numba.carray(out, (size,)), numba.carray(data, (length,)))

    address = right_hand_side.address
    integrate = lsoda if method == "lsoda" else dop853

    @numba.njit(nogil=True)
    def run_all(y0, out, part, times, data, tolerance):
        for i in part:
            solution, success = integrate(address, y0[i], times, data, rtol=tolerance, atol=tolerance)
            if success:
                out[i] = solution[-1]
            else:
                out[i] = np.nan

    # the callback must outlive the driver
    _DRIVERS[method, size] = run_all
    _DRIVERS[method + " callback", size] = right_hand_side
    return run_all


def _diffrax(case: Any, data: np.ndarray, method: str, tolerance: float) -> Run:
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    others, decay, rate, power, size = (float(value) for value in data[:5])
    x, p = jnp.asarray(data[5:].reshape(2, -1))

    def field(t: Any, y: Any, _: Any) -> Any:
        e, n = jnp.exp(y[1]), math.sqrt(others) * x
        z = e + others
        margin = y[2] if size > 2 else 0.0
        residual = p * jax.nn.sigmoid(-(margin + y[0] * (e + n) / z))
        dw = (residual * (e + n)).sum() / z - decay * y[0]
        db = y[0] * e * (residual * (others - n)).sum() / z**2 - decay * y[1]
        if size > 2:
            return jnp.stack([dw, db, rate * (1.0 + margin) ** power * residual.sum()])
        return jnp.stack([dw, db])

    def solve(y0: Any, tolerance: Any) -> Any:
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field), getattr(diffrax, method)(), 0.0, case.end, None, y0,
            stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
            saveat=diffrax.SaveAt(t1=True), max_steps=100_000,
        )  # fmt: skip
        return solution.ys[0]

    # the tolerance is an argument, so that a method is compiled once for all of them
    many = _DRIVERS.setdefault((case.name, method), jax.jit(jax.vmap(solve, in_axes=(0, None))))
    return lambda y0: np.asarray(many(y0, tolerance).block_until_ready())
