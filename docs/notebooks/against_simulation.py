"""The race in closed form against the coupled equations. `marimo edit docs/notebooks/against_simulation.py`."""

import marimo

app = marimo.App(app_title="iclrace: theory against simulation")


@app.cell
def _():
    import marimo as mo
    import numpy as np
    from matplotlib.figure import Figure

    from iclrace.simulate import CoupledModel, coupled_acquisition_time
    from iclrace.theory import PowerLawMemory, Task, acquisition_time, threshold

    return CoupledModel, Figure, PowerLawMemory, Task, acquisition_time, coupled_acquisition_time, mo, np, threshold


@app.cell
def _(mo):
    mo.md(
        r"""
        # Check the threshold against a simulation
        `threshold` gives $K^*$ in closed form; the coupled equations of memory and attention are integrated at each K
        beside it. Below $K^*$ ICL should never be acquired, and far above it at the time of $K → ∞$.
        """
    )


@app.cell
def _(CoupledModel, PowerLawMemory, Task, acquisition_time, coupled_acquisition_time, np, threshold):
    budget, memory = 1e4, PowerLawMemory(amplitude=3.9, exponent=0.7)
    star = threshold(Task(50, dimension=63), memory, beta0=0.0, budget=budget).value
    ratios = np.array([0.5, 0.8, 0.9, 1.1, 1.25, 2.0, 8.0, 64.0, 512.0])
    models = [CoupledModel(Task(50, float(star * ratio), 63), memory) for ratio in ratios]
    times = np.array([float(coupled_acquisition_time(model, beta0=0.0, budget=budget)) for model in models])
    endless = float(acquisition_time(Task(50, dimension=63), 0.0))
    return endless, ratios, star, times


@app.cell
def _(Figure, endless, mo, ratios, star, times):
    figure = Figure(figsize=(5, 2.8), layout="constrained")
    _ax = figure.subplots()
    _ax.loglog(ratios, times, "o", label="coupled equations")
    _ax.axvline(1, color="black", linestyle="--", label=f"$K^*$ = {star:.0f}")
    _ax.axhline(endless, color="black", linestyle=":", label=r"$t_{ICL}$ at $K → ∞$")
    _ax.set(xlabel="$K/K^*$", ylabel="$t_{ICL}$")
    _ax.legend()
    mo.vstack([figure, mo.md(f"Not acquired at K/K* = {', '.join(f'{x:g}' for x in ratios[times == float('inf')])}.")])
    return (figure,)


if __name__ == "__main__":
    app.run()
