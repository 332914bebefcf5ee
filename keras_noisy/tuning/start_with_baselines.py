"""The first trials of a search: every loss without tuning."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import keras

from keras_noisy._arguments import invalid
from keras_noisy.tuning.search_loss import imported

if TYPE_CHECKING:
    from keras_tuner import Oracle, Tuner


def start_with_baselines(tuner: Tuner) -> Tuner:
    """Let a tuner try every loss without tuning first.

    The first trials, one for each loss of `keras_noisy.tuning.search_loss`,
    use the calibrated values and the defaults of all other hyperparameters.
    They count as trials of the tuner, which chooses all later ones. A resumed
    search does not repeat them. The `oracle` of the tuner is replaced by a
    copy that begins with these trials.

    The objective must be an accuracy on validation data, whose labels may be
    noisy too. It cannot be the loss value, whose scale differs between losses,
    nor the accuracy on training data, which rises when wrong labels are
    memorized.

    Args:
        tuner: A `keras_tuner.RandomSearch` or `BayesianOptimization` over
            models that are compiled with `keras_noisy.tuning.search_loss`.

    Returns:
        The same tuner.

    Raises:
        ImportError: If KerasTuner is not installed, or, on TensorFlow,
            TensorBoard, without which every trial would fail.
        ValueError: If `tuner` is of another kind, if its objective is not a
            validation metric to maximize, if the loss is not searched, if
            there are fewer trials than losses, or if the directory holds a
            search over other losses or ranges.

    Example:

    >>> import tempfile
    >>> import keras
    >>> import keras_tuner
    >>> from keras_noisy import tuning
    >>> def build_model(hp):
    ...     model = keras.Sequential([keras.layers.Dense(100, "softmax")])
    ...     loss = tuning.search_loss(hp, num_classes=100)
    ...     model.compile("adam", loss=loss, metrics=["accuracy"])
    ...     return model
    >>> tuner = keras_tuner.RandomSearch(
    ...     build_model,
    ...     objective="val_accuracy",
    ...     max_trials=20,
    ...     directory=tempfile.mkdtemp(),
    ... )
    >>> tuner = tuning.start_with_baselines(tuner)

    References:
        - O'Malley et al., KerasTuner, 2019,
          https://github.com/keras-team/keras-tuner
    """
    oracle = checked_oracle(tuner)
    if keras.backend.backend() == "tensorflow":
        imported("tensorboard")
    count = len(baselines(oracle))
    if oracle.max_trials is not None and oracle.max_trials < count:
        raise ValueError(
            f"Expected at least one trial for each of the {count} losses. "
            f"Received: max_trials={oracle.max_trials}"
        )
    now = imported("keras_tuner").HyperParameters()
    tuner.hypermodel.build(now)
    known = [parameter.get_config() for parameter in oracle.get_space().space]
    for parameter in now.space:
        names = {parameter.name, *(c.name for c in parameter.conditions)}
        if "loss" in names and parameter.get_config() not in known:
            raise ValueError(
                f"The search in {tuner.project_dir} was started with other "
                f"losses or another range of `{parameter.name}`. Give the "
                "tuner another `directory` or `project_name`, or pass "
                "`overwrite=True` to start over"
            )
    tuner.oracle = _beginning_with_baselines(oracle)
    return tuner


def _beginning_with_baselines(oracle: Oracle) -> Oracle:
    """A copy of an oracle whose first trials are the baselines."""
    kind: Any = type(oracle)

    class BaselinesFirst(kind):
        def populate_space(self, trial_id: str) -> dict[str, Any]:
            tried = [t.hyperparameters.values for t in self.trials.values()]
            for values in baselines(self):
                if not any(is_part(known, values) for known in tried):
                    return {"status": "RUNNING", "values": values}
            return super().populate_space(trial_id)

    found: Any = BaselinesFirst.__new__(BaselinesFirst)
    # References to the oracle in its own state must point to the copy.
    vars(found).update(copy.deepcopy(vars(oracle), {id(oracle): found}))
    return found


def baselines(oracle: Oracle) -> list[dict[str, Any]]:
    """The default values for each of the losses."""
    space = oracle.get_space()
    found = []
    for name in next(p.values for p in space.space if p.name == "loss"):
        space.values = {"loss": name}
        for parameter in space.space:
            if space.is_active(parameter):
                space.values.setdefault(parameter.name, parameter.default)
        found.append(space.values)
    return found


def is_part(values: dict[str, Any], baseline: dict[str, Any]) -> bool:
    """Whether the values of a trial are a baseline, or were one in its time.

    A trial that adds a layer adds a hyperparameter, which the baselines before
    it do not have.
    """
    return values.items() <= baseline.items()


def checked_oracle(tuner: Tuner) -> Oracle:
    """The oracle of a tuner that can compare losses."""
    kinds = imported("keras_tuner")
    if not isinstance(tuner, kinds.RandomSearch | kinds.BayesianOptimization):
        # Hyperband and GridSearch must generate every trial themselves.
        expected = "a keras_tuner.RandomSearch or BayesianOptimization"
        raise invalid("tuner", tuner, expected)
    objective = tuner.oracle.objective
    if objective.direction != "max" or not objective.name.startswith("val_"):
        raise invalid(
            "objective",
            objective.name,
            'an accuracy on validation data such as "val_accuracy", or '
            'keras_tuner.Objective(name, "max") with a name in `val_`. The '
            "scale of the loss differs between the losses that are tried",
        )
    if "loss" not in [p.name for p in tuner.oracle.get_space().space]:
        raise ValueError(
            "The loss is not searched. Compile the model that the tuner builds "
            "with `keras_noisy.tuning.search_loss(hp, num_classes)`, outside "
            "of any `hp.name_scope`"
        )
    return tuner.oracle
