"""Theory curves: when ICL is acquired, and from which K on. `marimo edit docs/notebooks/theory_curves.py`."""

import marimo

app = marimo.App(app_title="iclrace: theory curves")


@app.cell
def _():
    import marimo as mo
    import numpy as np
    from matplotlib.figure import Figure

    from iclrace.theory import PowerLawMemory, Task, acquisition_time, threshold_values

    return Figure, PowerLawMemory, Task, acquisition_time, mo, np, threshold_values


@app.cell
def _(mo):
    mo.md(
        r"""
        # Theory curves
        Without anything to memorise (K → ∞), ICL is acquired at $t_{ICL}(N, \beta_0)$. With K items it must come before
        the memory's clock stops at $I_K = A K^\nu$: that is so above $K^*$.
        """
    )


@app.cell
def _(PowerLawMemory, Task, acquisition_time, np, threshold_values):
    lengths, starts = np.array([25, 50, 100, 200, 400]), np.array([-1.0, 0.0, 1.0])
    memory = PowerLawMemory(amplitude=3.9, exponent=0.7)
    times = np.array([acquisition_time(Task(int(n), dimension=63), starts) for n in lengths])
    stars = np.array([threshold_values(Task(int(n), dimension=63), memory, starts) for n in lengths])
    return lengths, starts, stars, times


@app.cell
def _(Figure, lengths, mo, stars, starts, times):
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    for _ax, _values, _name in zip(figure.subplots(1, 2), (times, stars), ("$t_{ICL}$", "$K^*$"), strict=True):
        for _i, _beta0 in enumerate(starts):
            _ax.loglog(lengths, _values[:, _i], "o-", label=rf"$\beta_0$ = {_beta0:g}")
        _ax.set(xlabel="context length $N$", ylabel=_name)
        _ax.legend()
    mo.vstack([figure])
    return (figure,)


if __name__ == "__main__":
    app.run()
