"""Labels of tokens, pixels and several outputs: a score for each of them."""

import csv
import dataclasses

import keras
import numpy as np
import pytest
from batches import Batches

from keras_noisy.callbacks import LabelQuality
from keras_noisy.callbacks.label_quality import Findings, _training_set
from keras_noisy.losses import GCE, Binary
from keras_noisy.quality import PredictionQuality
from keras_noisy.quality._report import fingerprint

SCORES = ("area_under_margin", "margin", "loss", "forgetting")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def compared(labels, epochs, from_logits=False, **arguments):
    """The scores after these predictions, epoch by epoch."""
    found = Findings(labels, **arguments)
    for p in epochs:
        found.update(found.compare(p, from_logits))
    return found


def noisy(shape, num_classes, seed=0):
    """Labels of a shape, a tenth of them -1, and two epochs for them."""
    rng = np.random.default_rng(seed)
    clean = rng.integers(num_classes, size=shape)
    other = (clean + 1) % num_classes
    labels = np.where(rng.random(shape) < 0.2, other, clean)
    labels[rng.random(shape) < 0.1] = -1
    sure = 3 * np.eye(num_classes)[clean] + 0
    logits = sure + rng.normal(size=(2, *shape, num_classes)) / 2
    p = np.exp(logits)
    return labels, p / p.sum(axis=-1, keepdims=True), clean


@pytest.mark.once
@pytest.mark.parametrize("shape", [(60,), (20, 5), (12, 3, 4)])
@pytest.mark.parametrize("columns", [3, 1])
def test_scores_are_those_of_the_flat_labels(shape, columns):
    """By rows of classes, and by the probability or logit of class 1."""
    labels, p, clean = noisy(shape, max(columns, 2))
    scored = labels != -1
    flat = compared(
        labels[scored],
        p[:, scored],
        clean_labels=clean[scored],
    )
    outputs = [(p, False, {})]
    if columns == 1:
        one = p[..., 1]
        logit = np.log(one / (1 - one))
        outputs = [(one[..., None], False, {}), (logit[..., None], True, {})]
        if len(shape) < 3:
            outputs.append((one, False, {"multi_label": len(shape) == 2}))
    for epochs, from_logits, more in outputs:
        found = compared(
            labels,
            epochs,
            from_logits,
            clean_labels=clean,
            ignore_class=-1,
            **more,
        )
        for score in SCORES:
            scores = found.scores(score)
            assert scores.shape == shape and np.all(np.isnan(scores) == ~scored)
            np.testing.assert_allclose(
                scores[scored], flat.scores(score), atol=1e-5
            )
            # `fmax` is NaN where all labels of a sample are ignored.
            worst = np.fmax.reduce(scores.reshape(shape[0], -1), axis=1)
            sample_scores = found.sample_scores(score)
            assert np.array_equal(sample_scores, worst, equal_nan=True)
        np.testing.assert_allclose(
            found.estimate().transition, flat.estimate().transition, atol=1e-5
        )
        suspects = found.suspects()
        assert len(suspects) == flat.estimate().count
        where = np.argwhere(scored)[flat.suspects()]
        assert np.array_equal(suspects, where if shape[1:] else where[:, 0])
        precision = found.precision_recall()[0]
        assert precision == flat.precision_recall()[0] > 0.85
        assert np.array_equal(found.predicted == -1, ~scored)


@pytest.mark.once
def test_predictions_have_the_same_elements():
    """Results keep the shape of every kind of label."""
    for shape in ((60,), (20, 5), (12, 3, 4)):
        labels, (p, _), _ = noisy(shape, 3)
        scored = labels != -1
        flat = PredictionQuality(p[scored], labels[scored])
        found = PredictionQuality(p, labels, ignore_class=-1)
        assert np.array_equal(found.scores()[scored], flat.scores())
        assert found.estimate().rate == flat.estimate().rate
    labels, (p, _), _ = noisy((20, 5), 2)
    flat = PredictionQuality(p, labels, ignore_class=-1)
    for one, more in (
        (p[..., 1:], {}),
        (p[..., 1], {"multi_label": True, "class_names": [*"abcde"]}),
    ):
        found = PredictionQuality(one, labels, ignore_class=-1, **more)
        np.testing.assert_allclose(found.scores(), flat.scores(), atol=1e-6)
    with pytest.raises(ValueError, match=r"`probabilities`.*sums to 1"):
        PredictionQuality(p[..., 1] + 1, labels, None, None, None, -1, True)
    with pytest.raises(ValueError, match=r"\(20, 5, num_classes\), or \(20, 5"):
        PredictionQuality(p[:, :4], labels, ignore_class=-1)


@pytest.mark.once
def test_several_labels_may_be_columns_of_a_table():
    pandas = pytest.importorskip("pandas", reason="tables need pandas")
    labels = np.array([[0, 1], [1, 0], [1, 1]])
    mixed = pandas.DataFrame({"cat": labels[:, 0] == 1, "dog": labels[:, 1]})
    for table in (mixed, mixed.astype("Int64"), mixed.astype(float)):
        found = PredictionQuality(0.8 * labels + 0.1, table, multi_label=True)
        assert np.array_equal(found.labels, labels)


@pytest.mark.once
def test_what_cannot_be_meant_is_an_error():
    one_hot = np.eye(3, dtype=int)[[0, 1, 2, 0]]
    x = np.zeros((4, 3), "float32")
    for arguments, message in (
        ({"y": one_hot}, r"`y`.*np\.argmax.*multi_label=True"),
        ({"y": one_hot * 2, "multi_label": True}, r"`y`.*labels in \[0, 2\)"),
        ({"y": one_hot - 1}, "`y`.*at least 0"),
        ({"y": one_hot - 1, "ignore_class": -1.0}, "`ignore_class`"),
        ({"y": one_hot * 0 - 1, "ignore_class": -1}, "`y`.*not `ignore_class`"),
        ({"y": one_hot * np.nan, "multi_label": True}, "`y`.*`ignore_class`"),
        ({"y": one_hot, "multi_label": 1}, "`multi_label`"),
        (
            {"y": one_hot, "multi_label": True, "class_names": [*"ab"]},
            "`class_names`.*each of the 3",
        ),
        (
            {"y": one_hot, "multi_label": True, "clean_labels": [0, 1, 2, 1]},
            r"`clean_labels`.*shape of `y`, \(4, 3\)",
        ),
        ({"y": [0, 1, 2, 0], "top": -1}, "`top`"),
        ({"y": [0, 1, 2, 0], "image_size": 4}, "`image_size`.*no files"),
    ):
        with pytest.raises(ValueError, match=f"Invalid value.*{message}"):
            LabelQuality(x, **arguments)
    p = np.full((4, 3), 0.2)
    found = Findings(np.array([[0, 1, 1]] * 4))
    with pytest.raises(ValueError, match=r"one output of .*`multi_label=True`"):
        found.compare(p)
    found = Findings(one_hot, multi_label=True)
    with pytest.raises(ValueError, match=r"from_logits=True.*sigmoid"):
        found.compare(p + 1)
    with pytest.warns(UserWarning, match="ends in a sigmoid"):
        found.compare(p, from_logits=True)


class Tokens:
    """Sentences of up to 8 tokens, a fifth of which have wrong labels."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.x = rng.integers(1, 30, size=(96, 8))
        self.clean = self.x % 5
        wrong = rng.random(self.x.shape) < 0.2
        self.labels = np.where(wrong, (self.clean + 1) % 5, self.clean)
        padding = np.arange(8) >= rng.integers(3, 9, size=(96, 1))
        self.labels[padding], self.x[padding] = -1, 0


@pytest.fixture(scope="module")
def tokens():
    return Tokens()


def test_finds_wrong_tokens_while_a_tagger_trains(tokens, monkeypatch):
    """From arrays and from data sets, predicted in several parts."""
    monkeypatch.setattr(_training_set, "SAMPLES", 8 * 64)
    inputs = keras.Input((8,), dtype="int32")
    hidden = keras.layers.Embedding(30, 16)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(5)(hidden))
    loss = GCE(q=0.7, num_classes=5, from_logits=True, ignore_class=-1)
    model.compile(keras.optimizers.Adam(0.1), loss)
    arguments = {"ignore_class": -1, "from_logits": True, "batch_size": 32}
    x, y = tokens.x, tokens.labels
    all_of_them = [
        LabelQuality(data, y, tokens.clean, **arguments)
        for data in (x, Batches(x, y))
    ]
    history = model.fit(
        x, y, 32, epochs=4, verbose=0, callbacks=all_of_them
    ).history
    assert history["clean_accuracy"][-1] > 0.9
    scores = all_of_them[0].scores()
    for quality in all_of_them:
        np.testing.assert_allclose(quality.scores(), scores, atol=1e-4)
        assert quality.precision_recall()[0] > 0.9
        assert np.all(y[tuple(quality.suspects().T)] >= 0)
    with pytest.raises(ValueError, match="order of `y`"):
        shuffled = LabelQuality(Batches(x, y[::-1]), y, **arguments)
        shuffled.set_model(model)
        shuffled.on_epoch_end(0)


@pytest.mark.once
def test_losses_take_what_comes_out():
    """Labels, weights and soft labels, with ignored ones among them."""
    labels, (p, _), clean = noisy((20, 5), 3)
    found = compared(labels, [p], ignore_class=-1)
    n = found.estimate().count
    worst = tuple(found.suspects().T)
    x = np.arange(20)
    same, dropped = found.clean(x, labels)
    assert same is x and np.all(dropped[worst] == -1)
    assert np.count_nonzero(dropped == -1) == np.count_nonzero(labels == -1) + n
    _, mended = found.clean(x, labels, "relabel")
    assert np.array_equal(mended[worst], p.argmax(axis=-1)[worst])
    kept = np.ones(labels.shape, bool)
    kept[worst] = False
    assert np.array_equal(mended[kept], labels[kept])
    _, _, weights = found.clean(x, labels, "weight")
    assert weights.shape == labels.shape and np.all(weights[labels == -1] == 0)
    _, soft, counted = found.clean(x, action="soft")
    assert soft.shape == (20, 5, 3)
    assert np.array_equal(counted, np.where(labels == -1, 0, 1))
    loss = GCE(q=0.7, ignore_class=-1)
    expected = float(loss(labels, p, weights))
    assert np.isfinite(expected) and float(loss(dropped, p)) < float(
        loss(labels, p)
    )
    assert np.isfinite(float(loss(soft, p, counted)))
    with pytest.raises(ValueError, match=r"`action`.*`ignore_class=-1`"):
        compared(clean, [p]).clean(x)
    with pytest.raises(
        ValueError, match=r"`y`.*shape \(20, 5\).*, 1 different"
    ):
        found.clean(x, np.where(np.arange(100).reshape(20, 5), labels, 5))

    labels, (p, _), _ = noisy((20, 5), 2)
    found = compared(labels, [p[..., 1]], ignore_class=-1, multi_label=True)
    _, soft = found.clean(x, labels, "soft")
    _, _, weights = found.clean(x, labels, "weight")
    assert soft.shape == (20, 5) and np.all(soft[labels == -1] == -1)
    one = labels == 1
    np.testing.assert_allclose(soft[one], weights[one])
    np.testing.assert_allclose(soft[labels == 0], 1 - weights[labels == 0])
    loss = Binary(GCE(q=0.7, ignore_class=-1))
    assert np.isfinite(float(loss(soft, p[..., 1].astype("float32"))))


@pytest.mark.once
def test_the_likeliest_classes_are_kept_and_mend():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(300) / 30, 50)
    labels = p.argmax(axis=1)
    labels[7:] = (labels[7:] + 1) % 300
    found = compared(labels, [p], top=5)
    classes, shares = found.evidence.choices(np.arange(50))
    assert classes.dtype == "uint16" and shares.dtype == "float16"
    assert np.array_equal(classes, np.argsort(-p, axis=1)[:, :5])
    sizes = [of.nbytes / 50 for of in (classes, shares)]
    state = found.evidence.state()
    each = sum(value.nbytes / 50 for value in state.values() if value.ndim)
    assert sizes == [10, 10] and each + 8 < 100
    # If the given label is the likeliest, the next one replaces it.
    with pytest.warns(UserWarning, match="class .* is left"):
        _, mended = found.clean(np.arange(50), action="relabel", n=50)
    expected = np.argsort(-p, axis=1)
    expected = np.where(np.arange(50) < 7, expected[:, 1], expected[:, 0])
    assert np.array_equal(mended, expected)
    none = compared(labels, [p])
    assert none.evidence.choices(np.arange(50)) is None
    with pytest.warns(UserWarning, match="class .* is left"):
        _, mended = none.clean(labels, action="relabel", n=50)
    assert np.array_equal(mended, p.argmax(axis=1))
    few = compared(np.array([0, 1]), [np.eye(2)], top=5)
    assert few.evidence.choices(np.array([1]))[0].tolist() == [[1, 0]]


@pytest.mark.once
def test_scores_of_elements_are_saved(tmp_path):
    labels, epochs, _ = noisy((20, 5), 2)
    settings = {"ignore_class": -1, "multi_label": True, "top": 2}
    found = compared(labels, epochs[..., 1], **settings)
    found.save(tmp_path / "scores.npz")
    x = np.zeros((20, 2))
    again = LabelQuality(x, labels, **settings)
    again.load(tmp_path / "scores.npz")
    assert np.array_equal(again.sample_scores(), found.sample_scores())
    for action in ("relabel", "soft"):
        ours, expected = (
            again.clean(x, action=action),
            found.clean(x, None, action),
        )
        assert np.array_equal(ours[1], expected[1])
    with pytest.raises(ValueError, match="of other labels"):
        other = LabelQuality(x, labels, ignore_class=-1, multi_label=True)
        other._findings.elements.labels = labels[labels >= 0][1:]
        other.load(tmp_path / "scores.npz")


def write(path, rows, key):
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["index", "decision", "given", "new", "data"])
        lines.writerows([*row, key] for row in rows)


@pytest.mark.once
def test_decisions_about_elements_and_about_areas(tmp_path):
    path = tmp_path / "decisions.csv"
    labels, (p, _), _ = noisy((20, 5), 3)
    labels[1, 2], labels[3, 4], labels[0, 1] = 2, 1, 0
    found = compared(labels, [p], ignore_class=-1)
    key = fingerprint(labels, None)
    decided = [(7, "relabel", 2, 0), (19, "drop", 1, ""), (1, "keep", 0, "")]
    write(path, decided, key)
    decisions = found.decisions(path)
    assert decisions.relabeled.tolist() == [[1, 2]]
    assert decisions.kept.tolist() == [[0, 1]]
    x = [str(i) for i in range(20)]
    same, mended = decisions.apply(x, labels)
    assert same is x and mended[1, 2] == 0 and mended[3, 4] == -1
    assert np.count_nonzero(mended != labels) == 2
    # Decisions may be taken back, by an array of no numbers.
    for name, left in (("dropped", [1, 2]), ("relabeled", [3, 4])):
        fewer = dataclasses.replace(decisions, **{name: np.array([], int)})
        mended = fewer.apply(x)[1]
        assert np.argwhere(mended != labels).tolist() == [left]
    labels = np.abs(labels)  # none is ignored
    found = compared(labels, [p])
    write(path, decided, fingerprint(labels, None))
    with pytest.raises(ValueError, match=r"`dropped`.*ignore_class=-1"):
        found.decisions(path).apply(x)
    with pytest.raises(ValueError, match=r"`path`.*other labels"):
        compared(labels[::-1], [p]).decisions(path)

    pixels, (p, _), _ = noisy((12, 3, 4), 3)
    found = compared(pixels, [p], ignore_class=-1)
    write(
        path,
        [(5, "drop", 2, ""), (7, "keep", 1, "")],
        fingerprint(pixels, None),
    )
    x = [str(i) for i in range(12)]
    kept, rest = found.decisions(path).apply(x)
    assert kept == x[:5] + x[6:]
    assert np.array_equal(rest, np.delete(pixels, 5, axis=0))
    write(path, [(5, "relabel", 2, 0)], fingerprint(pixels, None))
    with pytest.raises(ValueError, match="line 2: relabel, but an area"):
        found.decisions(path)
