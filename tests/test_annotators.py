"""Several annotators of one sample, and cleanlab."""

import keras
import numpy as np
import pytest
import real_data

from keras_noisy import noise
from keras_noisy.quality import (
    KerasClassifier,
    PredictionQuality,
    find_label_issues,
    from_annotators,
    from_noise_matrix,
    to_noise_matrix,
)

pytestmark = pytest.mark.once


def by_loops(votes, num_classes, steps=60):
    """The method as Dawid and Skene write it."""
    count, annotators = votes.shape
    soft = np.zeros((count, num_classes))
    for i, row in enumerate(votes):
        for label in row[row >= 0]:
            soft[i, label] += 1 / np.sum(row >= 0)
    for _ in range(steps):
        prior = soft.mean(axis=0)
        confusion = np.zeros((annotators, num_classes, num_classes))
        for a in range(annotators):
            for i in range(count):
                if votes[i, a] >= 0:
                    confusion[a, :, votes[i, a]] += soft[i]
            confusion[a] /= confusion[a].sum(axis=1, keepdims=True)
        for i in range(count):
            soft[i] = prior
            for a in range(annotators):
                if votes[i, a] >= 0:
                    soft[i] *= confusion[a, :, votes[i, a]]
            soft[i] /= soft[i].sum()
    return soft, confusion, prior


def crowd(count=400):
    """A good annotator, two bad ones who err alike, and one with few labels."""
    rng = np.random.default_rng(0)
    clean = rng.integers(3, size=count)
    good = np.where(
        rng.random(count) < 0.95, clean, rng.integers(3, size=count)
    )
    bad = [
        np.where(rng.random(count) < 0.55, clean, (clean + 1) % 3)
        for _ in range(2)
    ]
    some = np.where(rng.random(count) < 0.3, clean, -1)
    return np.stack([good, *bad, some], axis=1), clean


def test_the_expectation_maximization_is_that_of_the_paper():
    votes, clean = crowd()
    found = from_annotators(votes)
    soft, confusion, prior = by_loops(votes, 3)
    np.testing.assert_allclose(found.soft, soft, atol=2e-3)
    np.testing.assert_allclose(found.confusion, confusion, atol=2e-3)
    np.testing.assert_allclose(found.prior, prior, atol=2e-3)
    majority = from_annotators(votes, method="majority")
    assert np.mean(majority.labels == clean) < 0.85
    assert np.mean(found.labels == clean) > 0.93
    assert found.labels.dtype == np.int64


def test_the_majority_is_the_share_of_the_votes():
    found = from_annotators([[0, 0, 1], [2, 1, -1]], 4, "majority")
    assert found.labels.tolist() == [0, 1]
    expected = [[2 / 3, 1 / 3, 0, 0], [0, 0.5, 0.5, 0]]
    np.testing.assert_allclose(found.soft, expected)
    np.testing.assert_allclose(found.confusion.sum(axis=2), 1)


def test_three_people_know_more_than_one():
    human = real_data.cifar_n_labels()
    clean = human["c10_clean_label"]
    votes = np.stack([human[f"c10_random_label{i}"] for i in (1, 2, 3)], axis=1)
    one = np.mean(votes[:, 0] == clean)
    majority = np.mean(
        from_annotators(votes, method="majority").labels == clean
    )
    merged = np.mean(from_annotators(votes).labels == clean)
    assert one < 0.83 < 0.9 < majority < merged


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ([0, 1], r"shape \(2,\)"),
        ([[0, 1], [-1, -1]], "at least one label of each"),
        ([[0, 0.5]], "whole numbers"),
        ([[0, -2]], "whole numbers"),
        ([["a", "b"]], r"whole numbers.*`table\[column\], names = pandas\."),
        ([[0, 2**31]], r"whole numbers.*annotations=\[2147483648\]"),
        (np.array([[0, None]], object), r"fillna\(-1\).*\[nan\]"),
        (np.ma.masked_equal([[0, 9]], 9), r"masked.*filled\(-1\)"),
    ],
)
def test_annotations_that_are_no_labels_are_errors(annotations, message):
    with pytest.raises(ValueError, match=f"`annotations`.*{message}"):
        from_annotators(annotations)
    with pytest.raises(ValueError, match="`num_classes`"):
        from_annotators([[0, 5]], num_classes=5)
    votes = np.array([[1, 0, 1], [0, 0, 1]])
    for kind in (bool, object):
        assert from_annotators(votes.astype(kind)).labels.tolist() == [1, 0]


@pytest.mark.once
def test_a_table_has_a_column_for_each_annotator():
    pandas = pytest.importorskip("pandas")
    item, worker = np.repeat(np.arange(4), 3), np.tile(["ann", "bob", "cy"], 4)
    label = [0, 0, 1, 1, 1, 1, 2, 2, 0, 0, 0, 0]
    long = pandas.DataFrame({"item": item, "worker": worker, "label": label})
    numbered = long.assign(worker=np.tile(np.arange(3), 4))
    wide = long.pivot(index="item", columns="worker", values="label")
    for table in (long, numbered, wide.reset_index(names="image_id")):
        with pytest.raises(ValueError, match=r"for each annotator.*pivot"):
            from_annotators(table)
    assert from_annotators(wide).labels.tolist() == [0, 1, 2, 0]
    for names in (["user", "expert", "rater"], ["label", "class", "grid"]):
        assert len(from_annotators(wide.set_axis(names, axis=1)).labels) == 4


def test_matrices_go_to_cleanlab_and_back():
    matrix = noise.asymmetric("cifar10", 0.4)
    there = to_noise_matrix(matrix)
    np.testing.assert_allclose(there.sum(axis=0), 1)
    np.testing.assert_allclose(from_noise_matrix(there), matrix)
    with pytest.raises(ValueError, match=r"`noise_matrix`.*columns sum to 1"):
        from_noise_matrix(matrix)


def build_model():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4,)), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss)
    return model


def samples():
    rng = np.random.default_rng(0)
    clean = np.arange(300) % 3
    x = np.eye(3, 4)[clean] + rng.normal(size=(300, 4)) / 6
    return x, np.where(rng.random(300) < 0.15, (clean + 1) % 3, clean), clean


def test_cleanlab_takes_a_keras_model():
    classification = pytest.importorskip(
        "cleanlab.classification", reason="the wrapper is for cleanlab"
    )
    x, labels, clean = samples()
    classifier = KerasClassifier(build_model, True, epochs=5, batch_size=20)
    # More jobs are forked processes, of which JAX warns.
    learning = classification.CleanLearning(
        classifier, cv_n_folds=3, find_label_issues_kwargs={"n_jobs": 1}
    )
    issues = learning.find_label_issues(x, labels)["is_label_issue"]
    wrong = labels != clean
    assert wrong[issues].mean() > 0.9 and issues[wrong].mean() > 0.9
    learning.fit(x, labels, label_issues=learning.get_label_issues())
    assert learning.score(x, clean) > 0.97
    copy = KerasClassifier(build_model).set_params(epochs=2)
    assert copy.get_params()["epochs"] == 2
    with pytest.raises(RuntimeError, match="Call `fit`"):
        copy.predict_proba(x)


def test_labels_of_other_classes_than_those_of_the_model_are_told():
    x, labels, _ = samples()
    classes = labels.max() + 1
    with pytest.raises(ValueError, match=f"`y`.*labels below {classes}"):
        KerasClassifier(build_model, True).fit(x, labels + 1)


def test_a_classifier_trains_as_its_model_does():
    """Looking at its outputs first draws nothing, which PyTorch would do."""
    x, labels, _ = samples()
    keras.utils.set_random_seed(0)
    found = KerasClassifier(build_model, True, verbose=0).fit(x, labels).model_
    keras.utils.set_random_seed(0)
    model = build_model()
    model.fit(x, labels, verbose=0)
    for one, two in zip(found.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_classifier_takes_tables_sparse_inputs_and_other_byte_orders():
    sparse = pytest.importorskip("scipy.sparse", reason="it needs SciPy")
    x, labels, _ = samples()
    classifier = KerasClassifier(build_model, True)
    swapped = x.astype(">f4"), labels.astype(">i8")
    table = x.astype(object)  # what pandas makes of columns of several types
    for one, y in (
        swapped,
        (sparse.coo_matrix(x), labels),
        (table, labels),
    ):
        found = classifier.fit(one, y).predict_proba(one)
        np.testing.assert_allclose(
            found, classifier.predict_proba(x), atol=1e-5
        )
    with pytest.raises(ValueError, match=r"`X`.*at least one sample"):
        classifier.fit(x[:0], labels[:0])
    with pytest.raises(ValueError, match=r"`X`.*at least one sample"):
        classifier.predict(x[:0])


def test_a_classifier_may_compute_in_bfloat16():
    """The probabilities of a row then sum to 1 only to two digits."""

    def build_model():
        layers = [keras.Input((8,)), keras.layers.Dense(10, "softmax")]
        model = keras.Sequential(layers)
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(200, 8), scale=3)
    classifier = KerasClassifier(build_model, verbose=0)
    p = classifier.fit(x, np.arange(200) % 10).predict_proba(x)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    rounded = classifier.model_.predict(x, verbose=0).astype("float64")
    assert np.abs(rounded.sum(axis=1) - 1).max() > 0.002


@pytest.mark.once
def test_scikit_learn_knows_a_classifier():
    """As in `cross_val_predict`, which asks this first."""
    base = pytest.importorskip("sklearn.base")
    classifier = base.clone(KerasClassifier(build_model, True, epochs=2))
    assert base.is_classifier(classifier) and classifier.from_logits


def test_confident_learning_finds_what_cleanlab_does():
    pytest.importorskip("cleanlab", reason="this is what is wrapped")
    x, labels, clean = samples()
    model = build_model()
    model.fit(x, clean, epochs=5, batch_size=20, verbose=0)
    logits = model.predict(x, verbose=0).astype("float64")
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    issues = find_label_issues(p, labels, n_jobs=1)
    wrong = np.flatnonzero(labels != clean)
    assert set(issues) <= set(wrong) and len(issues) > 0.8 * len(wrong)
    assert issues[0] in PredictionQuality(p, labels).suspects(3)
    with pytest.raises(ValueError, match="`y`"):
        find_label_issues(p, labels[1:])
