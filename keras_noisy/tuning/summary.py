"""The results of the trials of a search, as a table."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from keras_noisy.tuning.start_with_baselines import (
    baselines,
    checked_oracle,
    is_part,
)

if TYPE_CHECKING:
    from keras_tuner import Tuner


@dataclass(frozen=True)
class Trial:
    """The result of a trial, one row of `Results`.

    Args:
        trial_id: Its name in the tuner.
        status: `"COMPLETED"` or `"FAILED"`, or another status of KerasTuner.
        is_baseline: Whether it is a loss without tuning.
        hyperparameters: Values by name; `"loss"` is the name of the loss.
        accuracy: The objective on the validation labels. Defaults to `None`,
            not completed.
        test_accuracy: Accuracy on clean test labels. Defaults to `None`, not
            completed, or without such labels.
        reason: Why a trial failed. Defaults to `None`.

    Example:

    >>> from keras_noisy.tuning import Trial
    >>> trial = Trial("0", "COMPLETED", True, {"loss": "mae"}, accuracy=0.5)
    >>> trial.test_accuracy is None
    True

    References:
        - O'Malley et al., KerasTuner, 2019,
          https://github.com/keras-team/keras-tuner
    """

    trial_id: str
    status: str
    is_baseline: bool
    hyperparameters: dict[str, Any]
    accuracy: float | None = None
    test_accuracy: float | None = None
    reason: str | None = None


class Results(list[Trial]):
    """The trials of a search in their order; `print` shows a table.

    `summary` returns it. The last line of the table says what the search
    gained over no tuning.

    Args:
        trials: The trials, each a `Trial`.

    Example:

    >>> from keras_noisy.tuning import Results, Trial
    >>> base = Trial("0", "COMPLETED", True, {"loss": "mae"}, accuracy=0.5)
    >>> tuned = Trial("1", "COMPLETED", False, {"loss": "gce"}, accuracy=0.75)
    >>> results = Results([base, tuned])
    >>> results.best.trial_id, results.gain(results.best)
    ('1', 0.25)

    References:
        - O'Malley et al., KerasTuner, 2019,
          https://github.com/keras-team/keras-tuner
    """

    @property
    def best(self) -> Trial:
        """The completed trial with the best accuracy; a baseline if tied."""
        done = [trial for trial in self if trial.accuracy is not None]
        return max(done, key=lambda t: (t.accuracy or 0.0, t.is_baseline))

    @property
    def best_baseline(self) -> Trial | None:
        """The best trial without tuning; None if all of these failed."""
        done = [t for t in self if t.is_baseline and t.accuracy is not None]
        return max(done, key=lambda t: t.accuracy or 0.0, default=None)

    def gain(self, trial: Trial) -> float | None:
        """Gain of a trial over `best_baseline`.

        Args:
            trial: A `Trial`.

        Returns:
            The difference of the accuracies, None if one is missing.
        """
        base = self.best_baseline
        start = None if base is None else base.accuracy
        if start is None or trial.accuracy is None:
            return None
        return trial.accuracy - start

    def __str__(self) -> str:
        lines = ["trial | status    | validation |    gain | clean test | loss"]
        for trial in self:
            values = dict(trial.hyperparameters)
            text = loss = values.pop("loss")
            for name, value in values.items():
                number = f"{value:.4g}" if isinstance(value, float) else value
                text += f", {name.removeprefix(f'{loss}.')}={number}"
            text += " (no tuning)" * trial.is_baseline
            if trial.reason is not None:
                text += f": {trial.reason}"
            lines.append(
                f"{trial.trial_id:>5} | {trial.status:9} | "
                f"{_percent(trial.accuracy):>10} | "
                f"{_percent(self.gain(trial), '+'):>7} | "
                f"{_percent(trial.test_accuracy):>10} | {text}"
            )
        return "\n".join([*lines, self._last_line()])

    def _last_line(self) -> str:
        base = self.best_baseline
        gained = None if base is None else self.gain(self.best)
        if base is None or gained is None:
            return "No trial without tuning completed: the gain is not known."
        best = self.best
        if best is base:
            return (
                f"The search gained nothing: trial {base.trial_id}, without "
                "tuning, is the best."
            )
        text = (
            f"Trial {best.trial_id} gained {100 * gained:.1f} points "
            "on the validation labels over the best without tuning, trial "
            f"{base.trial_id}"
        )
        if best.test_accuracy is None or base.test_accuracy is None:
            return f"{text}."
        gain = 100 * (best.test_accuracy - base.test_accuracy)
        return f"{text}, and {gain:+.1f} points on clean test labels."


def summary(
    tuner: Tuner, test: Callable[[keras.Model], float] | None = None
) -> Results:
    """The accuracy of each trial of a search, and its gain over no tuning.

    The validation labels may be noisy. If every wrong class is equally
    likely, the expected accuracy on them is a rising linear function of the
    accuracy on clean labels, so with enough of them both find the same best
    trial; with other noise they may not. The best of many trials is partly
    luck. The accuracy on clean test labels, which plays no part in the choice,
    shows how much of the gain is real.

    A trial that failed, or whose loss is NaN, is `"FAILED"` and never the
    best.

    Formula:

    ```
    noisy = clean * (1 - rate) + (1 - clean) * rate / (num_classes - 1)
    ```

    Args:
        tuner: The tuner, after its search.
        test: Function of a model that returns its accuracy on clean test
            labels, from 0 to 1. It is called for each completed trial, with
            the weights of the best epoch. Defaults to `None`: no test.

    Returns:
        A `Results`, which is a list of `Trial`.

    Raises:
        ImportError: If KerasTuner is not installed.
        RuntimeError: If no trial completed; it shows the first reason.
        ValueError: If `start_with_baselines` does not accept `tuner`.

    Example:

    >>> from keras_noisy.tuning import Results, Trial
    >>> values = [{"loss": "GCE", "GCE.q": q} for q in (0.38, 0.32)]
    >>> found = Results(  # as of `summary(tuner)`
    ...     [
    ...         Trial("0", "COMPLETED", True, values[0], 0.51),
    ...         Trial("1", "COMPLETED", False, values[1], 0.52),
    ...     ]
    ... )
    >>> print(found)
    trial | status    | validation |    gain | clean test | loss
        0 | COMPLETED |     51.0 % |  +0.0 % |          - | GCE, q=0.38 (no ...
        1 | COMPLETED |     52.0 % |  +1.0 % |          - | GCE, q=0.32
    Trial 1 gained 1.0 points on the validation labels over the best ...
    >>> found.best.hyperparameters
    {'loss': 'GCE', 'GCE.q': 0.32}

    References:
        - Chen et al., Robustness of accuracy metric and its inspirations in
          learning with noisy labels, AAAI 2021, arXiv 2012.04193
    """
    oracle = checked_oracle(tuner)
    without_tuning = baselines(oracle)
    found = Results()
    for trial_id in oracle.start_order:
        trial = oracle.get_trial(trial_id)
        values = trial.hyperparameters.values
        status, reason = trial.status, _failure(trial)
        accuracy = test_accuracy = None
        if reason is not None:
            status = "FAILED"
        elif status == "COMPLETED":
            accuracy = float(trial.score)
            if test is not None:
                with warnings.catch_warnings():
                    # A test needs no optimizer.
                    message = "Skipping variable loading for optimizer"
                    warnings.filterwarnings("ignore", message)
                    model = tuner.load_model(trial)
                test_accuracy = float(test(model))
        found.append(
            Trial(
                trial_id,
                status,
                any(is_part(values, known) for known in without_tuning),
                values,
                accuracy,
                test_accuracy,
                reason,
            )
        )
    if all(trial.accuracy is None for trial in found):
        reasons = [t.reason for t in found if t.reason is not None]
        first = f". The first failed with {reasons[0]}" if reasons else ""
        if not found:
            first = ". Call `search` of the tuner first"
        raise RuntimeError(f"None of {len(found)} trials completed{first}")
    return found


def _failure(trial: Any) -> str | None:
    """Why a trial failed, None if it did not."""
    if trial.status in ("FAILED", "INVALID"):
        return (trial.message or "NaN accuracy").strip().splitlines()[-1]
    # KerasTuner keeps the metrics of the best epoch.
    for name in ("loss", "val_loss"):
        if trial.metrics.exists(name):
            values = [seen.mean() for seen in trial.metrics.get_history(name)]
            if any(map(math.isnan, values)):
                return f"the metric `{name}` is NaN"
    return None


def _percent(share: float | None, sign: str = "") -> str:
    return "-" if share is None else f"{100 * share:{sign}.1f} %"
