"""The loss of a trial, from a search space over losses."""

from __future__ import annotations

import functools
import importlib
import weakref
from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from keras_noisy._arguments import integer, invalid
from keras_noisy.losses import ActivePassive, RobustLoss, get

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

CALIBRATION_ARGUMENTS = (
    "from_logits",
    "logit_bias",
    "margin_scale",
    "logit_clip",
    "logit_normalization",
    "num_samples",
)
_num_classes: MutableMapping[Any, int] = weakref.WeakKeyDictionary()
LOSSES = ("CrossEntropy", "MAEStar", "GCE", "NCE+RCE")


def search_loss(
    hp: HyperParameters,
    num_classes: int,
    losses: Sequence[str] = LOSSES,
    **shared: Any,
) -> RobustLoss:
    """The loss of a trial, from a search space over losses.

    Call it where you build the model. The search covers the name of the loss
    and one hyperparameter of each loss: the logit bias of `MAEStar` and of
    names with a star such as `"GCE*"`, the margin scale of `ScaledMAE`, else
    the argument that can be `"auto"`, such as `q` of `GCE`. The default is the
    value calibrated for `num_classes`; the range goes from the value for a
    tenth of the classes to the value for ten times as many. For a published
    pair the search covers `alpha`, from a tenth of the published weight to ten
    times that weight. Losses with none of these, such as `CrossEntropy`, are
    used as they are.

    A model with outputs of different numbers of classes calls it for each, all
    but one of them in a `hp.name_scope` of its own. The baselines are those of
    the call outside a scope.

    Args:
        hp: The `keras_tuner.HyperParameters` of the trial. It receives
            `"loss"` and names such as `"GCE.q"`.
        num_classes: Number of classes, an integer of at least 2.
        losses: Names that `keras_noisy.losses.get` accepts. Defaults to
            `("CrossEntropy", "MAEStar", "GCE", "NCE+RCE")`.
        **shared: `from_logits`, `logit_clip` and other arguments that all
            these losses share, see `keras_noisy.losses.RobustLoss`. A
            hyperparameter that is given here is not searched.

    Returns:
        A `keras_noisy.losses.RobustLoss`.

    Raises:
        ImportError: If KerasTuner is not installed.
        ValueError: If an argument is outside its range, if there is no such
            loss, or if it has no calibrated value.

    Example:

    >>> import keras_tuner
    >>> from keras_noisy import tuning
    >>> hp = keras_tuner.HyperParameters()
    >>> tuning.search_loss(hp, num_classes=100, losses=["GCE", "MAEStar"]).q
    0.378...
    >>> hp.values
    {'loss': 'GCE', 'GCE.q': 0.378...}

    References:
        - Staats, Thamm, Rosenow, Enhancing noise-robust losses for
          large-scale noisy data learning, AAAI 2025, arXiv 2306.05497
    """
    if not isinstance(hp, imported("keras_tuner").HyperParameters):
        raise invalid("hp", hp, "keras_tuner.HyperParameters")
    num_classes = integer("num_classes", num_classes, 2)
    if shared.get("fade") is not None:
        raise ValueError(
            "The searched argument cannot fade as well. Remove `fade`, and "
            "add it to the best loss after the search"
        )
    names = [] if isinstance(losses, str) else list(losses)
    are_text = all(isinstance(name, str) for name in names)
    if not names or not are_text or len(set(names)) < len(names):
        raise invalid("losses", losses, "a list of different names of losses")
    size = len(hp.space)
    chosen = hp.Choice("loss", names)
    if len(hp.space) > size:
        _num_classes[hp] = num_classes
    elif _num_classes.get(hp, num_classes) != num_classes:
        # What is searched would be calibrated for the first number alone.
        raise ValueError(
            "This model searches a loss for "
            f"{_num_classes[hp]} classes and one for {num_classes}. Call "
            "`search_loss` for one of them in `with hp.name_scope(...)`"
        )
    arguments = {}
    for name in names:
        found = _range(
            name,
            num_classes,
            # Pass on the arguments that the calibration depends on.
            **{k: v for k, v in shared.items() if k in CALIBRATION_ARGUMENTS},
        )
        if found is None or shared.get(found.argument, "auto") != "auto":
            continue
        with hp.conditional_scope("loss", [name]):
            value = hp.Float(
                f"{name}.{found.argument}",
                min(found.ends),
                max(found.ends),
                default=found.default,
                # A bias is a logarithm already.
                sampling="linear" if found.argument == "logit_bias" else "log",
            )
        if name == chosen:
            arguments[found.argument] = value
    return get(chosen, num_classes=num_classes, **{**shared, **arguments})


class _Range(NamedTuple):
    argument: str
    default: float
    ends: tuple[float, float]


# Cached, as every built model needs it.
@functools.lru_cache
def _range(name: str, num_classes: int, **shared: Any) -> _Range | None:
    """The argument of a loss to search, None if there is none."""
    loss = get(name, num_classes=num_classes, **shared)
    calibrated = loss.automatic_arguments() or list(loss.references)
    if not calibrated:
        return None
    argument = calibrated[0]
    if isinstance(loss, ActivePassive) and argument == "alpha":
        alpha = float(loss.alpha)
        return _Range(argument, alpha, (alpha / 10, alpha * 10))

    def value(num_classes: int) -> float:
        auto = {argument: "auto", **shared}
        return getattr(get(name, num_classes=num_classes, **auto), argument)

    ends = value(max(2, num_classes // 10)), value(10 * num_classes)
    return _Range(argument, value(num_classes), ends)


def imported(name: str) -> Any:
    """A module of the extra `tuner`."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"A search over losses needs {error.name or name}. Install it with "
            "`pip install keras-tuner six tensorboard`"
        ) from error
