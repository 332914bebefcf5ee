"""Moved names still work for one version, with one warning."""

import importlib

import pytest

from keras_noisy import noise

pytestmark = pytest.mark.once

MOVED = {
    "keras_noisy.metrics.LabelQuality": "keras_noisy.callbacks.LabelQuality",
    "keras_noisy.metrics.label_quality.LabelQuality": (
        "keras_noisy.callbacks.LabelQuality"
    ),
    "keras_noisy.metrics._pictures.pictures": (
        "keras_noisy.quality._pictures.pictures"
    ),
    "keras_noisy.noise.plot": "keras_noisy.noise.plot_transition",
    "keras_noisy.tuning.loss": "keras_noisy.tuning.search_loss",
    "keras_noisy.tuning.results": "keras_noisy.tuning.summary",
    **{
        f"keras_noisy.losses.{file}.{name}": f"keras_noisy.losses.{name}"
        for file, name in (
            ("robust_loss", "RobustLoss"),
            ("distribution_loss", "DistributionLoss"),
            ("memory_loss", "MemoryLoss"),
            ("normalized_loss", "NormalizedLoss"),
            ("negative_loss", "NegativeLoss"),
        )
    },
}


def look_up(path):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.fixture(params=MOVED)
def old(request):
    """The old path of a name that has not been used yet."""
    module, _, name = request.param.rpartition(".")
    names = vars(importlib.import_module(module))
    names.pop(name, None)
    yield request.param
    names.pop(name, None)


def test_an_old_name_is_the_new_one(old):
    with pytest.warns(DeprecationWarning) as seen:
        found = look_up(old)
    assert found is look_up(MOVED[old])
    assert len(seen) == 1 and seen[0].filename == __file__
    assert str(seen[0].message).startswith(f"`{old}` is `{MOVED[old]}` now")


def test_an_import_of_an_old_name_warns_once(old):
    module, _, name = old.rpartition(".")
    with pytest.warns(DeprecationWarning) as seen:
        exec(f"from {module} import {name}")
    assert len(seen) == 1


def test_an_old_name_is_not_listed(old):
    module, _, name = old.rpartition(".")
    module = importlib.import_module(module)
    assert name not in getattr(module, "__all__", ())
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        module.__getattr__("other")


@pytest.mark.parametrize("name", ["symmetric", "asymmetric", "pair_flip"])
def test_a_transition_has_two_names(name):
    assert getattr(noise, f"{name}_transition") is getattr(noise, name)
