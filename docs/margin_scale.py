"""Draw the pictures of margin_scale.md.

`python docs/margin_scale.py` writes `margin_error.png`, `average_error.png`
and `matched_scales.png` beside itself.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from keras_noisy import GCE, MAE, MAEStar, ScaledMAE
from keras_noisy.calibration import (
    matched_logit_bias,
    matched_margin_scale,
    plot_average_error,
    plot_margin_error,
)

HERE = Path(__file__).resolve().parent
CALIBRATIONS = {
    "MAE": MAE(),
    "MAE*: a bias": MAEStar(),
    "GCE: a smaller q": GCE(q="auto"),
    "ScaledMAE: a scale": ScaledMAE(),
}


def matched_scales() -> plt.Figure:
    """What the rule gives, by the number of classes."""
    counts = np.unique(np.geomspace(3, 1e6, 20).astype(int))
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(8, 3.2), layout="constrained"
    )
    for few, style in ((10, "C3-"), (5, "C3--"), (3, "C3:")):
        scales = [matched_margin_scale(MAE(), int(k), few) for k in counts]
        left.semilogx(counts, scales, style, label=f"of {few} classes")
    left.set(xlabel="classes", ylabel="margin scale", ylim=(0, 1.05))
    left.legend(title="the error", fontsize="small")
    biases = [matched_logit_bias(MAE(), int(k)) for k in counts]
    right.semilogx(counts, biases, "C1")
    right.set(xlabel="classes", ylabel="logit bias of MAE*")
    return figure


def main() -> None:
    """Write the pictures."""
    by_margin = plot_margin_error(CALIBRATIONS, num_classes=1000)
    by_margin.savefig(HERE / "margin_error.png", dpi=90)
    averages = plot_average_error(CALIBRATIONS, num_classes=(10, 1000))
    averages.savefig(HERE / "average_error.png", dpi=80)
    matched_scales().savefig(HERE / "matched_scales.png", dpi=90)


if __name__ == "__main__":
    main()
