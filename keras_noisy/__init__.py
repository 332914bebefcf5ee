"""Learning from noisy labels in Keras 3."""

from keras_noisy import (
    calibration,
    callbacks,
    datasets,
    distribution,
    hsic,
    layers,
    losses,
    metrics,
    models,
    noise,
    optimizers,
    quality,
    training,
    tuning,
)
from keras_noisy.losses import (
    GCE,
    MAE,
    SCE,
    CrossEntropy,
    MAEStar,
    RobustLoss,
    ScaledMAE,
    check,
)

__version__ = "0.1.0"

__all__ = [
    "GCE",
    "MAE",
    "SCE",
    "CrossEntropy",
    "MAEStar",
    "RobustLoss",
    "ScaledMAE",
    "__version__",
    "calibration",
    "callbacks",
    "check",
    "datasets",
    "distribution",
    "hsic",
    "layers",
    "losses",
    "metrics",
    "models",
    "noise",
    "optimizers",
    "quality",
    "training",
    "tuning",
]
