"""The search for neighbors: all pairs, and those that an index finds."""

import sys

import numpy as np
import pytest
from keras import ops

from keras_noisy.quality import FeatureQuality, nearest_neighbors, neighbors


def by_sorting(x, k):
    rows = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -9)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(cosines, order, 1)


@pytest.mark.parametrize(("count", "tile"), [(7, 3), (300, 41)])
def test_they_are_those_of_a_sort(count, tile, monkeypatch):
    """In one tile, and in several with a partial last one."""
    x = np.random.default_rng(0).normal(size=(count, 5))
    x *= np.linspace(1e-3, 1e3, count)[:, None]
    expected, cosines = by_sorting(x, 4)
    for size in (tile, neighbors.TILE):
        monkeypatch.setattr(neighbors, "TILE", size)
        found, near = nearest_neighbors(x, 4)
        assert np.array_equal(found, expected)
        np.testing.assert_allclose(near, cosines, atol=2e-6)
        everyone, _ = nearest_neighbors(x, count - 1)
        own = np.sort(np.column_stack([everyone, np.arange(count)]), axis=1)
        assert np.array_equal(own, np.tile(np.arange(count), (count, 1)))


@pytest.mark.parametrize("candidates", [None, 20])
def test_copies_of_a_sample_are_its_neighbors_and_it_is_not(candidates):
    if candidates is not None:
        pytest.importorskip("faiss", reason="faiss is not installed")
    x = np.ones((60, 3), "float32")
    found, near = nearest_neighbors(x, 5, candidates)
    assert not np.any(found == np.arange(60)[:, None])
    np.testing.assert_allclose(near, 1, atol=1e-6)
    assert all(len(set(row)) == 5 for row in found.tolist())


def test_neighbors_of_copies_are_not_the_first_of_them():
    """In their order, which is often by class, copies vote for one class."""
    labels = np.arange(600) // 100
    found, _ = nearest_neighbors(np.ones((600, 3)), 51)
    shares = np.bincount(labels[found].ravel(), minlength=6) / found.size
    assert shares.max() < 0.5


@pytest.mark.once
def test_the_nearest_lists_hold_most_of_them(tmp_path):
    """Features in half precision stay in their file."""
    pytest.importorskip("faiss", reason="faiss is not installed")
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(40, 8)), 30, axis=0)
    x += 0.6 * rng.normal(size=x.shape)
    np.save(tmp_path / "x.npy", x.astype("float16"))
    file = np.load(tmp_path / "x.npy", mmap_mode="r")
    expected, _ = by_sorting(file.astype("float64"), 9)
    found, near = nearest_neighbors(file, 9, candidates=250)
    shares = [
        len(np.intersect1d(*rows)) / 9
        for rows in zip(found, expected, strict=True)
    ]
    assert 0.9 < np.mean(shares) < 1
    rows = file / np.linalg.norm(file.astype("float64"), axis=1)[:, None]
    right = np.sum(rows[:, None] * rows[found], axis=-1)
    np.testing.assert_allclose(near, right, atol=2e-6)
    assert np.all(near[:, 1:] <= near[:, :-1])
    # With few candidates some samples are compared with all others.
    few, _ = nearest_neighbors(file, 20, candidates=21)
    assert all(len({i, *row}) == 21 for i, row in enumerate(few.tolist()))
    # With as many candidates as samples the search is exact.
    same, _ = nearest_neighbors(file, 9, candidates=len(x))
    assert np.mean(same == expected) > 0.999  # rounding


@pytest.mark.once
def test_features_in_half_precision():
    x = np.random.default_rng(0).normal(size=(20, 8))
    expected, _ = nearest_neighbors(x, 1)
    for dtype in ("float16", "bfloat16"):
        half = ops.convert_to_numpy(ops.cast(x, dtype))
        found, _ = nearest_neighbors(half, 1)
        assert np.mean(found == expected) > 0.8, dtype


@pytest.mark.once
def test_columns_of_a_table_may_differ_in_type():
    rows = [[1, True, 0.5], [2, False, 0.25], [0, True, 0.5]]
    expected, _ = nearest_neighbors(rows, 1)
    table = np.array(rows, object)  # what pandas makes of such columns
    np.testing.assert_array_equal(nearest_neighbors(table, 1)[0], expected)
    for gap in (None, "0.25", [1]):
        table[1, 2] = gap
        with pytest.raises(ValueError, match=r"Received: .*dtype object"):
            nearest_neighbors(table, 1)


@pytest.mark.once
def test_candidates_of_feature_quality():
    pytest.importorskip("faiss", reason="faiss is not installed")
    rng = np.random.default_rng(0)
    clean = np.arange(900) % 5
    x = np.eye(5, 9)[clean] + 0.1 * rng.normal(size=(900, 9))
    y = np.where(rng.random(900) < 0.2, (clean + 1) % 5, clean)
    found = FeatureQuality(x, y, candidates=200)
    assert np.mean((y != clean)[found.suspects(100)]) > 0.95
    whole = FeatureQuality(x, y)
    assert found.estimate().rate == pytest.approx(
        whole.estimate().rate, abs=0.03
    )
    near = nearest_neighbors(x, 10)
    with pytest.raises(ValueError, match=r"`candidates`.*are given"):
        FeatureQuality(None, y, neighbors=near, candidates=200)
    for bad in (10, 10.5):
        with pytest.raises(ValueError, match="`candidates`"):
            nearest_neighbors(x, 10, candidates=bad)


@pytest.mark.once
def test_without_faiss_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match="pip install faiss-cpu"):
        nearest_neighbors(np.eye(9), 2, candidates=4)
