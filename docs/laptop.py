"""The laptop results as a notebook with sliders: `marimo edit docs/laptop.py`, or `marimo run` to read only."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="iclrace: the laptop results")


@app.cell
def _():
    from pathlib import Path

    import marimo as mo
    import numpy as np
    from matplotlib.figure import Figure

    from iclrace.figures import Results, acquisition, draw
    from iclrace.figures import threshold as thresholds
    from iclrace.figures.results import setting
    from iclrace.figures.scan import scans
    from iclrace.figures.verdicts import COLUMNS, cells, count
    from iclrace.theory import Estimate, Task, clock_at_acquisition, threshold
    from iclrace.theory import acquisition_time as predicted_time
    from iclrace.validate import acquisition_times, measure_threshold
    from iclrace.validate.measure.clocks import stored_memory

    return (
        COLUMNS,
        Estimate,
        Figure,
        Path,
        Results,
        Task,
        acquisition,
        acquisition_times,
        cells,
        clock_at_acquisition,
        count,
        draw,
        measure_threshold,
        mo,
        np,
        predicted_time,
        scans,
        setting,
        stored_memory,
        threshold,
        thresholds,
    )


@app.cell
def _(Path, mo):
    reference = Path(__file__).resolve().parents[1] / "results" / "reference" / "laptop"
    folder = mo.ui.text(value=str(reference), label="results folder", full_width=True)
    mo.vstack(
        [
            mo.md(
                """
                # The race between memorisation and in-context learning

                A network sees N labelled items and has to label one more, a copy of one of them. It can memorise its K
                item-label pairs (in-weights learning, IWL), or copy the label from the context (in-context learning,
                ICL). The theory: both are learned side by side, and whichever is **faster** ends the race.

                Everything below is read from a folder that `iclrace validate --preset laptop` wrote. Put your own
                here, and every figure and number follows.
                """
            ),
            folder,
        ]
    )
    return (folder,)


@app.cell
def _(COLUMNS, Results, cells, count, folder, mo):
    results = Results(folder.value)
    _named = zip(results.claims.names, results.claims, strict=True)
    verdicts = [dict(zip(COLUMNS, cells(name, claim), strict=True)) for name, claim in _named]
    mo.vstack(
        [
            mo.md(
                f"""
                ## Verdicts

                Each prediction was written to disk before its networks were trained: {count(results.claims)}. A
                prediction *holds* if the whole interval of measured over predicted lies within its bar, *fails* if none
                of it does. {results.summary.note}
                """
            ),
            mo.ui.table(verdicts, selection=None, pagination=False, show_column_summaries=False),
        ]
    )
    return results, verdicts


@app.cell
def _(draw, mo, results):
    law = draw("memory_law", results)
    mo.vstack(
        [
            mo.md(
                r"""
                ## 1. The memory by itself

                Memorisation runs a clock, $I_K(t) = \int \langle\sigma(-\varphi)\rangle\,dt$, with $\varphi$ the margin
                of an item. It starts at half the speed of time and stops when the K items are known. Where it stops
                is measured on perceptrons that never see a context. This is all that the theory has to be told.
                """
            ),
            law,
        ]
    )
    return (law,)


@app.cell
def _(Estimate, Figure, Task, acquisition, acquisition_times, mo, np, predicted_time, results, setting):
    endless = results.datasets("acquisition_time")[0]
    _fixed = setting(endless)
    _times = acquisition_times(endless, "circuit_accuracy").values.ravel()
    _lengths = np.unique(np.geomspace(_fixed["context_length"] / 4, _fixed["context_length"] * 4, 13).round())
    _said = [
        Estimate.exact(float(predicted_time(Task(int(n), dimension=_fixed["dimension"]), _fixed["beta0"])))
        for n in _lengths
    ]
    time_figure = Figure(figsize=(3.4, 2.4), dpi=200, layout="constrained")
    acquisition.draw(
        {"networks": {_fixed["context_length"]: _times}},
        {"networks": (_lengths, _said)},
        ax=time_figure.subplots(),
        title="minimal model, $K → ∞$",
    )
    mo.vstack(
        [
            mo.md(
                r"""
                ## 2. Without anything to memorise

                With fresh items in every sequence ($K → ∞$) there is no race. The time at which ICL is acquired
                follows from the averaged equations of the attention: context length, item dimension and the initial
                attention $\beta_0$ go in, no constant is fitted. Circles: trained networks, one each.
                """
            ),
            time_figure,
        ]
    )
    return endless, time_figure


@app.cell
def _(draw, mo, results):
    race = draw("race", results)
    collapse = draw("clock_collapse", results)
    mo.vstack(
        [
            mo.md(
                r"""
                ## 3. The race, and the clock collapse

                While nothing is memorised the clock runs as $t/2$. So ICL needs the reading $I^* = t_{ICL}(K → ∞)/2$,
                the dashed line, **whatever K is**. A network whose memory stops its clock below it ends with memory
                alone. Plotted against the clock instead of time, the networks that acquire ICL should do so together.
                """
            ),
            mo.hstack([race, collapse], wrap=True, justify="start"),
        ]
    )
    return collapse, race


@app.cell
def _(mo, results, scans, setting):
    scan = scans(results, "threshold")[0]
    trained = setting(scan.runs)
    context_length = mo.ui.slider(5, 200, value=trained["context_length"], show_value=True, label="context length N")
    beta0 = mo.ui.slider(-1.0, 2.0, step=0.1, value=trained["beta0"], show_value=True, label="initial attention β0")
    budget = mo.ui.slider(
        steps=[trained["budget"] * 2.0**i for i in range(-2, 6)],
        value=trained["budget"],
        show_value=True,
        label="training ends at t =",
    )
    return beta0, budget, context_length, scan, trained


@app.cell
def _(Task, beta0, budget, clock_at_acquisition, context_length, results, scan, stored_memory, threshold, trained):
    memory = stored_memory(scan.memory(results))

    def critical_diversity(length, beta):
        """K* at a context length and an initial attention, for the memory of section 1 and the chosen end."""
        return threshold(Task(int(length), dimension=trained["dimension"]), memory, beta, budget=budget.value)

    prediction = critical_diversity(context_length.value, beta0.value)
    reading = float(clock_at_acquisition(Task(context_length.value, dimension=trained["dimension"]), beta0.value))
    return critical_diversity, memory, prediction, reading


@app.cell
def _(
    Figure,
    acquisition_times,
    beta0,
    budget,
    context_length,
    critical_diversity,
    measure_threshold,
    memory,
    np,
    prediction,
    scan,
    thresholds,
    trained,
):
    _at = trained["context_length"]
    _lengths = np.union1d(np.geomspace(5, 200, 14).round(), _at)
    _seen = budget.value <= trained["budget"]
    _times = acquisition_times(scan.runs, "circuit_accuracy").transpose("task_diversity", "seed").values
    _outcome = np.where(_times <= budget.value, 1.0, 0.5)
    _measured = measure_threshold(scan.runs.task_diversity, _outcome) if _seen else None
    _points = [_measured if n == _at else None for n in _lengths]
    _lines = {
        rf"$\beta_0$ = {beta:g}": [critical_diversity(n, beta) for n in _lengths]
        for beta in dict.fromkeys((trained["beta0"], beta0.value))
    }
    threshold_figure = Figure(figsize=(3.4, 2.8), dpi=200, layout="constrained")
    _ax = thresholds.draw(
        _lengths,
        [_measured if n == _at else None for n in _lengths],
        _lines,
        "context length $N$",
        ax=threshold_figure.subplots(),
        title="minimal model",
    )
    _ax.axhspan(*memory.task_diversity[[0, -1]], color="0.93", zorder=-1)
    if np.isfinite(prediction.value):
        _ax.plot(context_length.value, prediction.value, "D", color="black", markerfacecolor="none", markersize=7)
    return (threshold_figure,)


@app.cell
def _(beta0, budget, context_length, memory, mo, np, prediction, reading, threshold_figure):
    _said = (
        f"**K\\* = {prediction.value:.0f}**" if np.isfinite(prediction.value) else "**not acquired by then at any K**"
    )
    mo.vstack(
        [
            mo.md(
                r"""
                ## 4. Move the sliders

                K\* is the task diversity at which the memory's clock just reaches $I^*$ before training ends. The
                networks of this folder were trained at one N and one $\beta_0$; the theory speaks of any. Longer
                contexts slow ICL down, and K\* rises; attention that starts on the copy speeds it up, and K\* falls;
                longer training lets a slower clock arrive, and K\* falls, but less and less.
                """
            ),
            mo.hstack([context_length, beta0, budget], wrap=True, justify="start"),
            mo.md(
                f"**N = {context_length.value}, β0 = {beta0.value:g}, until t = {budget.value:g}**: without memory, "
                f"ICL at t = {2 * reading:.0f}; the clock it needs is I\\* = {reading:.1f}; {_said}."
            ),
            threshold_figure,
            mo.md(
                "Diamond: your setting. Point: measured, with its interval, as long as the networks were trained. "
                f"Grey: K = {memory.task_diversity[0]:g} to {memory.task_diversity[-1]:g}, where the memory was "
                "measured; beyond, its clock is continued as a power law. The verdicts' K\\* reads I_K at the end of "
                "training perceptron by perceptron; here time is integrated along their mean, T = ∫ dI/c1, which may "
                "differ by a percent or two."
            ),
        ]
    )
    return


@app.cell
def _(draw, mo, results):
    minimal = draw("accuracy_minimal", results)
    transformer = draw("accuracy_transformer", results)
    _claims = results.select(quantity="K*")
    _escaped = [name.replace("*", "\\*") for name in _claims.names]
    _verdicts = "\n".join(f"- {name}: **{claim.verdict}**" for name, claim in zip(_escaped, _claims, strict=True))
    mo.vstack(
        [
            mo.md(
                r"""
                ## 5. K\* in trained networks

                The end of training against task diversity. On the minimal model the theory predicts K\* absolutely.
                A transformer is not the minimal model: its perceptron reads the attention's output, and its readout is
                a product of layers. Its prediction takes the memory from perceptrons on layer-normed items, and I\*
                from other transformers at K → ∞.
                """
            ),
            mo.md(_verdicts),
            mo.hstack([minimal, transformer], wrap=True, justify="start"),
        ]
    )
    return minimal, transformer


if __name__ == "__main__":
    app.run()
