"""Batches of trusted and noisy samples: draws and mistakes."""

import keras
import numpy as np
import pytest

from keras_noisy.callbacks import Resume
from keras_noisy.datasets import trusted_and_noisy

pytestmark = pytest.mark.once

LABELS = np.arange(60) % 3
X = np.arange(60.0)[:, None] * np.ones(2)
#: Class 2 has two trusted samples.
TRUSTED = np.array([0, 3, 6, 9, 12, 15, 1, 4, 7, 10, 13, 16, 2, 5])


def data(**arguments):
    return trusted_and_noisy(
        (X, LABELS), TRUSTED, **{"batch_size": 16, "queries": 4, **arguments}
    )


def test_every_batch_has_its_parts():
    batches = data()
    noisy, seen = [], []
    assert len(batches) == 2  # 46 noisy samples
    for number in range(2):
        x, y = batches[number]
        assert x.dtype == "float32" and y["part"].dtype == "int32"
        np.testing.assert_array_equal(x[:, 0], y["index"])
        np.testing.assert_array_equal(y["label"], LABELS[y["index"]])
        parts = np.repeat([0, 1, 2], [15, 4, 16])
        np.testing.assert_array_equal(y["part"], parts)
        np.testing.assert_array_equal(y["label"][:15], np.repeat(range(3), 5))
        shots = y["index"][:15].reshape(3, 5)
        assert [len(set(row)) for row in shots] == [5, 5, 2]
        assert len(set(y["index"][15:19])) == 4
        assert set(y["index"][:19]) <= set(TRUSTED)
        noisy += list(y["index"][19:])
        seen.append(y["index"])
    assert len(set(noisy)) == 32 and not set(noisy) & set(TRUSTED)
    assert (seen[0][:19] != seen[1][:19]).any()
    again = data(start=(0, 1))[0][1]["index"]
    np.testing.assert_array_equal(again, seen[1])
    batches.on_epoch_end()
    other = batches[0][1]["index"]
    assert (other != seen[0]).any()
    np.testing.assert_array_equal(data(start=(1, 0))[0][1]["index"], other)
    assert (data(seed=1)[0][1]["index"] != seen[0]).any()


def test_images_are_augmented_as_in_other_data_sets():
    images = np.zeros((60, 8, 8, 3), "uint8")
    images[:, 4, 4] = 255
    mask = np.isin(np.arange(60), TRUSTED)
    plain, moved = (
        trusted_and_noisy(
            (images, LABELS), mask, 16, queries=4, augment=augment
        )[0][0]
        for augment in (None, lambda x: x / 2)
    )
    assert plain.shape == (35, 8, 8, 3) and plain.max() == 1
    np.testing.assert_allclose(moved, plain / 2)
    cifar = trusted_and_noisy(
        (images, LABELS), mask, 16, queries=4, augment="cifar"
    )[0][0]
    places = [np.argmax(image[..., 0]) for image in cifar]
    assert len(set(places)) > 5


def test_goes_on_in_the_middle_of_an_epoch(tmp_path):
    class Record(keras.callbacks.Callback):
        def __init__(self, stop=None):
            super().__init__()
            self.batches, self.stop = 0, stop

        def on_train_batch_end(self, batch, logs=None):
            self.batches += 1
            if self.batches == self.stop:
                raise KeyboardInterrupt

    def run(*callbacks):
        resume = Resume(tmp_path, save_freq=1)
        batches = data(start=resume.start)
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", lambda y, p: p)
        outputs = [batches[n][1]["index"] for n in range(len(batches))]

        class Plain(keras.utils.PyDataset):
            def __len__(self):
                return len(batches)

            def __getitem__(self, index):
                x, y = batches[index]
                return x, y["label"]

        model.fit(
            Plain(),
            epochs=1,
            initial_epoch=resume.initial_epoch,
            shuffle=False,
            callbacks=[*callbacks, resume],
            verbose=0,
        )
        return outputs

    with pytest.raises(KeyboardInterrupt):
        run(Record(2))
    record = Record()
    run(record)
    assert record.batches == 1


def test_booleans_may_be_objects():
    mask = np.isin(np.arange(60), TRUSTED)
    for trusted in (mask, mask.astype(object), np.array([*mask], object)):
        found = trusted_and_noisy((X, LABELS), trusted, 16, queries=4)
        assert len(found) == len(data())


def test_mistakes_are_named():
    for arguments, message in (
        ({"trusted": TRUSTED[:12]}, r"`trusted`.*none of the classes \[2\]"),
        ({"trusted": [60]}, "`trusted`"),
        ({"queries": 15}, "`queries`.*at most the 14 trusted"),
        ({"shots": 0}, "`shots`"),
        ({"num_classes": 2}, "`labels`"),
        ({"batch_size": 47}, "at least one whole batch"),
        ({"trusted": np.ones(len(X), bool)}, "`trusted`.*fewer than all"),
        ({"augment": "cifar"}, "`augment`.*floats"),
        ({"image_size": 8}, "`image_size`.*floats"),
        ({"dataset": (X, LABELS[1:])}, "`dataset`.*as many"),
        ({"dataset": (X[:0], []), "trusted": []}, "`dataset`.*at least one"),
        ({"dataset": (X[:, :1].astype(int), LABELS)}, "`dataset`"),
        ({"dataset": (X.astype(int), LABELS)}, r"tokens.*astype\(\"float32"),
    ):
        with pytest.raises(ValueError, match=message):
            trusted_and_noisy(
                **{
                    "dataset": (X, LABELS),
                    "trusted": TRUSTED,
                    "batch_size": 16,
                    "queries": 4,
                    **arguments,
                }
            )
