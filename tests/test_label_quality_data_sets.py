"""LabelQuality reads data sets in the order of the labels."""

import keras
import numpy as np
import pytest
from batches import Batches, tensorflow_batches, torch_batches
from noisy_blobs import blobs, classifier
from shown_epochs import SCORES, probabilities, seen

from keras_noisy.callbacks import LabelQuality
from keras_noisy.losses import with_index


@pytest.mark.parametrize(
    "make",
    [
        Batches,
        tensorflow_batches,
        # On other backends `test_features.py` reads a PyTorch loader.
        pytest.param(torch_batches, marks=pytest.mark.once),
    ],
)
@pytest.mark.parametrize(
    "kind",
    [
        "integers",
        *(
            pytest.param(kind, marks=pytest.mark.once)
            for kind in ("one-hot", "with index")
        ),
    ],
)
def test_a_data_set_gives_the_scores_of_its_arrays(make, kind):
    p, labels = probabilities()
    y = {
        "integers": labels,
        "one-hot": np.eye(3, dtype="float32")[labels],
        "with index": with_index(labels),
    }[kind]
    quality, arrays = seen(make(p, y), labels, 2), seen(p, labels, 2)
    for score in SCORES:
        assert np.array_equal(quality.scores(score), arrays.scores(score))


@pytest.mark.once
def test_a_data_set_without_labels_is_taken_in_its_order():
    p, labels = probabilities()
    dataset = tensorflow_batches(p, labels).map(lambda x, y: x)
    scores = seen(dataset, labels).scores()
    assert np.array_equal(scores, seen(p, labels).scores())


@pytest.mark.once
def test_a_data_set_that_shuffles_is_an_error():
    x, labels, _ = blobs()
    batches = Batches(x, labels, shuffle=True)
    quality = LabelQuality(batches, labels)
    model = classifier()
    # In order until `fit` calls its `on_epoch_end`.
    with pytest.raises(ValueError, match="in the order of `y`"):
        model.fit(batches, epochs=3, verbose=0, callbacks=[quality])
    dataset = tensorflow_batches(x, labels).unbatch().shuffle(300).batch(32)
    quality = LabelQuality(dataset, labels)
    quality.set_model(model)
    with pytest.raises(ValueError, match="does not shuffle"):
        quality.on_epoch_end(0)


@pytest.mark.once
def test_a_data_set_of_another_length_is_an_error():
    p, labels = probabilities()
    dataset = tensorflow_batches(p, labels)
    with pytest.raises(ValueError, match=r"100, in every epoch.* gives 64"):
        seen(dataset.take(2), labels)
    with pytest.raises(ValueError, match="gives more"):
        seen(dataset.repeat(), labels)
    with pytest.raises(ValueError, match="Expected batches of samples"):
        seen(dataset.unbatch(), labels)


@pytest.mark.parametrize("make", [lambda x, y: x, tensorflow_batches, Batches])
def test_the_model_trains_the_same_with_it(make):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 3)).astype("float32"), rng.integers(0, 2, 64)

    def trained(*callbacks):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Dropout(0.5), keras.layers.Dense(2, "softmax")]
        model = keras.Sequential(layers)
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(x, y, 16, 2, verbose=0, callbacks=list(callbacks))
        return model.get_weights()[0]

    quality = LabelQuality(make(x, y), y)
    assert np.array_equal(trained(quality), trained())
