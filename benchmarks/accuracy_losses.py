"""The losses of the accuracy benchmark by name, and the tuned grids."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops
from side_by_side import Branch

from keras_noisy import losses
from keras_noisy.calibration import MarginFade


def _ours(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Branch:
    """A loss of logits for a number of classes."""
    return Branch(
        lambda classes, samples, steps: make(
            *args, num_classes=classes, from_logits=True, **kwargs
        )
    )


def _faded(make: Callable[..., Any], *args: Any) -> Branch:
    """A loss whose calibration fades along a cosine."""
    return Branch(
        lambda classes, samples, steps: make(
            *args,
            num_classes=classes,
            from_logits=True,
            fade=keras.optimizers.schedules.CosineDecay(1.0, steps),
        )
    )


def _remembers(make: Callable[..., Any], **kwargs: Any) -> Branch:
    """A loss that remembers the samples."""
    return Branch(
        lambda classes, samples, steps: make(
            samples, num_classes=classes, from_logits=True, **kwargs
        )
    )


def _keras_gce(classes: int, samples: int, steps: int) -> Callable[..., Any]:
    """The loss of Keras, which takes probabilities."""
    loss = keras.losses.CategoricalGeneralizedCrossEntropy()
    return lambda y, z: loss(y, ops.softmax(z))


def _ogc(classes: int, samples: int, steps: int) -> Any:
    return losses.OGC(
        learning_rate=keras.optimizers.schedules.CosineDecay(0.1, steps),
        num_classes=classes,
        from_logits=True,
    )


def _small(
    make: Callable[..., Any] = losses.CrossEntropy, **kwargs: Any
) -> Branch:
    """Train only on the smallest losses of a batch."""
    return Branch(
        lambda classes, samples, steps: losses.SmallLoss(
            make(num_classes=classes, from_logits=True), **kwargs
        )
    )


def _low_start(classes: int, samples: int, steps: int) -> Any:
    """Half of the matched scale, which fades with the margins."""
    matched = losses.ScaledMAE(classes).margin_scale
    return losses.ScaledMAE(
        margin_scale=0.5 * matched,
        fade=MarginFade(quantile=0.9),
        num_classes=classes,
        from_logits=True,
    )


#: Losses without tuning and without knowledge of the noise.
LOSSES = {
    "CE": _ours(losses.CrossEntropy),
    "ScaledMAE": _ours(losses.ScaledMAE),
    "ScaledMAE, margin fade": _ours(losses.ScaledMAE, fade="margin"),
    "GCE auto": _ours(losses.GCE, "auto"),
    "MAE*": _ours(losses.MAEStar),
    "MAE": _ours(losses.MAE),
    "GCE .7": _ours(losses.GCE, 0.7),
    "NCE+RCE": _ours(losses.get, "NCE+RCE"),
    "Keras GCE .5": Branch(_keras_gce),
    "MAE*, cosine fade": _faded(losses.MAEStar),
    "GCE auto, cosine fade": _faded(losses.GCE, "auto"),
    "GCE*": _ours(losses.get, "GCE*"),
    "SCE": _ours(losses.SCE),
    "NCE+AGCE": _ours(losses.get, "NCE+AGCE"),
    "ANL-CE": _ours(losses.get, "ANL-CE"),
    "ECE+MAE": _ours(losses.get, "ECE+MAE"),
    "BiTempered": _ours(losses.BiTempered),
    "JensenShannon": _ours(losses.JensenShannon),
    "ICCE": _ours(losses.ICCE),
    "TaylorCE": _ours(losses.TaylorCE),
    "PHuberCE": _ours(losses.PHuberCE),
    "CE, clip 1": _ours(losses.CrossEntropy, logit_clip=1.0),
    "CE, clip 3": _ours(losses.CrossEntropy, logit_clip=3.0),
    "ELR": _remembers(losses.ELR),
    "SOP": _remembers(losses.SOP),
    "SELC": _remembers(losses.SELC),
    "OGC": Branch(_ogc),
    "SmallLoss": _small(),
    "SmallLoss, mixture": _small(keep="mixture"),
    "ScaledMAE, low start, fade": Branch(_low_start),
}

#: Tricks on top of a loss.
TRICKS = {
    "CE, smoothing .1": _ours(losses.CrossEntropy, label_smoothing=0.1),
    "GCE auto, smoothing .1": _ours(losses.GCE, "auto", label_smoothing=0.1),
    "ScaledMAE, smoothing .1": _ours(losses.ScaledMAE, label_smoothing=0.1),
    "CE, balance 1": _ours(losses.CrossEntropy, balance=1.0),
    "ScaledMAE, balance 1": _ours(losses.ScaledMAE, balance=1.0),
    "ScaledMAE, small losses": _small(losses.ScaledMAE),
    "CE, mixup": _ours(losses.CrossEntropy)._replace(mixed=True),
    "GCE auto, mixup": _ours(losses.GCE, "auto")._replace(mixed=True),
    "ScaledMAE, mixup": _ours(losses.ScaledMAE)._replace(mixed=True),
    "Symmetrized CE": _ours(losses.Symmetrized, losses.CrossEntropy()),
}

#: Eight values per hyperparameter, to see what tuning would find.
GRIDS = {
    "CE": {
        f"CE, rate x{weight}, decay {decay}": Branch(
            LOSSES["CE"].loss, weight, decay
        )
        for weight in (0.1, 0.3, 1.0, 3.0)
        for decay in (0.0, 5e-4)
    },
    "GCE": {
        f"GCE q={q}": _ours(losses.GCE, q)
        for q in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9)
    },
    "MAE with a bias": {
        f"MAE bias={bias}": _ours(losses.MAE, logit_bias=bias)
        for bias in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
    },
    "NCE+AGCE": {
        f"NCE+AGCE {alpha}:{beta} a={a}": _ours(
            losses.ActivePassive,
            losses.NCE(),
            losses.AGCE(a, q),
            alpha=alpha,
            beta=beta,
        )
        for alpha, beta in ((1.0, 4.0), (10.0, 0.1), (1.0, 1.0), (10.0, 1.0))
        for a, q in ((6.0, 1.5), (1.8, 3.0))
    },
    "BiTempered": {
        f"BiTempered {t1}, {t2}": _ours(losses.BiTempered, t1, t2)
        for t1, t2 in (
            *((0.8, 1.4), (0.6, 1.2), (0.6, 1.4), (0.4, 1.2)),
            *((0.4, 1.4), (0.2, 1.2), (0.2, 1.4), (0.5, 2.0)),
        )
    },
}

GROUPS = {"losses": LOSSES, "tricks": TRICKS, **GRIDS}
EVERY = {name: b for group in GROUPS.values() for name, b in group.items()}
