"""Does a readout that starts at w0 = 1 bring ICL forward as the theory says? Run it: python initial_readout.py"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iclrace.theory import Estimate, Task
from iclrace.validate import Comparison, Prediction, Preset, Run, acquisition_times, geometric_mean, predict_acquisition
from iclrace.validate import run as run_preset
from iclrace.validate.experiments import Jobs, Results, compare, networks_in


@dataclass(frozen=True)
class InitialReadout:
    """t_ICL(w0)/t_ICL(0) of the minimal model at K → ∞."""

    setting: Run
    w0: float
    seeds: int
    bar: float  # fixed before any network is trained
    name: str = "initial_readout"

    def calibration(self) -> Mapping[str, Jobs]:
        return {}  # the theory needs none here

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        plain, started = (predict_acquisition(self.setting.with_(w0=w0)) for w0 in (0.0, self.w0))
        ratio = Estimate.exact(started.estimate.value / plain.estimate.value)
        return {"ratio": Prediction(f"t_ICL(w0 = {self.w0:g})/t_ICL(0)", ratio, (*plain.inputs, *started.inputs))}

    def networks(self) -> Mapping[str, Jobs]:
        seeds = range(self.setting.seed, self.setting.seed + self.seeds)
        return {
            label: [self.setting.with_(seed=seed, w0=w0) for seed in seeds]
            for label, w0 in (("plain", 0.0), ("started", self.w0))
        }

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        times = {label: acquisition_times(networks_in(trained[label]), "circuit_accuracy").values for label in trained}
        measured = geometric_mean(times["started"] / times["plain"])  # the same seed has the same items
        return [compare(predictions["ratio"], measured, self.bar, self.seeds)]


setting = Run(
    "minimal", Task(16, dimension=31), seed=0, width=16, learning_rate=0.3, batch_size=128, budget=90.0,
    evaluate_every=0.9, test_size=500,
)  # fmt: skip
preset = Preset("readout", "one question, one row", [InitialReadout(setting, w0=1.0, seeds=4, bar=1.1)])

if __name__ == "__main__":
    report = run_preset(preset, "results/readout")
    for row in report.rows:
        print(row.quantity, row.predicted, row.measured, row.verdict, sep="\n  ")
