"""LabelQuality: what it cannot take or answer is an error."""

import sys
import types

import numpy as np
import pytest
from shown_epochs import EPOCHS, LABELS, X, shown

from keras_noisy.callbacks import LabelQuality
from keras_noisy.callbacks.label_quality import Findings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": np.eye(3)}, r"`y`.*np\.argmax"),
        ({"y": [[0, 1], [1, 0], [0, 1], [1, 0]]}, r"`y`.*np\.argmax"),
        ({"y": np.full((4, 3), 1 / 3)}, r"`y`.*np\.argmax"),
        ({"y": [0.5, 1, 0, 1]}, r"`y`.*whole numbers"),
        ({"y": [-1, 0, 0, 1]}, r"`y`.*labels of at least 0.*`ignore_class`"),
        ({"y": [-1, 1, 1, 1]}, r"`y`.*at least 0.*`\(labels \+ 1\) // 2`"),
        ({"y": ["cat", "dog", "cat", "dog"]}, r"`y`.*whole numbers"),
        ({"y": [float("nan"), 0, 0, 1]}, r"`y`.*whole numbers.*label out"),
        ({"y": [None, 0, 0, 1]}, r"`y`.*whole numbers.*label out"),
        ({"y": []}, r"`y`.*at least one label"),
        ({"y": [0, 1, 2]}, r"`x`.*each of the 3 labels of `y`.*len\(x\)=4"),
        ({"x": [X, X[:3]]}, r"`x`.*len\(x\)=3"),
        ({"x": [[0.0], [1.0]]}, r"`x`.*arrays, or a data set"),
        ({"x": ["a b"] * 4}, r"`image_size`.*texts.*`TextVectorization`"),
        ({"x": iter([])}, r"`x`.*arrays, or a data set"),
        ({"clean_labels": [0, 1, 2]}, r"`clean_labels`.*len\(clean_labels\)=3"),
        ({"clean_labels": [0, 1, 2, 0.5]}, r"`clean_labels`.*whole numbers"),
        ({"images": X[:2]}, r"`images`.*len\(images\)=2"),
        ({"images": {i: X[i] for i in range(4)}}, r"`images`.*a column"),
        ({"images": iter(X)}, r"`images`"),
        ({"class_names": {"a", "b", "c"}}, r"`class_names`.*in the order"),
        ({"class_names": {"a": 0, "b": 1}}, r"`class_names`.*a mapping from"),
        ({"class_names": {0: "a", 2: "b"}}, r"`class_names`.*a mapping from"),
        ({"y": [0, 1, 2, 2**40]}, r"`y`.*32 bits"),
        ({"x": types.SimpleNamespace(files=[])}, r"`x`.*ImageDataset\(x"),
        ({"class_names": ["a", "b"]}, r"`class_names`.*a name for each class"),
        ({"batch_size": 0}, r"`batch_size`.*>= 1"),
        ({"from_logits": 1}, r"`from_logits`.*True or False"),
        ({"start_epoch": -1}, r"`start_epoch`.*>= 0"),
    ],
)
@pytest.mark.once
def test_bad_arguments_are_errors(arguments, message):
    with pytest.raises(ValueError, match=r"Invalid value for arg.*" + message):
        LabelQuality(**{"x": X, "y": LABELS, **arguments})


@pytest.mark.once
def test_findings_without_an_epoch_are_errors(tmp_path):
    findings = Findings(LABELS)
    for answer in (
        findings.scores,
        findings.suspects,
        findings.estimate,
        findings.warning,
        lambda: findings.predicted,
        lambda: findings.threshold,
        lambda: findings.clean(X, action="weight"),
        lambda: findings.report(tmp_path / "report.html"),
        lambda: findings.save(tmp_path / "scores.npz"),
    ):
        with pytest.raises(RuntimeError, match="call `update` first"):
            answer()


@pytest.mark.once
def test_clean_labels_are_labels_of_the_model():
    with pytest.raises(ValueError, match=r"clean_labels.*at least -1"):
        LabelQuality(X, LABELS, LABELS - 7)
    with pytest.raises(ValueError, match=r"clean_labels.*below \d+"):
        shown(EPOCHS, LABELS, clean_labels=LABELS + 99)


@pytest.mark.parametrize(
    ("epoch", "arguments", "message"),
    [
        (np.log(EPOCHS[0]), {}, r"`from_logits=True`.*softmax"),
        (3 * EPOCHS[0], {}, r"`from_logits=True`"),
        (EPOCHS[0], {"from_logits": True}, r"pass `from_logits=False`"),
        (np.full((4, 3), np.nan), {}, "number: training has diverged"),
        (
            np.where(np.eye(4, 3, -2), np.inf, EPOCHS[0]),
            {},
            "check sample 2 of `x` for NaN",
        ),
        (EPOCHS[0][:, :2] / 0.5, {}, r"labels in \[0, 2\).*a label 2"),
        (EPOCHS[0][:, :1], {}, r"labels in \[0, 2\).*a label 2"),
        (np.stack([EPOCHS[0]] * 2, 1), {}, r"one output.*\(4, 2, 3\)"),
        (EPOCHS[0], {"class_names": list("abcd")}, r"`class_names`.*3 names"),
    ],
)
@pytest.mark.once
def test_predictions_that_do_not_fit_are_errors(epoch, arguments, message):
    with pytest.raises(ValueError, match=message):
        shown([epoch], LABELS, **arguments)


@pytest.mark.once
def test_labels_from_1_are_told():
    with pytest.raises(ValueError, match=r"a label 3\. .*`labels - 1`"):
        shown(EPOCHS, [1, 2, 3, 3])


@pytest.mark.once
def test_before_any_epoch_everything_says_to_pass_it_to_fit(tmp_path):
    quality = LabelQuality(X, LABELS, LABELS[::-1], start_epoch=2)
    for ask in (
        quality.scores,
        lambda: quality.suspects(3),
        quality.precision_recall,
        quality.plot,
        lambda: quality.report(tmp_path / "report.html"),
    ):
        with pytest.raises(RuntimeError, match=r"fit\(.*callbacks=.*=2"):
            ask()
    assert not list(tmp_path.iterdir())


@pytest.mark.once
def test_wrong_questions_are_errors():
    quality, _ = shown(EPOCHS, LABELS)
    with pytest.raises(ValueError, match=r"`score`.*'area_under_margin'"):
        quality.scores("confidence")
    for n in (0, 1.5, True):
        with pytest.raises(ValueError, match="`n`"):
            quality.suspects(n)
    with pytest.raises(ValueError, match="true labels: pass `clean_labels`"):
        quality.precision_recall()
    quality, _ = shown(EPOCHS, LABELS, clean_labels=LABELS)
    with pytest.raises(ValueError, match="need a wrong label"):
        quality.precision_recall()


@pytest.mark.once
def test_missing_packages_are_named(monkeypatch, tmp_path):
    quality, _ = shown(EPOCHS, LABELS, images=np.zeros((4, 8, 8)))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        quality.plot(1)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="pip install pillow"):
        quality.report(tmp_path / "report.html")
    assert not list(tmp_path.iterdir())
