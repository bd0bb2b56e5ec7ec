"""Memory of a network of one's own, and the K* it leads to. `marimo edit docs/notebooks/own_network.py`."""

import marimo

app = marimo.App(app_title="iclrace: your own network")


@app.cell
def _():
    import marimo as mo
    import numpy as np
    import torch

    from iclrace.theory import MeasuredMemory, Task, threshold

    return MeasuredMemory, Task, mo, np, threshold, torch


@app.cell
def _(mo):
    mo.md(
        r"""# Your own network
        `network` stands for the part of yours that reads the target alone. It is trained on K items without a context;
        the theory needs no more of it than $c_1 = \langle\sigma(-\varphi)\rangle$ over their margins.
        """
    )


@app.cell
def _(torch):
    def alone(diversity, dimension=31, rate=0.5, steps=1200, seed=0):
        """c1 after every step of full-batch gradient descent on K items."""
        torch.manual_seed(seed)
        network = torch.nn.Sequential(torch.nn.Linear(dimension, 64), torch.nn.GELU(), torch.nn.Linear(64, 1))
        items = torch.randn(diversity, dimension) / dimension**0.5
        labels, time = 1.0 - 2.0 * (torch.arange(diversity) % 2), [rate * step for step in range(steps)]
        optimiser, c1 = torch.optim.SGD(network.parameters(), lr=rate), []
        for _ in range(steps):
            margins = labels * network(items).squeeze(-1)
            c1.append(float(torch.sigmoid(-margins.detach()).mean()))
            optimiser.zero_grad()
            torch.nn.functional.softplus(-margins).mean().backward()
            optimiser.step()
        return {"task_diversity": [diversity] * steps, "time": time, "c1": c1}

    return (alone,)


@app.cell
def _(MeasuredMemory, Task, alone, mo, np, threshold):
    curves = [alone(K) for K in (8, 16, 32, 64, 128)]
    memory = MeasuredMemory.from_table({name: np.concatenate([curve[name] for curve in curves]) for name in curves[0]})
    star = threshold(Task(16, dimension=31), memory, beta0=0.0, budget=600.0)
    mo.md(f"**K\\* = {star.value:.0f}** by t = 600, at N = 16 and β0 = 0.")
    return curves, memory, star


if __name__ == "__main__":
    app.run()
