"""Does a readout that starts at w0 = 1 bring ICL forward as the theory says? Run it: python initial_readout.py"""

from dataclasses import dataclass

from iclrace.theory import Task
from iclrace.validate import Claim, Preset, Run, acquisition_times, geometric_mean, place, predict_acquisition, run


@dataclass(frozen=True)
class InitialReadout:
    """t_ICL(w0)/t_ICL(0) of the minimal model at K → ∞."""

    plain: Run
    started: Run
    seeds: int
    name: str = "initial_readout"

    def calibration(self):
        return {}  # the theory needs none here

    def networks(self):
        runs = {"plain": self.plain, "started": self.started}
        return {label: [run.with_(seed=seed) for seed in range(self.seeds)] for label, run in runs.items()}

    def predict(self, calibrated):
        plain, started = (predict_acquisition(run).estimate for run in (self.plain, self.started))
        where = {"part": "circuit", "at": place(self.started), "data": ("plain", "started")}
        return [Claim("t_ICL(w0)/t_ICL(0)", "minimal", started.over(plain), bar=1.1, method="averaged field", **where)]

    def measure(self, claim, trained, confidence):
        plain, started = (acquisition_times(trained[label], "circuit_accuracy").values for label in claim.data)
        return geometric_mean(started / plain, confidence)  # the same seed has the same items


plain = Run("minimal", Task(16, dimension=31), 0, width=16, learning_rate=0.3, budget=90.0, evaluate_every=0.9)
preset = Preset("readout", "one question, one claim", [InitialReadout(plain, plain.with_(w0=1.0), seeds=4)])

if __name__ == "__main__":
    print(*run(preset, "results/readout").claims, sep="\n")
