"""The search over losses: its space, its first trials, its table."""

import math
import re
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import run_here

from keras_noisy import losses, tuning

keras_tuner = pytest.importorskip("keras_tuner")

# KerasTuner calls functions of `threading` that have newer names.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.* is deprecated, (use current_thread|get the name):"
    "DeprecationWarning"
)

ROOT = Path(__file__).parent.parent
CLASSES = 20
NAMES = ["CrossEntropy", "MAEStar", "GCE"]
CALIBRATED = [
    {"loss": "CrossEntropy"},
    {
        "loss": "MAEStar",
        "MAEStar.logit_bias": losses.MAEStar(CLASSES).logit_bias,
    },
    {"loss": "GCE", "GCE.q": losses.GCE("auto", num_classes=CLASSES).q},
]


@pytest.fixture(scope="module")
def data():
    """Rows that show their class, a third of them with a wrong label."""
    random = np.random.default_rng(0)
    labels = random.integers(CLASSES, size=256)
    x = np.eye(CLASSES)[labels] + random.normal(size=(256, CLASSES)) / 4
    wrong = random.random(256) < 1 / 3
    return x, np.where(wrong, random.integers(CLASSES, size=256), labels)


def build_model(hp, names=NAMES):
    model = keras.Sequential(
        [
            keras.Input((CLASSES,)),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    loss = tuning.search_loss(hp, CLASSES, losses=names)
    model.compile("sgd", loss=loss, metrics=["accuracy"])
    return model


class WithoutTraining(keras_tuner.HyperModel):
    """Returns results at once; some losses fail, give NaN or stop all."""

    def __init__(self, broken=(), nan=(), stop=()):
        super().__init__()
        self.broken, self.nan, self.stop = broken, nan, stop

    def build(self, hp):
        return build_model(hp)

    def fit(self, hp, model, *args, **kwargs):
        if hp.get("loss") in self.stop:
            raise KeyboardInterrupt
        if hp.get("loss") in self.broken:
            raise OSError(f"no room for {hp.get('loss')}")
        if hp.get("loss") in self.nan:
            return {"loss": math.nan, "val_accuracy": 1.0}
        return {"loss": 2.0, "val_accuracy": 0.5}


def start(folder, model=build_model, max_trials=5, kind="RandomSearch", **more):
    arguments = {"objective": "val_accuracy", "seed": 1, **more}
    tuner = getattr(keras_tuner, kind)(
        model, max_trials=max_trials, directory=folder, **arguments
    )
    return tuning.start_with_baselines(tuner)


def search(tuner, data):
    x, y = data
    halves = {"x": x[128:], "y": y[128:], "validation_data": (x[:128], y[:128])}
    tuner.search(**halves, batch_size=64, epochs=1, verbose=0)
    return tuner


def tried(tuner):
    """The hyperparameters of all trials, in order."""
    trials = [tuner.oracle.get_trial(i) for i in tuner.oracle.start_order]
    return [trial.hyperparameters.values for trial in trials]


@pytest.fixture(scope="module")
def searched(data, tmp_path_factory):
    return search(start(tmp_path_factory.mktemp("search")), data)


@pytest.mark.once
@pytest.mark.parametrize("num_classes", [2, 10, 100, 1000])
@pytest.mark.parametrize(
    "name, argument, bare",
    [
        ("GCE", "q", {"q": "auto"}),
        ("GCE*", "logit_bias", {}),
        ("MAEStar", "logit_bias", {}),
        ("ScaledMAE", "margin_scale", {}),
        ("SCE", "alpha", {"alpha": "auto"}),
        ("NCE+RCE", "alpha", {}),
    ],
)
def test_the_default_is_the_value_without_tuning(
    name, argument, bare, num_classes
):
    hp = keras_tuner.HyperParameters()
    found = tuning.search_loss(hp, num_classes, losses=[name])
    expected = losses.get(name, num_classes=num_classes, **bare)
    assert getattr(found, argument) == getattr(expected, argument)
    parameter = hp.space[-1]
    assert parameter.name == f"{name}.{argument}"
    assert parameter.default == getattr(expected, argument)
    assert parameter.min_value <= parameter.default <= parameter.max_value
    assert parameter.min_value < parameter.max_value


@pytest.mark.once
def test_the_range_is_that_of_a_tenth_to_ten_times_the_classes():
    hp = keras_tuner.HyperParameters()
    tuning.search_loss(hp, 100, losses=["GCE", "MAEStar"])
    _, q, bias = hp.space
    ends = [losses.GCE("auto", num_classes=k).q for k in (1000, 10)]
    assert [q.min_value, q.max_value] == ends
    ends = [losses.MAEStar(k).logit_bias for k in (10, 1000)]
    assert [bias.min_value, bias.max_value] == ends


@pytest.mark.once
def test_a_loss_has_only_the_value_searched_for_it():
    hp = keras_tuner.HyperParameters()
    hp.values = {"loss": "MAE*", "MAE*.logit_bias": 1.5}
    found = tuning.search_loss(
        hp, CLASSES, losses=["GCE", "MAE*"], from_logits=True, logit_clip=2.0
    )
    assert type(found) is losses.MAE and found.num_classes == CLASSES
    assert (found.logit_bias, found.logit_clip) == (1.5, 2.0)
    assert "GCE.q" not in hp.values
    found = tuning.search_loss(
        hp, CLASSES, losses=["MAE*"], dtype=keras.DTypePolicy("float32")
    )
    assert found.logit_bias == 1.5


@pytest.mark.once
def test_a_hyperparameter_that_is_given_is_not_searched():
    hp = keras_tuner.HyperParameters()
    assert tuning.search_loss(hp, CLASSES, ["GCE"], q=0.2).q == 0.2
    assert hp.values == {"loss": "GCE"}


@pytest.mark.once
def test_outputs_of_other_classes_are_searched_apart():
    hp = keras_tuner.HyperParameters()
    tuning.search_loss(hp, 100, ["GCE"])
    with hp.name_scope("coarse"):
        coarse = tuning.search_loss(hp, CLASSES, ["GCE"])
    assert coarse.q == CALIBRATED[2]["GCE.q"] == hp.values["coarse/GCE.q"]
    hp = keras_tuner.HyperParameters()
    tuning.search_loss(hp, 100, ["GCE"])
    with pytest.raises(ValueError, match="100 classes and one for 20"):
        tuning.search_loss(hp, CLASSES, ["GCE"])


@pytest.mark.once
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"losses": "GCE"}, "argument `losses`"),
        ({"losses": []}, "argument `losses`"),
        ({"losses": ["GCE", "GCE"]}, "argument `losses`"),
        ({"losses": [losses.GCE()]}, "argument `losses`.*names of losses"),
        ({"losses": ["Gauss"]}, "no loss 'Gauss'"),
        ({"losses": ["NCE*"]}, "No logit bias"),
        ({"fade": "margin"}, "Remove `fade`"),
        ({"num_classes": 1}, "argument `num_classes`"),
        ({"hp": {}}, r"argument `hp`. Expected keras_tuner.HyperParameters"),
    ],
)
def test_bad_arguments_get_a_clear_error(arguments, message):
    hp = keras_tuner.HyperParameters()
    with pytest.raises(ValueError, match=message):
        tuning.search_loss(**{"hp": hp, "num_classes": 100, **arguments})


@pytest.mark.once
@pytest.mark.parametrize("kind", ["RandomSearch", "BayesianOptimization"])
def test_every_loss_comes_first_without_tuning(kind, data, tmp_path):
    if kind == "BayesianOptimization":
        pytest.importorskip("sklearn")
    tuner = start(tmp_path, kind=kind)
    for number in range(5):
        trial = tuner.oracle.create_trial("tuner0")
        assert trial.status == "RUNNING"
        tuner.oracle.update_trial(trial.trial_id, {"val_accuracy": 0.5})
        trial.status = "COMPLETED"
        tuner.oracle.end_trial(trial)
        assert len(tried(tuner)) == number + 1
    assert tried(tuner)[:3] == CALIBRATED
    assert all(values not in CALIBRATED for values in tried(tuner)[3:])


@pytest.mark.once
def test_the_table_shows_every_trial_and_the_gain(searched, data):
    x, y = data

    def accuracy(model):
        return np.mean(model.predict(x[:128], verbose=0).argmax(1) == y[:128])

    found = tuning.summary(searched, accuracy)
    assert len(found) == 5
    assert [trial.is_baseline for trial in found] == [True] * 3 + [False] * 2
    base = max(trial.accuracy for trial in found[:3])
    assert found.best_baseline.accuracy == base
    assert found.best.accuracy == max(trial.accuracy for trial in found)
    rows = str(found).splitlines()
    for row, trial in zip(rows[1:-1], found, strict=True):
        # The model has the weights of the trial.
        assert trial.test_accuracy == pytest.approx(trial.accuracy)
        assert trial.hyperparameters["loss"] in row
        for share in (trial.accuracy, trial.accuracy - base):
            assert f"{100 * share:.1f} %" in row
        assert ("(no tuning)" in row) == trial.is_baseline
    if found.best.is_baseline:
        assert rows[-1].startswith("The search gained nothing")
    else:
        assert f"gained {100 * found.gain(found.best):.1f} points" in rows[-1]


def row(accuracy, is_baseline, test_accuracy=None):
    values = {"loss": "GCE", "GCE.q": 0.5}
    status = "FAILED" if accuracy is None else "COMPLETED"
    return tuning.Trial(
        "7", status, is_baseline, values, accuracy, test_accuracy
    )


@pytest.mark.once
def test_the_last_line_is_honest():
    def last(*rows):
        return str(tuning.Results(rows)).splitlines()[-1]

    assert last(row(0.5, False), row(0.5, True)).startswith(
        "The search gained nothing"
    )
    text = last(row(0.5, True, 0.8), row(0.52, False, 0.79))
    assert "gained 2.0 points" in text
    assert "-1.0 points on clean test labels" in text
    assert "gain is not known" in last(row(None, True), row(0.5, False))
    assert "gain is not known" in last(row(None, True))


@pytest.mark.once
def test_a_stopped_search_goes_on_without_repeating(data, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        search(start(tmp_path, WithoutTraining(stop=["MAEStar"])), data)
    tuner = start(tmp_path, WithoutTraining())
    assert tried(tuner) == CALIBRATED[:2]
    search(tuner, data)
    assert tried(tuner)[:3] == CALIBRATED and len(tried(tuner)) == 5
    again = start(tmp_path, WithoutTraining())
    assert tuning.summary(again) == tuning.summary(tuner)
    with pytest.raises(ValueError, match="started with other losses"):
        start(tmp_path, lambda hp: build_model(hp, ["GCE", "CrossEntropy"]))


@pytest.mark.once
def test_hyperparameters_found_later_leave_the_baselines_what_they_are(
    data, tmp_path
):
    class Deeper(WithoutTraining):
        def build(self, hp):
            for layer in range(hp.Int("layers", 1, 9)):
                hp.Choice(f"units{layer}", [4, 8])
            return build_model(hp)

    found = tuning.summary(search(start(tmp_path, Deeper(), 8), data))
    assert any("units1" in trial.hyperparameters for trial in found)
    assert [t.is_baseline for t in found] == [True] * 3 + [False] * 5


@pytest.mark.filterwarnings("ignore:All-NaN axis encountered")
def test_a_failed_trial_is_shown_as_failed_and_never_best(data, tmp_path):
    model = WithoutTraining(broken=["GCE"], nan=["MAEStar"])
    found = tuning.summary(search(start(tmp_path, model, 3), data))
    assert [t.status for t in found] == ["COMPLETED", "FAILED", "FAILED"]
    assert found.best is found[0]
    reasons = ["the metric `loss` is NaN", "OSError: no room for GCE"]
    rows = str(found).splitlines()[2:4]
    for trial, reason, row in zip(found[1:], reasons, rows, strict=True):
        assert trial.accuracy is None and found.gain(trial) is None
        assert trial.reason == reason
        assert " FAILED " in row and row.endswith(reason)


@pytest.mark.once
def test_all_failed_is_an_error_that_shows_the_first_reason(data, tmp_path):
    model = WithoutTraining(broken=NAMES)
    tuner = start(tmp_path, model, max_consecutive_failed_trials=9)
    with pytest.raises(RuntimeError, match=r"None of 0 .* Call `search`"):
        tuning.summary(tuner)
    search(tuner, data)
    # KerasTuner itself returns a "best" one.
    assert tuner.get_best_hyperparameters()
    message = "None of 5 trials .* OSError: no room for CrossEntropy"
    with pytest.raises(RuntimeError, match=message):
        tuning.summary(tuner)


@pytest.mark.once
@pytest.mark.parametrize(
    "objective",
    [
        "val_loss",
        "accuracy",
        keras_tuner.Objective("val_error", "min"),
        ["val_accuracy", "val_loss"],
    ],
    ids=str,
)
def test_only_a_validation_accuracy_can_be_the_objective(objective, tmp_path):
    with pytest.raises(ValueError, match="argument `objective`"):
        start(tmp_path, objective=objective)


@pytest.mark.once
def test_the_oracle_that_a_tuner_had_stays_as_it_was(data, tmp_path):
    tuner = keras_tuner.RandomSearch(
        WithoutTraining(), "val_accuracy", 5, directory=tmp_path
    )
    oracle, kept = tuner.oracle, dict(vars(tuner.oracle))
    assert tuning.start_with_baselines(tuner) is tuner
    assert vars(oracle) == kept
    assert isinstance(tuner.oracle, type(oracle))
    search(tuner, data)
    assert tried(tuner)[:3] == CALIBRATED and not oracle.trials


@pytest.mark.once
def test_bad_tuners_get_a_clear_error(tmp_path):
    with pytest.raises(ValueError, match=r"each of the 3 losses.*max_trials=2"):
        start(tmp_path, max_trials=2)
    with pytest.raises(ValueError, match="argument `tuner`"):
        tuning.start_with_baselines(None)

    def without_loss(hp):
        hp.Float("rate", 0.1, 1.0)
        return keras.Sequential([keras.layers.Dense(2)])

    with pytest.raises(ValueError, match="loss is not searched"):
        start(tmp_path / "other", without_loss)


@pytest.mark.once
@pytest.mark.parametrize("missing", ["keras_tuner", "tensorboard"])
def test_a_missing_package_is_named(missing, monkeypatch, tmp_path):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    monkeypatch.setitem(sys.modules, missing, None)
    message = f"needs {missing}.*`pip install keras-tuner six tensorboard`"
    with pytest.raises(ImportError, match=message):
        start(tmp_path)


@pytest.mark.once
def test_the_example_prints_baselines_and_the_gain(tmp_path):
    pytest.importorskip("sklearn")
    options = ["--smoke", "--losses", "GCE", "--directory", tmp_path]
    example = ROOT / "examples" / "tune_loss.py"
    printed = run_here(example, *options)["printed"]
    rows = re.findall(r"^ +\d \| COMPLETED \|.*", printed, re.MULTILINE)
    assert ["(no tuning)" in row for row in rows] == [True, False]
    assert re.search(r"gained (nothing|\d+\.\d points on)", printed)
    assert "The standard error of an accuracy" in printed


@pytest.mark.once
def test_the_page_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "tuning.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for long, short in {
        "num_samples=10_000": "num_samples=1_250",
        "2000": "250",
        "max_trials=12": "max_trials=4",
        "epochs=5": "epochs=1",
    }.items():
        assert long in code
        code = code.replace(long, short)
    exec(code, {"__name__": "page"})
    printed = capsys.readouterr().out
    assert printed.count("logit_clip=0 (no tuning)") == 1
    assert printed.count("(no tuning)") == 3
