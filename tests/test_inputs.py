"""Labels, predictions, masks and weights: right ones and wrong ones."""

import warnings

import keras
import numpy as np
import pytest
from helpers import (
    build,
    catalogue_of_probabilities_shared,
    gradient,
    masked,
    number,
    values,
)
from keras import ops

from keras_noisy import GCE, MAE, CrossEntropy, MAEStar
from keras_noisy.datasets import ImageDataset

UNIFORM = np.full((4, 3), 1 / 3, "float32")
MAE_OF_UNIFORM = 4 / 3


def random_probabilities(*shape, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), shape[:-1])


@catalogue_of_probabilities_shared
@pytest.mark.parametrize(
    "shape",
    [
        (5,),
        (2, 3, 4),
        *(pytest.param(x, marks=pytest.mark.once) for x in ((), (3, 4))),
    ],
    ids=str,
)
def test_every_label_format_gives_the_same_values(name, shape):
    labels = np.random.default_rng(0).integers(5, size=shape)
    p = random_probabilities(*shape, 5).astype("float32")
    # Without it a vector is a batch of single outputs.
    known = {} if shape else {"num_classes": 5}
    loss = build(name, 5, **known)
    result = values(loss, labels, p)
    assert result.shape == shape
    for other in (
        labels[..., None],
        np.eye(5)[labels],
        np.eye(5, dtype=int)[labels],
    ):
        np.testing.assert_allclose(
            values(loss, other, p), result, rtol=1e-6, atol=2e-6
        )


@catalogue_of_probabilities_shared
def test_as_many_samples_as_classes_is_no_special_case(name):
    labels = np.array([2, 0, 1])
    p = random_probabilities(3, 3).astype("float32")
    one_by_one = [
        values(build(name, 3), labels[i : i + 1], p[i : i + 1])
        for i in range(3)
    ]
    for format_ in (labels, labels[:, None]):
        np.testing.assert_allclose(
            values(build(name, 3), format_, p), np.ravel(one_by_one), rtol=1e-6
        )


@pytest.mark.parametrize("classes", [2, 3])
def test_swapped_arguments_are_named(classes):
    p = np.full((4, classes), 1 / classes, "float32")
    with pytest.raises(ValueError, match="labels first"):
        MAE()(p, np.array([0, 1, 1, 0]))


@pytest.mark.parametrize(
    ("labels", "predictions"),
    [((4,), (5, 3)), ((4, 2), (4, 3)), ((4, 3, 3), (4, 3)), ((4,), (4, 2, 3))],
)
def test_shapes_that_do_not_fit_are_named(labels, predictions):
    with pytest.raises(ValueError, match=r"integer labels of shape.*Received"):
        MAE()(np.zeros(labels, int), np.full(predictions, 1 / 3, "float32"))


def test_a_number_is_no_prediction():
    with pytest.raises(ValueError, match="one output per class"):
        MAE()(np.zeros(()), np.full((), 0.3, "float32"))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_labels_are_not_rounded_to_the_dtype_of_the_loss(dtype):
    num_classes = 5000
    labels = np.array([1001, 2049, 4097, 4999])
    logits = np.zeros((4, num_classes), "float32")
    logits[np.arange(4), labels] = 20.0
    loss = MAE(from_logits=True, dtype=dtype)
    result = loss(labels, logits)
    assert keras.backend.standardize_dtype(result.dtype) == dtype
    assert float(ops.convert_to_numpy(ops.cast(result, "float32"))) < 1e-3


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "int32", "int64", "uint32", "float32", "bool"]
)
def test_labels_of_any_dtype(dtype):
    labels = np.array([1, 0, 1, 1], dtype)
    p = random_probabilities(4, 300).astype("float32")
    np.testing.assert_allclose(
        values(MAE(), labels, p),
        2 - 2 * p[range(4), labels.astype(int)],
        rtol=1e-5,
    )


def test_arrays_in_the_other_byte_order():
    p = random_probabilities(4, 3).astype("float32")
    labels = np.array([1, 0, 1, 2])
    for y in (labels, np.eye(3)[labels]):
        swapped = y.astype(y.dtype.newbyteorder())
        np.testing.assert_array_equal(
            values(MAE(), swapped, p.astype(p.dtype.newbyteorder())),
            values(MAE(), y, p),
        )
    given = ImageDataset(
        (np.zeros((4, 2, 2), "uint8"), labels.astype(">i8")), 4
    )
    assert given[0][1].dtype.isnative


@pytest.mark.parametrize("bad", [3, 7, -1, 1000, -(2**31)])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_label_outside_the_range(bad, dtype):
    labels = np.array([0, bad, 1, 2], dtype)
    with pytest.raises(ValueError, match=rf"in \[0, 3\).*y_true={bad}\b"):
        MAE()(labels, UNIFORM)

    loss = MAE(reduction=None)
    loss([0, 1, 2, 1], UNIFORM)  # Only the first batch is checked.
    result = ops.convert_to_numpy(loss(labels, UNIFORM))
    np.testing.assert_allclose(
        result,
        [MAE_OF_UNIFORM, np.nan, MAE_OF_UNIFORM, MAE_OF_UNIFORM],
        rtol=1e-6,
    )
    slopes = gradient(lambda p: loss.call(labels, p), UNIFORM)
    assert np.all(np.isfinite(slopes))
    assert np.all(slopes[1] == 0)
    assert np.all(slopes[0] != 0)


def test_float_labels_must_be_whole():
    loss = MAE(reduction=None)
    for bad in (1.5, np.nan, np.inf, -np.inf, -1.0, 3.0, 1e30):
        labels = np.array([0.0, bad, 2.0, 1.0], "float32")
        with pytest.raises(ValueError, match=r"y_true="):
            loss(labels, UNIFORM)
        assert np.isnan(values(loss, labels, UNIFORM)).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("bad", [2**32 + 1, -(2**32), 2**62, -(2**63) + 2])
def test_labels_too_large_for_32_bits_are_not_wrapped_into_the_range(bad):
    labels = np.array([0, bad, 1, 2])
    with pytest.raises(ValueError, match=f"cast to an integer.*y_true={bad}"):
        MAE()(labels, UNIFORM)
    # Nor if it is not the first batch.
    loss = MAE(reduction=None)
    loss([0, 1, 2, 1], UNIFORM)
    result = ops.convert_to_numpy(loss(labels, UNIFORM))
    assert np.isnan(result).tolist() == [False, True, False, False]


def test_labels_of_objects_and_text():
    labels = np.array([2, 0, 1], object)
    np.testing.assert_array_equal(
        values(MAE(), labels, UNIFORM[:3]),
        values(MAE(), [2, 0, 1], UNIFORM[:3]),
    )
    with pytest.raises(ValueError, match=r"text, such as 'cat'.*np\.unique"):
        MAE()(["cat", "dog", "cat"], UNIFORM[:3])


@pytest.mark.parametrize("decimals", [1, 2, 3])
def test_rounded_soft_labels_are_renormalized(decimals):
    rng = np.random.default_rng(0)
    soft = rng.dirichlet(np.ones(6), 200)
    rounded = np.round(soft, decimals).astype("float32")
    sums = rounded.sum(axis=1)
    near = np.abs(sums - 1) < 0.1005
    assert np.any(sums[near] < 0.995) or decimals == 3
    p = random_probabilities(200, 6, seed=1).astype("float32")
    loss = build("CrossEntropy", 6)
    result = values(loss, rounded, p)
    np.testing.assert_array_equal(np.isnan(result), ~near)
    exact = -(rounded[near] * np.log(p[near])).sum(axis=1) / sums[near]
    np.testing.assert_allclose(result[near], exact, rtol=1e-5)
    number(loss(rounded[near], p[near]))
    if not np.all(near):
        with pytest.raises(ValueError, match="a sum of 1"):
            build("CrossEntropy", 6)(rounded, p)


def test_outputs_of_other_activations_give_nan_and_a_reason():
    z = np.array([[2.0, -1.0, 0.5], [1.0, 1.5, -0.2]], "float32")
    for outputs, reason in (
        (1 / (1 + np.exp(-z)), "outputs of a sigmoid"),
        (np.maximum(z, 0), "outputs of a ReLU"),
        (z, "returns logits"),
    ):
        assert np.all(np.isnan(values(MAE(), [0, 1], outputs)))
        with pytest.raises(ValueError, match=reason):
            MAE()([0, 1], outputs)


def test_labels_that_count_from_1_and_several_labels_are_named():
    with pytest.raises(ValueError, match="need `labels - 1`"):
        MAE()([1, 2, 3, 1], UNIFORM)
    several = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 0]])
    with pytest.raises(ValueError, match="multi-label targets"):
        MAE()(several, UNIFORM[:3])


def test_classes_in_the_first_axis_are_named():
    for shape in ((2, 4, 5), (2, 4, 5, 1)):
        with pytest.raises(ValueError, match=r"to be in axis 1.*Permute"):
            MAE()(np.zeros(shape, int), np.ones((2, 3, 4, 5), "float32"))


@catalogue_of_probabilities_shared
def test_an_empty_batch_has_no_loss(name):
    loss = build(name, 4, reduction=None)
    empty = np.zeros((0, 4), "float32")
    for y in (np.zeros(0, int), empty):
        assert values(loss, y, empty).shape == (0,)
        assert ops.convert_to_numpy(loss(y, empty)).shape == (0,)


@pytest.mark.parametrize(
    ("dtype", "label", "ignored"),
    [
        ("uint8", 255, -1),
        ("uint8", 44, 300),
        ("int8", -1, 255),
        ("bool", 1, -1),
    ],
)
def test_ignored_class_is_not_wrapped_into_the_dtype_of_the_labels(
    dtype, label, ignored
):
    p = random_probabilities(2, 260).astype("float32")
    labels = np.array([0, label], dtype)
    loss = MAE(ignore_class=ignored)
    plain = MAE()
    np.testing.assert_array_equal(
        values(loss, labels, p), values(plain, labels, p)
    )


@catalogue_of_probabilities_shared
def test_targets_must_be_distributions(name):
    targets = np.array([[1, 1, 0], [0, -1, 2], [0.5, 0.5, 0]], "float32")
    loss = build(name, 3)
    with pytest.raises(ValueError, match="from 0 to 1 that sums to 2"):
        loss(targets, UNIFORM[:3])
    nan = np.isnan(values(loss, targets, UNIFORM[:3]))
    assert nan.tolist() == [True, True, False]


@catalogue_of_probabilities_shared
def test_negative_probabilities_give_nan(name):
    p = np.array(
        [[0.6, 0.4, 0], [-0.2, 0.6, 0.6], [np.nan, 0.5, 0.5]], "float32"
    )
    for labels in ([0, 1, 1], np.eye(3, dtype="float32")[[0, 1, 1]]):
        result = values(build(name, 3), np.array(labels), p)
        assert np.isnan(result).tolist() == [False, True, True]


def test_logits_taken_for_probabilities_are_an_error():
    logits = np.array([[2.0, -1.0, 0.5]], "float32")
    with pytest.raises(ValueError, match="from_logits=True"):
        MAE()([0], logits)
    with pytest.raises(ValueError, match="rows that sum to 3"):
        MAE()([0], np.ones((1, 3), "float32"))
    with pytest.raises(ValueError, match=r"keras_noisy\.check\(model, loss,"):
        MAE()([0], logits)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_softmax_is_accepted_in_every_precision(dtype):
    logits = np.random.default_rng(0).normal(size=(8, 5000)).astype("float32")
    p = ops.softmax(ops.cast(logits, dtype))
    assert np.isfinite(number(ops.cast(MAE()(np.arange(8), p), "float32")))


def test_probabilities_taken_for_logits_are_a_warning_once():
    loss = CrossEntropy(from_logits=True)
    with pytest.warns(UserWarning, match="from_logits=False") as seen:
        first = number(loss([0, 1, 2, 0], UNIFORM))
    assert __file__ in {warning.filename for warning in seen}
    assert number(loss([0, 1, 2, 0], UNIFORM)) == first


def test_only_the_first_batch_is_inspected(monkeypatch):
    loss = MAE()
    loss([0, 1, 2, 0], UNIFORM)
    monkeypatch.setattr(ops, "convert_to_numpy", pytest.fail)
    loss([0, 1, 2, 0], UNIFORM)


def test_probabilities_count_down_to_the_smallest_normal_float():
    p = np.array([[1e-30, 1.0], [0.0, 1.0]], "float32")
    result = values(CrossEntropy(), [0, 0], p)
    np.testing.assert_allclose(result, [69.0776, 87.3365], rtol=1e-5)


def test_probabilities_are_renormalized():
    p = random_probabilities(4, 3).astype("float32")
    np.testing.assert_allclose(
        values(GCE(), [0, 1, 2, 0], 0.95 * p),
        values(GCE(), [0, 1, 2, 0], p),
        rtol=1e-5,
    )


def test_class_count_is_checked_against_the_predictions():
    with pytest.raises(ValueError, match=r"Expected 3,.*num_classes=10"):
        MAEStar(num_classes=10)([0, 1, 2, 0], UNIFORM)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 1}, r"an integer >= 2.*num_classes=1"),
        ({"num_classes": 10.0}, r"an integer.*num_classes=10.0"),
        ({"from_logits": "yes"}, "True or False.*from_logits='yes'"),
        ({"logit_bias": "Auto"}, "None or \"auto\".*logit_bias='Auto'"),
        ({"logit_bias": np.inf}, "logit_bias=inf"),
        ({"logit_bias": np.nan}, "logit_bias=nan"),
        (
            {"logit_clip": 0.0, "from_logits": True},
            r"\(0, inf\).*logit_clip=0.0",
        ),
        ({"logit_clip": 1.0}, "`logit_clip` needs `from_logits=True`"),
        ({"ignore_class": 0.5}, "an integer.*ignore_class=0.5"),
        ({"ignore_class": 2**40}, "less than 2"),
        ({"reduction": "median"}, "reduction"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MAE(**arguments)


@pytest.mark.parametrize("q", [0, -0.1, 1.01, np.nan, np.inf, "large", True])
def test_gce_rejects_q_outside_its_range(q):
    with pytest.raises(ValueError, match=r"`q`. Expected a number in \(0, 1\]"):
        GCE(q=q)


@catalogue_of_probabilities_shared
@pytest.mark.parametrize("ignored", [-1, 255, 0])
def test_ignored_samples_leave_the_mean(name, ignored):
    p = random_probabilities(6, 3).astype("float32")
    labels = np.array([1, 2, 1, 2, 2, 1])
    some = np.where([True, True, False, True, False, True], labels, ignored)
    kept = some != ignored
    loss = build(name, 3, ignore_class=ignored)
    plain = build(name, 3)
    assert number(loss(some, p)) == pytest.approx(
        number(plain(labels[kept], p[kept])), rel=1e-6
    )
    assert number(loss(np.full(6, ignored), p)) == 0.0
    slopes = gradient(lambda x: loss.call(some, x), p)
    assert np.all(slopes[~kept] == 0)


def test_ignored_samples_under_every_reduction():
    p = random_probabilities(4, 3).astype("float32")
    labels = np.array([0, -1, 2, -1])
    per_sample = values(MAE(ignore_class=-1), labels, p)
    assert np.all(per_sample[[1, 3]] == 0)
    for reduction, result in {
        "sum": per_sample.sum(),
        "mean": per_sample.sum() / 2,
        "sum_over_batch_size": per_sample.sum() / 2,
        "mean_with_sample_weight": per_sample.sum() / 2,
    }.items():
        loss = MAE(ignore_class=-1, reduction=reduction)
        assert number(loss(labels, p)) == pytest.approx(result, rel=1e-6)
    loss.reduction = None  # As a loss of Keras, it may be changed later.
    none = ops.convert_to_numpy(loss(labels, p))
    np.testing.assert_allclose(none, per_sample, rtol=1e-6)


@catalogue_of_probabilities_shared
def test_keras_mask_and_ignored_class_are_both_left_out(name):
    p = random_probabilities(2, 4, 3).astype("float32")
    labels = np.array([[0, 1, 2, 0], [-1, 1, -1, 2]])
    mask = np.array([[True, True, False, False], [True, True, True, True]])
    kept = mask & (labels >= 0)
    loss = build(name, 3, ignore_class=-1)
    assert number(loss(labels, masked(p, mask))) == pytest.approx(
        number(build(name, 3)(labels[kept], p[kept])), rel=1e-6, abs=1e-6
    )
    labels = np.abs(labels)
    assert number(build(name, 3)(labels, masked(p, mask))) == pytest.approx(
        number(build(name, 3)(labels[mask], p[mask])), rel=1e-6, abs=1e-6
    )


@pytest.mark.parametrize(
    "shape", [(), (1,), (3,), (3, 1), (3, 4), (1, 4), (4,)], ids=str
)
def test_sample_weights_of_every_shape_that_broadcasts(shape):
    p = random_probabilities(3, 4, 5).astype("float32")
    labels = np.random.default_rng(0).integers(5, size=(3, 4))
    weights = np.random.default_rng(1).uniform(size=shape).astype("float32")
    full = weights[:, None] if shape == (3,) else weights
    full = np.broadcast_to(full, (3, 4))
    result = number(MAE()(labels, p, sample_weight=weights))
    per_sample = values(MAE(), labels, p)
    assert result == pytest.approx((full * per_sample).mean(), rel=1e-5)


@pytest.mark.parametrize(
    "shape", [(), (1,), (3,), (3, 1), (3, 2, 1), (1, 2, 4), (3, 1, 1, 1)]
)
def test_a_mean_by_weights_divides_by_the_weight_of_every_value(shape):
    p = random_probabilities(3, 2, 4, 5).astype("float32")
    labels = np.random.default_rng(0).integers(5, size=(3, 2, 4))
    weights = np.random.default_rng(1).uniform(size=shape).astype("float32")
    full = weights[..., None] if shape == (3, 1) else weights
    full = weights[:, None, None] if shape == (3,) else full
    full = weights[..., 0] if len(shape) == 4 else full
    loss = MAE(reduction="mean_with_sample_weight")
    assert number(loss(labels, p, weights)) == pytest.approx(
        np.average(
            values(MAE(), labels, p), weights=np.broadcast_to(full, (3, 2, 4))
        ),
        rel=1e-5,
    )


def test_weights_of_samples_when_there_are_as_many_steps():
    p = random_probabilities(3, 3, 5).astype("float32")
    labels = np.zeros((3, 3), int)
    weights = np.array([1.0, 0.0, 0.0], "float32")
    assert number(MAE()(labels, p, weights)) == pytest.approx(
        values(MAE(), labels, p)[0].sum() / 9, rel=1e-6
    )


def test_a_call_raises_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        MAE()([0, 1, 2, 0], UNIFORM)
