"""Wrong labels by their neighbors: the scores, the estimate."""

import collections
import copy
import functools
import tracemalloc

import keras
import numpy as np
import pytest
from keras import ops
from test_nearest_neighbors import by_sorting

from keras_noisy import noise
from keras_noisy.datasets import ImageFiles
from keras_noisy.losses import with_index
from keras_noisy.quality import FeatureQuality, PredictionQuality
from keras_noisy.quality._consensus import consensus
from keras_noisy.quality.estimate import true_shares


def clusters(count=1200, num_classes=6, spread=0.12, seed=0):
    """Classes in separate directions, and the class of each sample."""
    rng = np.random.default_rng(seed)
    clean = np.arange(count) % num_classes
    x = np.eye(num_classes, 12)[clean] + spread * rng.normal(size=(count, 12))
    return x.astype("float32"), clean


@functools.cache
def noisy(matrix_name="symmetric", rate=0.3):
    x, clean = clusters()
    make = getattr(noise, matrix_name)
    return x, noise.corrupt(clean, make(6, rate), seed=1).labels, clean


@functools.cache
def quality(matrix_name="symmetric", rate=0.3):
    x, labels, clean = noisy(matrix_name, rate)
    return FeatureQuality(x, labels, clean_labels=clean)


@pytest.mark.once
def test_the_matrix_of_a_consensus_is_that_of_the_noise():
    """Triples of one true class, as many as there are classes squared."""
    rng = np.random.default_rng(0)
    matrix = np.array([[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.0, 0.4, 0.6]])
    clean = rng.choice(3, 40_000, p=[0.5, 0.3, 0.2])
    draws = rng.random((3, len(clean), 1))
    labels = (draws > matrix.cumsum(axis=1)[clean]).sum(axis=-1)
    found, error = consensus(labels.T, 3)
    np.testing.assert_allclose(found, matrix, atol=0.02)
    assert 0.001 < error < 0.003


@pytest.mark.once
def test_scores_are_their_formulas():
    labels = np.array([0, 0, 0, 1, 1, 2])
    indices = np.array([[(i + j) % 6 for j in range(1, 4)] for i in range(6)])
    cosines = np.tile([0.9, 0.8, 0.5], (6, 1))
    found = FeatureQuality(None, labels, k=3, neighbors=(indices, cosines))
    # The neighbors of sample 0 are labeled 0, 0 and 1.
    assert found.scores("votes")[0] == pytest.approx(1 / 3 - 2 / 3)
    assert found.scores("ranks")[0] == pytest.approx(1 - 2 / np.sqrt(5))
    # The neighbors of sample 3: 1, 2 and 0; of sample 5: 0, 0, 0.
    assert found.scores("votes")[3] == pytest.approx(0)
    assert found.scores("ranks")[5] == 1
    reliability = found.evidence.reliability
    # Sizes 1 and 3 are tried; a tie is a majority too.
    assert reliability.tolist() == [1, 1, 1 / 3, 1, 1 / 3, 1 / 3]
    nearness = np.array([0.4, 0.3, 0]) + 0.02 * 0.4 + 1e-6
    weights = nearness * reliability[[1, 2, 3]]
    votes = np.array([weights[0] + weights[1], weights[2]])
    expected = 1 - votes[0] / np.hypot(*votes)
    assert found.scores()[0] == pytest.approx(expected)
    assert found.predicted[0] == 0


@pytest.mark.parametrize(
    ("name", "rate"), [("symmetric", 0.3), ("pair_flip", 0.3)]
)
def test_finds_the_wrong_labels_and_how_many(name, rate):
    found, (_, labels, clean) = quality(name, rate), noisy(name, rate)
    wrong = labels != clean
    estimate = found.estimate()
    assert estimate.rate == pytest.approx(wrong.mean(), abs=0.03)
    assert estimate.interval[0] < wrong.mean() < estimate.interval[1]
    assert estimate.count == round(estimate.rate * len(labels))
    for label in range(6):
        share = wrong[labels == label].mean()
        assert estimate.per_class[label] == pytest.approx(share, abs=0.12)
    true = getattr(noise, name)(6, rate)
    assert np.abs(estimate.transition - true).sum(axis=1).mean() < 0.2
    np.testing.assert_allclose(estimate.transition.sum(axis=1), 1)
    suspects = found.suspects()
    assert len(suspects) == estimate.count
    assert wrong[suspects].mean() > 0.9
    assert found.scores()[suspects].min() == found.threshold
    for score in ("weights", "ranks", "votes", "posterior"):
        precision, recall = found.precision_recall(score=score)
        assert precision == recall > 0.85, score


@pytest.mark.once
def test_right_labels_are_not_suspected():
    x, clean = clusters(600)
    found = FeatureQuality(x, clean)
    assert found.estimate().rate < 0.01
    assert len(found.suspects()) == found.estimate().count
    sure = PredictionQuality(np.eye(6)[clean], clean)
    assert sure.estimate().count == 0 and len(sure.suspects()) == 0
    assert sure.threshold == np.inf
    assert np.array_equal(sure.clean(x)[1], clean)


@pytest.mark.once
def test_cleans_in_every_way():
    x, labels, clean = noisy()
    found, wrong = quality(), labels != clean
    kept_x, kept = found.clean(x, labels)
    suspects = found.suspects()
    rest = np.delete(np.arange(len(x)), suspects)
    assert np.array_equal(kept_x, x[rest])
    assert np.array_equal(kept, labels[rest])
    same, mended = found.clean(x, action="relabel")
    assert same is x and np.mean(mended == clean) > 0.97
    changed = np.flatnonzero(mended != labels)
    assert set(changed) <= set(suspects.tolist())
    _, _, weight = found.clean(x, labels, "weight")
    assert weight.dtype == "float32" and np.all((weight >= 0) & (weight <= 1))
    assert weight[wrong].mean() < 0.25 < 0.9 < weight[~wrong].mean()
    _, soft = found.clean(x, labels, "soft")
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-5)
    assert np.mean(soft.argmax(axis=1) == clean) > 0.97
    row = np.arange(len(x))
    np.testing.assert_allclose(soft[row, labels], weight, atol=1e-6)
    few, _ = found.clean(x, n=5)
    assert len(few) == len(x) - 5
    # The given labels do not change.
    assert np.array_equal(labels, noisy()[1])


@pytest.mark.once
@pytest.mark.parametrize("action", ["drop", "relabel"])
def test_warns_of_a_class_that_cleaning_removes(action):
    p = np.eye(3)[[0, 0, 1, 1, 0]] * 0.7 + 0.1
    found = PredictionQuality(p, [0, 0, 1, 1, 2])
    with pytest.warns(UserWarning, match="No label of class 2 is left"):
        found.clean(np.arange(5), None, action, 1)


@pytest.mark.once
def test_samples_of_every_form_are_cleaned_by_position():
    pandas = pytest.importorskip("pandas", reason="tables need pandas")
    _, labels, _ = noisy()
    found = quality()
    rest = np.delete(np.arange(len(labels)), found.suspects())
    names = [f"{i}.png" for i in range(len(labels))]
    assert found.clean(names)[0] == [names[i] for i in rest]
    table = pandas.DataFrame({"name": names}, index=range(len(names), 0, -1))
    assert found.clean(table)[0]["name"].tolist() == [names[i] for i in rest]
    sparse = pytest.importorskip("scipy.sparse", reason="it needs SciPy")
    counts = sparse.coo_array(np.arange(len(labels))[:, None])
    assert np.array_equal(found.clean(counts)[0].toarray()[:, 0], rest)
    with pytest.raises(ValueError, match=r"`x`.*coo_array of length 1\b"):
        found.clean(counts.T)
    parts = {"a": np.arange(len(labels)), "b": [np.arange(len(labels))]}
    taken = found.clean(parts)[0]
    assert np.array_equal(taken["a"], rest)
    assert np.array_equal(taken["b"][0], rest)
    images = [np.full((2 + i % 3, 2), i) for i in range(len(labels))]
    assert [image[0, 0] for image in found.clean(images)[0]] == rest.tolist()
    several = collections.namedtuple("Inputs", "image place")
    given = several(np.arange(len(names)), np.arange(len(names))[:, None])
    given = found.clean(given)[0]
    assert np.array_equal(given.image, rest) and given.place.ndim == 2
    for wrong in (names[:-1], iter(names), {"a": names[1:]}):
        with pytest.raises(ValueError, match=r"`x`.*suspects\(\)"):
            found.clean(wrong)
    with pytest.raises(ValueError, match=r"`y`.*labels, 1 different"):
        found.clean(names, np.where(np.arange(len(labels)), labels, 5 - labels))
    with pytest.raises(ValueError, match=r"`action`.*'relabel'"):
        found.clean(names, action="mend")


@pytest.mark.once
def test_neighbors_from_elsewhere_are_checked():
    x, labels, _ = noisy()
    indices, cosines = by_sorting(x, 51)
    tensor = ops.convert_to_tensor(keras.Variable(cosines))
    same = FeatureQuality(None, labels, neighbors=(indices, tensor))
    # The number of neighbors for other scores changes nothing in this one.
    more = FeatureQuality(None, labels, 70, neighbors=by_sorting(x, 70))
    np.testing.assert_allclose(same.scores(), more.scores(), atol=1e-6)
    assert same.estimate().rate == pytest.approx(more.estimate().rate)
    np.testing.assert_allclose(same.scores(), quality().scores(), atol=1e-3)
    for change, message in (
        (lambda i, c: (i[:, :5], c[:, :5]), "m >= 10"),
        (lambda i, c: (i + 5000, c), "in \\[0, 1200\\)"),
        (lambda i, c: (i[:, ::-1], c[:, ::-1]), "nearest first"),
        (lambda i, c: (np.sort(i) * 0 + np.arange(1200)[:, None], c), "other"),
        (lambda i, c: i, "Expected indices"),
    ):
        with pytest.raises(ValueError, match=f"`neighbors`.*{message}"):
            FeatureQuality(None, labels, neighbors=change(indices, cosines))


@pytest.mark.once
def test_labels_bring_their_files_and_names():
    x, labels, _ = noisy()
    files = ImageFiles([f"{i}.png" for i in range(len(x))], labels, [*"abcdef"])
    found = FeatureQuality(x, files)
    assert found.class_names == [*"abcdef"]
    assert str(found.images[3]).endswith("3.png")
    other = FeatureQuality(x, with_index(labels), class_names=[*"abcdefg"])
    assert np.array_equal(other.labels, labels)
    assert other.estimate().transition.shape == (7, 7)


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": np.zeros((4, 2))}, "`features`.*not zero.*4 other rows"),
        ({"features": np.full((4, 2), np.nan)}, "`features`.*finite"),
        ({"features": np.ones(4)}, r"`features`.*shape \(4,\)"),
        ({"features": np.ones((3, 2))}, r"`features`.*len\(features\)=3"),
        ({"k": 0}, "`k`"),
        ({"k": 4}, "`k`.*fewer neighbors"),
        ({"y": [0, 1, 2, -1]}, "`y`"),
        ({"clean_labels": [0, 1, 0, 5]}, "`clean_labels`.*below 2"),
        ({"class_names": ["a"]}, "`class_names`"),
    ],
)
def test_bad_arguments_are_errors(arguments, message):
    settings = {"features": np.eye(4), "y": [0, 1, 0, 1], "k": 1}
    with pytest.raises(ValueError, match=message):
        FeatureQuality(**{**settings, **arguments})


@pytest.mark.once
def test_features_without_a_meaning_are_warned_of():
    x, labels, _ = noisy()
    other = np.random.default_rng(3).permutation(labels)
    found = FeatureQuality(x, other)
    text = "features say nothing .* standardize"
    with pytest.warns(UserWarning, match=text) as warned:
        found.suspects(3)
    assert warned[0].filename == __file__


@pytest.mark.once
def test_predictions_of_models_that_have_not_seen_the_samples():
    rng = np.random.default_rng(0)
    _, labels, clean = noisy()
    p = np.eye(6)[clean] * 2 * rng.random((len(clean), 1))
    p = np.exp(p + rng.normal(size=p.shape) / 4) ** 3
    p /= p.sum(axis=1, keepdims=True)
    found = PredictionQuality(p, labels, clean_labels=clean)
    row = np.arange(len(p))
    own = p[row, labels]
    np.testing.assert_allclose(found.scores(), 1 - own, rtol=1e-5)
    other = np.where(np.eye(6)[labels], 0, p).max(axis=1)
    np.testing.assert_allclose(found.scores("margin"), other - own, atol=1e-6)
    wrong = labels != clean
    assert found.estimate().rate == pytest.approx(wrong.mean(), abs=0.04)
    _, soft = found.clean(p, labels, "soft")
    # The posterior is Bayes' rule with the estimated matrix.
    estimate = found.estimate()
    expected = 0.98 * p + 0.02 * estimate.prior
    expected *= estimate.transition.T[labels]
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(soft, expected, atol=1e-5)
    for bad, message in (
        (p[:, :5], "column for each class"),
        (p[:-1], r"len\(probabilities\)=1199"),
        (2 * p, "sum to 1.*of logits, take softmax"),
        (np.round(p, 1), "sum to 1.*divide each row by its sum"),
    ):
        with pytest.raises(ValueError, match=f"`probabilities`.*{message}"):
            PredictionQuality(bad, labels)
    with pytest.raises(ValueError, match="`labels - 1`"):
        PredictionQuality(p, labels + 1)


@pytest.mark.once
def test_an_estimate_does_not_depend_on_the_order_of_the_samples():
    """Predictions that are exactly 1 are all the surest."""
    rng = np.random.default_rng(0)
    clean = np.arange(8000) // 2000
    wrong = (rng.random(8000) < 0.4) & (clean > 0)
    labels = np.where(wrong, (clean + 1) % 4, clean)
    found = PredictionQuality(np.eye(4)[clean], labels)
    assert found.estimate().rate == pytest.approx(wrong.mean(), abs=0.05)
    # Two neighbors stand out from no others.
    place = np.arange(8000) % 2000
    near = [2000 * clean + (place + step) % 2000 for step in (1, 2)]
    near = np.stack(near, axis=1), np.ones((8000, 2))
    found = FeatureQuality(None, labels, k=2, neighbors=near)
    assert found.estimate().rate == pytest.approx(wrong.mean(), abs=0.05)


@pytest.mark.once
def test_an_estimate_is_not_changed_by_what_is_done_with_it():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 60)
    quality = PredictionQuality(probabilities, np.arange(60) % 3)
    before = quality.estimate()
    matrix = before.transition.copy()
    before.transition[:] = before.prior[:] = before.per_class[:] = 0
    np.testing.assert_array_equal(quality.estimate().transition, matrix)


@pytest.mark.once
def test_labels_to_mend_are_not_those_that_were_scored():
    quality = PredictionQuality([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], [0, 1, 0])
    labels, predicted = quality.labels, quality.predicted
    labels[2] = predicted[0] = 1
    assert quality.labels.tolist() == [0, 1, 0]
    assert quality.predicted.tolist() == [0, 1, 1]
    assert quality.scores().tolist() == pytest.approx([0.1, 0.2, 0.7])


@pytest.mark.once
def test_a_matrix_of_many_classes_is_read_few_times_and_not_copied(monkeypatch):
    class Matrix:
        """A transition matrix of 10 %, which counts its products."""

        __array_ufunc__, products = None, 0

        def __matmul__(self, x):
            self.products += 1
            return 0.8 * x + 0.2 * x.mean()

        __rmatmul__ = __matmul__

    matrix, prior = Matrix(), np.array([0.1, 0.2, 0.3, 0.4])
    found = true_shares(matrix, 0.8 * prior + 0.05)
    np.testing.assert_allclose(found, prior, atol=1e-8)
    assert matrix.products < 100
    quality = PredictionQuality(np.eye(3)[[0, 1, 2]], [0, 1, 1])
    expected = quality.suspects()
    monkeypatch.setattr(copy, "deepcopy", lambda value: 1 / 0)
    assert np.array_equal(quality.suspects(), expected)
    assert quality.threshold


@pytest.mark.once
def test_the_worst_of_equal_scores_are_of_all_classes():
    labels = np.arange(2000) // 500
    wrong = np.arange(2000) % 2 == 0
    rest = np.where(wrong, 1e-20, 1.0)[:, None]
    p = np.where(np.eye(4)[labels] > 0, rest, (1 - rest) / 3)
    found = PredictionQuality(p, labels)
    assert wrong[found.suspects(800)].all()
    assert np.bincount(labels[found.suspects(200)]).min() > 25
    p[wrong, labels[wrong]] = np.linspace(1e-20, 1e-30, 1000)
    worst = np.flatnonzero(wrong)[::-1]
    for score in ("confidence", "margin"):
        found = PredictionQuality(p, labels)
        assert np.array_equal(found.suspects(1000, score), worst)
    # All neighbors of a wrong one are right ones of the next class.
    of_class = np.where(wrong, (labels + 1) % 4, labels)
    steps = np.arange(2000)[:, None] + np.arange(2, 24, 2)
    near = 500 * of_class[:, None] + steps // 2 * 2 % 500 + 1
    near = near, np.ones(near.shape)
    found = FeatureQuality(None, labels, neighbors=near)
    for score in ("weights", "ranks", "votes"):
        worst = found.suspects(200, score)
        assert wrong[worst].all() and np.bincount(labels[worst]).min() > 25


def test_all_labels_may_be_wrong():
    labels = np.arange(40)
    found = PredictionQuality(np.eye(40)[(labels + 1) % 40], labels)
    assert found.estimate().rate == 1.0
    with (
        pytest.warns(UserWarning, match="say nothing"),
        pytest.raises(ValueError, match=r"fewer than .* n=40"),
    ):
        found.clean(labels)


@pytest.mark.once
def test_predictions_are_checked_in_parts():
    p = np.full((40_000, 50), 1 / 50, "float32")
    labels = np.arange(len(p)) % 50
    tracemalloc.start()
    PredictionQuality(p, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A copy of the predictions is kept.
    assert peak < 2 * p.nbytes
    p[9_999] *= 2
    with pytest.raises(ValueError, match=r"row 9999 from .* sums to 2"):
        PredictionQuality(p, labels)
    ignored = np.where(np.arange(len(p)) < 10_000, -1, labels)
    quality = PredictionQuality(p, ignored, ignore_class=-1)
    assert np.isnan(quality.scores()).sum() == 10_000
    assert quality.scores()[-1] == pytest.approx(49 / 50)
