"""Losses by name."""

from __future__ import annotations

import difflib
import functools
import operator
from collections.abc import Callable
from typing import Any

import keras

from keras_noisy._arguments import invalid
from keras_noisy.losses.base.robust_loss import RobustLoss
from keras_noisy.losses.presets import PRESETS, preset

PACKAGE = "keras_noisy"
#: Names that papers give to some of the losses.
ALIASES = {
    "ce": "CrossEntropy",
    "js": "JensenShannon",
    "gjs": "GeneralizedJensenShannon",
    "ece": "EpsilonSoftmaxCE",
    "apl": "ActivePassive",
    "forward": "ForwardCorrection",
    "backward": "BackwardCorrection",
    "peer": "PeerLoss",
}


def names() -> list[str]:
    """Names of the losses and published pairs that `get` builds.

    These are the losses of one label per sample. Wrappers, such as `SmallLoss`
    and `Binary`, and losses made for several labels per sample, such as `Hill`,
    are built by their class.

    Returns:
        A list of strings, the classes first.

    Example:

    >>> import keras_noisy
    >>> keras_noisy.losses.names()
    ['AEL', 'AGCE', ..., 'GCE', ..., 'MAEStar', ..., 'NCE+RCE', ...]
    """
    own = [
        name
        for name, loss in sorted(_classes().items())
        if keras.saving.get_registered_name(loss).startswith(f"{PACKAGE}>")
    ]
    return [*own, *PRESETS]


def get(identifier: Any, **arguments: Any) -> RobustLoss:
    """Return a loss of one label per sample from its name, config or class.

    For scripts that take the loss from the command line: Keras finds losses
    of other packages only by their registered name.

    Args:
        identifier: One of `names()`, or the name of a registered loss of your
            own, in any case and with or without underscores; with a star at
            the end, the loss gets `logit_bias="auto"`. Or the result of
            `keras.losses.serialize`, a class, or a loss, which is returned.
        **arguments: Arguments of the loss, such as `num_classes`,
            `from_logits` or `q`. A published pair also takes `data_set`,
            `"mnist"`, `"cifar10"`, `"cifar100"` or `"webvision"`, to use the
            weights for it. The default is the data set, except MNIST, with the
            nearest number of classes, or CIFAR-10 without `num_classes`.

    Returns:
        A `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If there is no such loss, or if arguments are passed with a
            loss that exists already.
        TypeError: If an argument is missing or unknown to the loss.

    Example:

    >>> import keras_noisy
    >>> keras_noisy.losses.get("gce", q=0.5).q
    0.5
    >>> pair = keras_noisy.losses.get("NCE+RCE", num_classes=100)
    >>> pair.alpha, pair.beta
    (10.0, 0.1)
    >>> keras_noisy.losses.get("GCE*", num_classes=1000).logit_bias
    4...
    """
    if isinstance(identifier, str):
        return _by_name(identifier, arguments)
    if isinstance(identifier, type) and issubclass(identifier, RobustLoss):
        return _built(identifier.__name__, identifier, arguments)
    if isinstance(identifier, dict):
        identifier = keras.losses.deserialize(_registered(identifier))
    if not isinstance(identifier, RobustLoss):
        raise invalid(
            "identifier",
            identifier,
            "a name, a config or a loss of keras_noisy of one label per sample",
        )
    if arguments:
        raise ValueError(
            f"`get` cannot change a loss that exists. Received: {identifier} "
            f"and {', '.join(arguments)}. Pass its name and all arguments"
        )
    return identifier


def _by_name(name: str, arguments: dict[str, Any]) -> RobustLoss:
    known = {_plain(known): known for known in (*_classes(), *names())}
    known |= ALIASES
    plain = _plain(name)
    star = plain not in known and plain.endswith("*")
    if star:
        plain = plain[:-1]
        arguments = {"logit_bias": "auto", **arguments}
    if plain not in known:
        raise _unknown(name, plain, known)
    found = known[plain]
    build = functools.partial(preset, found)
    loss = _built(found, _classes().get(found, build), arguments)
    if star:
        _ = loss.logit_bias  # Raise here rather than in training.
    return loss


def _unknown(name: str, plain: str, known: dict[str, str]) -> ValueError:
    """The error for a name that is not among the known ones."""
    for other in keras.saving.get_custom_objects():
        package, _, kind = other.partition(">")
        if package == PACKAGE and _plain(kind) == plain:
            return ValueError(
                "Expected the name of a loss of one label per sample. "
                f"Received: {name!r}. Build it, `{PACKAGE}.losses.{kind}(...)`"
            )
    # Swapped letters: difflib would find "ce" before "gce" in "cge".
    swapped = [other for other in known if sorted(other) == sorted(plain)]
    near = swapped or difflib.get_close_matches(plain, known, 1)
    hint = f" Did you mean {known[near[0]]!r}?" if near else ""
    return ValueError(
        f"There is no loss {name!r}.{hint} Expected one of {names()}"
    )


def _built(name: str, build: Callable[..., Any], arguments: dict) -> RobustLoss:
    try:
        return build(**arguments)
    except TypeError as error:
        raise TypeError(
            f"{name} cannot be built from {arguments}: {error}"
        ) from error


def _registered(config: dict[str, Any]) -> dict[str, Any]:
    """The config, with the package name added to the class if missing."""
    found = _classes().get(config.get("class_name", ""))
    if found is not None:
        name = keras.saving.get_registered_name(found)
        return {"registered_name": name, "module": None, **config}
    return config


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _classes() -> dict[str, type[RobustLoss]]:
    """Every registered loss by name; this package's comes before others."""
    found = [
        (name.partition(">")[0] != PACKAGE, loss.__name__, loss)
        for name, loss in keras.saving.get_custom_objects().items()
        if isinstance(loss, type) and issubclass(loss, RobustLoss)
    ]
    found.sort(key=operator.itemgetter(0, 1), reverse=True)
    return {name: loss for _, name, loss in found}
