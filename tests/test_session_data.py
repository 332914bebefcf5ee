"""Sessions: prefixes, the rules of SR-GNN, and batches by length."""

import json
from collections import Counter
from datetime import date

import helpers
import numpy as np
import pytest
import real_data

from keras_noisy._start import Start
from keras_noisy.datasets import SessionDataset, Sessions, load_sessions

pytestmark = pytest.mark.once

GOLDEN = json.loads((helpers.TESTS / "golden_session.json").read_text())


def drawn(count=300, items=50, seed=0):
    rng = np.random.default_rng(seed)
    lengths = np.minimum(rng.geometric(0.25, count) + 1, 30)
    return [rng.integers(1, items + 1, n).tolist() for n in lengths]


def test_every_prefix_is_a_sample_in_the_published_order():
    golden = GOLDEN["session"]["splits"]
    sessions = Sessions([golden["session"], [5, 5]])
    for i, wanted in enumerate(golden["sequences"]):
        clicks, target = sessions[i]
        assert clicks.tolist() == wanted and target == golden["labels"][i]
    assert len(sessions) == 4 and sessions.num_items == 9
    assert sessions.targets.tolist() == [*golden["labels"], 5]
    assert sessions.padded([2, 0], 4).tolist() == [[3, 0, 0, 0], [3, 8, 2, 0]]
    last = Sessions([[1, 2, 3], [4, 5]], 9, every_prefix=False)
    assert last.targets.tolist() == [3, 5] and last.num_items == 9
    assert sessions.last(0.5).targets.tolist() == [8, 5]
    assert sessions.last(0.5)[1][0].tolist() == [5]
    assert len(Sessions([range(1, 102)]).last(0.29)) == 29


def test_replaced_clicks_are_others_at_the_given_rate():
    sessions = Sessions(drawn(4000))
    changed = sessions.replaced(0.2, seed=1)
    assert len(changed) == len(sessions)
    differ = changed.clicks != sessions.clicks
    assert abs(differ.mean() - 0.2) < 0.01
    new = np.bincount(changed.clicks[differ], minlength=51)[1:]
    assert new.min() > 0.6 * new.mean()
    assert (sessions.replaced(1.0).clicks != sessions.clicks).all()
    again = sessions.replaced(0.2, seed=1)
    np.testing.assert_array_equal(again.clicks, changed.clicks)
    other = sessions.replaced(0.2, seed=2)
    assert (other.clicks != changed.clicks).any()
    assert (sessions.replaced(0.0).clicks == sessions.clicks).all()


def by_the_rules(rows):
    """The rules of SR-GNN, one session after the other."""
    sessions, days = {}, {}
    for session, item, time, day in rows:
        sessions.setdefault(session, []).append((item, time))
        days[session] = date.fromisoformat(day)
    sessions = {
        name: [item for item, _ in sorted(clicks, key=lambda pair: pair[1])]
        for name, clicks in sessions.items()
        if len(clicks) > 1
    }
    counts = Counter(item for clicks in sessions.values() for item in clicks)
    sessions = {
        name: kept
        for name, clicks in sessions.items()
        if len(kept := [i for i in clicks if counts[i] >= 5]) > 1
    }
    latest = max(days[name] for name in sessions)
    ordered = sorted(sessions, key=lambda name: days[name])
    numbers, train, test = {}, [], []
    for name in ordered:
        age = (latest - days[name]).days
        if age > 7:
            for item in sessions[name]:
                numbers.setdefault(item, len(numbers) + 1)
            train.append([numbers[item] for item in sessions[name]])
    for name in ordered:
        if (latest - days[name]).days < 7:
            known = [numbers[i] for i in sessions[name] if i in numbers]
            if len(known) > 1:
                test.append(known)
    return train, test


@pytest.mark.parametrize("names", ["sessionId itemId", "session_id item_id"])
def test_official_table(names, tmp_path):
    rng = np.random.default_rng(3)
    rows = []
    for session in rng.permutation(400):
        day = date(2016, 5, 1).toordinal() + int(rng.integers(20))
        for _ in range(rng.integers(1, 7)):
            item = int(70 * rng.uniform() ** 2)
            time = int(rng.integers(5000))
            text = date.fromordinal(day).isoformat()
            rows.append((f"s{session}", 900 + item, time, text))
    session, item = names.split()
    lines = [f"{session};userId;{item};timeframe;eventdate"]
    lines += [f"{s};NA;{i};{t};{d}" for s, i, t, d in rows]
    folder = tmp_path / "dataset-train-diginetica"
    folder.mkdir()
    text = "\n".join(lines) + "\n"  # as editors save it, with a byte order mark
    (folder / "train-item-views.csv").write_text(text, "utf-8-sig")
    data = load_sessions("diginetica", tmp_path)
    train, test = by_the_rules(rows)
    wanted = Sessions(train), Sessions(test, data.num_items)
    assert len(wanted[0]) > 300 and len(wanted[1]) > 100
    for found, expected in zip((data.train, data.test), wanted, strict=True):
        np.testing.assert_array_equal(found.clicks, expected.clicks)
        np.testing.assert_array_equal(found.targets, expected.targets)
        np.testing.assert_array_equal(found.lengths, expected.lengths)
        assert found.num_items == wanted[0].num_items
    lines[2] = lines[2].replace("2016", "MMXVI")
    (folder / "train-item-views.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"views\.csv .*line 3: .*MMXVI"):
        load_sessions("diginetica", tmp_path)


def test_prepared_file_and_its_mistakes(tmp_path):
    file = tmp_path / "sessions.npz"
    arrays = {
        "train_items": np.array([1, 2, 3, 2, 1]),
        "train_lengths": np.array([3, 2]),
        "test_items": np.array([3, 1, 2]),
        "test_lengths": np.array([1, 2]),
        "test_targets": np.array([2, 3]),
    }
    np.savez(file, **arrays)
    data = load_sessions("diginetica", tmp_path)
    assert len(data.train) == 3 and data.num_items == 3
    pairs = [(c.tolist(), t) for c, t in map(data.test.__getitem__, range(2))]
    assert pairs == [([3], 2), ([1, 2], 3)]
    # Arrays in the smallest type that each of them needs.
    small = {name: of.astype("uint8") for name, of in arrays.items()}
    small["train_items"] = np.array([1, 2, 300, 2, 1], "uint16")
    small["test_targets"] = np.array([2, 300], "uint16")
    np.savez(file, **small)
    test = load_sessions("diginetica", tmp_path).test
    assert test.targets.tolist() == [2, 300]
    np.savez(file, **{**arrays, "test_lengths": np.array([1, 1])})
    with pytest.raises(ValueError, match=r"sessions\.npz"):
        load_sessions("diginetica", tmp_path)
    for wrong in (
        {"train_items": np.array([1, 2, 3])},
        {"train_items": np.array([], int), "train_lengths": np.array([], int)},
        {"train_lengths": np.array([3.5, 2])},
        {"test_targets": np.array([2, 9])},
        {"train_items": np.array([*"12321"])},
    ):
        np.savez(file, **{**arrays, **wrong})
        with pytest.raises(ValueError, match=r"Expected .*sessions\.npz to"):
            load_sessions("diginetica", tmp_path)
    with pytest.raises(ValueError, match="`name`"):
        load_sessions("yoochoose", tmp_path)


def test_diginetica_is_that_of_the_papers():
    data = load_sessions("diginetica", real_data.folder("diginetica"))
    assert len(data.train) == 719_470 and len(data.test) == 60_858
    assert data.num_items == 43_097
    assert len(data.train.last(1 / 16)) == 44_966


def samples(batches):
    """Clicks and label of every sample of some batches."""
    return [
        (tuple(row[row > 0].tolist()), int(label))
        for clicks, labels in batches
        for row, label in zip(clicks, labels, strict=True)
    ]


def test_batches_of_similar_length():
    sessions = Sessions(drawn())
    given = [
        (tuple(c), t - 1)
        for c, t in map(sessions.__getitem__, range(len(sessions)))
    ]
    data = SessionDataset(sessions, 16, training=True, seed=3)
    epochs = []
    for _ in range(2):
        epochs.append([data[i] for i in range(len(data))])
        data.on_epoch_end()
    again = SessionDataset(sessions, 16, training=True, seed=3, start=(1, 4))
    for (clicks, labels), (wanted, of) in zip(
        [again[i] for i in range(2, len(again))], epochs[1][6:], strict=True
    ):
        np.testing.assert_array_equal(clicks, wanted)
        np.testing.assert_array_equal(labels, of)
    for batches in epochs:
        found = samples(batches)
        assert len(found) == len(given) // 16 * 16
        assert not Counter(found) - Counter(given)
        mixed = SessionDataset(sessions, 16, training=True, by_length=False)
        cells, of_mixed = (
            sum(clicks.size for clicks, _ in some)
            for some in (batches, map(mixed.__getitem__, range(len(mixed))))
        )
        assert cells < 0.6 * of_mixed
        assert {c.shape[1] for c, _ in batches} <= {4, 8, 16, 32, 64}
    assert samples(epochs[0]) != samples(epochs[1])

    evaluation = SessionDataset(sessions, 16)
    assert samples(evaluation[i] for i in range(len(evaluation))) == given
    by_length = SessionDataset(sessions, 16, by_length=True)
    found = samples(by_length[i] for i in range(len(by_length)))
    assert found != given and Counter(found) == Counter(given)


def test_processes_share_a_batch():
    sessions = Sessions(drawn())
    whole = SessionDataset(sessions, 16, training=True, seed=3)
    parts = [
        SessionDataset(sessions, 8, training=True, seed=3, shard=(i, 2))
        for i in range(2)
    ]
    assert len(whole) == len(parts[0]) == len(parts[1])
    for i in range(len(whole)):
        clicks, labels = whole[i]
        for index, part in enumerate(parts):
            np.testing.assert_array_equal(part[i][0], clicks[index::2])
            np.testing.assert_array_equal(part[i][1], labels[index::2])


def test_a_start_that_a_callback_moves_on():
    sessions = Sessions(drawn())
    start = Start((0, 0))
    data = SessionDataset(sessions, 16, training=True, start=start)
    assert start.num_batches == len(data)
    start.now = (1, 5)
    fresh = SessionDataset(sessions, 16, training=True, start=(1, 0))
    np.testing.assert_array_equal(data[2][0], fresh[7][0])
    assert len(data) == start.num_batches - 5


def test_mistakes_are_named():
    short = ([[1]], [[1, 0]], [[1, -2]], [[1.5, 2.0]], [], 5)
    for wrong in (*short, [[1, 2**31]]):
        with pytest.raises(ValueError, match="`sessions`"):
            Sessions(wrong)
    pandas = pytest.importorskip("pandas")
    for wrong, advice in (
        (pandas.DataFrame({"s": [1, 1], "i": [1, 2]}), r"`table\.groupby\("),
        ([["a", "b"]], r"Number the items: `np\.unique"),
        (np.array([[1, 2, 0], [3, 4, 5]]), "Leave padding out"),
    ):
        with pytest.raises(ValueError, match=f"`sessions`.*{advice}"):
            Sessions(wrong)
    with pytest.raises(ValueError, match="session 1 of length 1"):
        Sessions([[1, 2], [1]])
    with pytest.raises(ValueError, match="`num_items`"):
        Sessions([[1, 9]], num_items=8)
    with pytest.raises(ValueError, match="`lengths`"):
        Sessions.from_arrays(np.array([1, 2, 3]), np.array([2]))
    sessions = Sessions([[1, 2], [2, 1]])
    with pytest.raises(ValueError, match="`rate`"):
        sessions.replaced(1.5)
    with pytest.raises(ValueError, match="`share`"):
        sessions.last(0)
    with pytest.raises(ValueError, match="`sessions`"):
        SessionDataset([[1, 2]])
    with pytest.raises(ValueError, match="at least one whole batch"):
        SessionDataset(sessions, 100, training=True)
    with pytest.raises(ValueError, match="`length`"):
        Sessions([[1, 2, 3]]).padded([0], 1)
