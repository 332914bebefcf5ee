"""LabelQuality: how many labels are wrong, clean data, saved scores."""

import keras
import numpy as np
import pytest
from batches import Batches
from noisy_blobs import blobs, classifier, fit
from shown_epochs import EPOCHS, LABELS, identity, probabilities, seen, shown

from keras_noisy.callbacks import LabelQuality
from keras_noisy.callbacks.label_quality import Findings, _training_set
from keras_noisy.callbacks.label_quality._mixture import mixture

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def trained():
    x, labels, clean = blobs(900, wrong=0.25)
    quality = LabelQuality(x, labels, clean)
    fit(classifier(), x, labels, [quality], epochs=3)
    return quality, x, labels, clean


def test_estimates_how_many_labels_are_wrong(trained):
    quality, _, labels, clean = trained
    wrong = labels != clean
    estimate = quality.estimate()
    assert estimate.rate == pytest.approx(wrong.mean(), abs=0.04)
    assert estimate.interval[0] <= estimate.rate <= estimate.interval[1]
    assert len(quality.suspects()) == estimate.count
    assert wrong[quality.suspects()].mean() > 0.9
    assert quality.scores()[quality.suspects()].min() == quality.threshold
    for label in range(3):
        share = wrong[labels == label].mean()
        assert estimate.per_class[label] == pytest.approx(share, abs=0.08)
    # A wrong label is the next class.
    expected = 0.75 * np.eye(3) + 0.25 * np.roll(np.eye(3), 1, axis=1)
    np.testing.assert_allclose(estimate.transition, expected, atol=0.07)
    # Another epoch gives a new estimate.
    quality.findings.update(quality.findings.evidence.last)
    assert quality.estimate() is not estimate


def test_cleans_the_training_data(trained):
    quality, x, labels, clean = trained
    kept, of_kept = quality.clean(x, labels)
    assert len(kept) == len(x) - quality.estimate().count
    rest = np.delete(np.arange(len(x)), quality.suspects())
    assert np.mean(of_kept == clean[rest]) > 0.97
    assert np.mean(quality.clean(x, labels, "relabel")[1] == clean) > 0.95
    _, _, weights = quality.clean(x, labels, "weight")
    assert weights[labels != clean].mean() < 0.2
    assert weights[labels == clean].mean() > 0.9
    _, soft = quality.clean(x, labels, "soft")
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(soft[np.arange(len(x)), labels], weights)
    assert np.mean(soft.argmax(axis=1) == clean) > 0.95


def test_scores_are_few_bytes_and_go_on_after_a_load(tmp_path):
    whole, _ = shown(EPOCHS, LABELS)
    half, _ = shown(EPOCHS[:2], LABELS)
    state = half.findings.evidence.state()
    each = sum(value.nbytes / 4 for value in state.values() if value.ndim)
    assert each + half.labels.nbytes / 4 < 100
    half.save(tmp_path / "scores.npz")
    again = LabelQuality(np.zeros((4, 3)), LABELS)
    again.load(tmp_path / "scores.npz")
    assert again.class_names == ["0", "1", "2"]
    assert np.array_equal(again.scores("loss"), half.scores("loss"))
    for epoch in EPOCHS[2:]:
        again.findings.update(again.findings.compare(epoch))
    for score in ("area_under_margin", "margin", "loss", "forgetting"):
        ours, expected = again.scores(score), whole.scores(score)
        np.testing.assert_allclose(ours, expected, rtol=1e-5)
    other = LabelQuality(np.zeros((4, 3)), LABELS[::-1])
    with pytest.raises(ValueError, match=r"`path`.*scores\.npz, of other"):
        other.load(tmp_path / "scores.npz")
    with pytest.raises(RuntimeError, match="no epoch"):
        other.save(tmp_path / "other.npz")
    content = (tmp_path / "scores.npz").read_bytes()
    np.save(tmp_path / "array.npy", LABELS)
    array = (tmp_path / "array.npy").read_bytes()
    for damaged in (b"", b"text", content[:-9], array):
        (tmp_path / "scores.npz").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"scores\.npz.* a damaged file"):
            again.load(tmp_path / "scores.npz")


def test_scores_of_another_ignored_class_are_not_loaded(tmp_path):
    """They may be as many, of other samples."""
    labels, p = np.array([0, 1, 2, 2]), np.full((4, 3), 1 / 3)
    one, other, none = (
        Findings(labels, ignore_class=ignored) for ignored in (0, 1, None)
    )
    one.update(one.compare(p))
    one.save(tmp_path / "scores.npz")
    one.load(tmp_path / "scores.npz")
    for findings in (other, none):
        with pytest.raises(ValueError, match=r"another `ignore_class`"):
            findings.load(tmp_path / "scores.npz")


def test_a_save_that_fails_leaves_the_file_of_the_last_one(
    tmp_path, monkeypatch
):
    quality, _ = shown(EPOCHS[:2], LABELS)
    file = tmp_path / "scores"
    quality.save(file)
    before = file.read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        quality.save(file)
    assert file.read_bytes() == before


def test_predictions_of_few_samples_are_in_memory(monkeypatch):
    """Arrays and data sets in several parts give the same answers."""
    p, labels = probabilities()
    expected = seen(p, labels).scores()
    monkeypatch.setattr(_training_set, "SAMPLES", 40)
    sizes = []
    predict = keras.Model.predict

    def counted(self, *arguments, **more):
        found = predict(self, *arguments, **more)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(keras.Model, "predict", counted)
    for data, batch_size, parts in (
        (p, 20, [40, 40, 20]),
        (p, 256, [100]),
        (Batches(p, labels), 1, [64, 36]),
    ):
        sizes.clear()
        quality = LabelQuality(data, labels, batch_size=batch_size)
        quality.set_model(identity((3,), "float32"))
        quality.on_epoch_end(0)
        assert np.array_equal(quality.scores(), expected)
        assert sizes == parts


def test_a_mixture_of_two_is_found():
    rng = np.random.default_rng(0)
    low, high = rng.normal(-3, 1, 7000), rng.normal(2, 0.5, 3000)
    found = mixture(np.concatenate([high, low]))
    np.testing.assert_allclose(found.shares, [0.7, 0.3], atol=0.01)
    np.testing.assert_allclose(found.means, [-3, 2], atol=0.05)
    np.testing.assert_allclose(found.deviations, [1, 0.5], atol=0.05)
    upper = found.upper(np.array([-9.0, -3, 0, 2, 30]))
    assert np.all(np.diff(upper) >= 0) and upper[0] < 0.01
    assert upper[3] > 0.99 and upper[4] > 0.99
    assert found.is_split
    assert not mixture(np.ones(5)).is_split


def test_scores_of_one_kind_are_warned_of():
    rng = np.random.default_rng(0)
    margin = rng.normal(size=500) * rng.choice([0.3, 3], 500)
    p = 1 / (1 + np.exp(-margin))
    labels = np.zeros(500, int)
    quality, _ = shown([np.stack([p, 1 - p], axis=1)], labels)
    with pytest.warns(UserWarning, match="not of two kinds.*robust loss"):
        estimate = quality.estimate()
    missed = np.mean(p < 0.5)
    assert estimate.rate == pytest.approx(missed, abs=1e-6)


def test_an_estimate_that_still_changes_is_warned_of(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=400)
    true = np.where(rng.random(400) < 0.2, (labels + 1) % 3, labels)
    learned = 0.1 + 0.7 * np.eye(3)[true]
    halfway = np.where(rng.random((400, 1)) < 0.3, 1 - learned, 2 * learned)
    halfway /= halfway.sum(axis=1, keepdims=True)
    quality, _ = shown([halfway, learned], labels)
    quality.save(tmp_path / "scores.npz")
    again = LabelQuality(learned, labels)
    again.load(tmp_path / "scores.npz")
    for each in (quality, again):
        with pytest.warns(UserWarning, match=r"predicted 5.* and 8.* changes"):
            each.estimate()
    quality.on_epoch_end(2)
    assert quality.estimate().rate == pytest.approx(0.2, abs=0.05)


def test_keras_trains_on_what_comes_out(trained):
    quality, x, labels, clean = trained
    inputs, soft = quality.clean(x, labels, "soft")
    model = classifier()
    model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy")
    model.fit(inputs, soft, epochs=3, verbose=0)
    predicted = model.predict(x, verbose=0).argmax(axis=1)
    assert np.mean(predicted == clean) > 0.95
