"""K* of two layers of two heads: predicted, then measured."""

from torch import nn

from iclrace.validate import run
from iclrace.validate.presets.mine import mine


def two_heads(run):
    tokens, size, width = run.task.context_length + 1, int(run.task.dimension) + 2, run.width
    layer = nn.TransformerEncoderLayer(width, 2, width, dropout=0.0, batch_first=True, norm_first=True)
    layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    return nn.Sequential(nn.Linear(size, width), layers, nn.Flatten(1), nn.Linear(tokens * width, 1), nn.Flatten(0))


if __name__ == "__main__":
    report = run(mine(two_heads, 6, 8, task_diversity=[16, 64, 256], seeds=2, width=32, budget=40), "results/two_heads")
    for star in report.claims.select(quantity="K*"):
        print(f"K* predicted {star.predicted}, measured {star.measured}: {star.verdict}")
