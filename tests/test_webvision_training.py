"""Models train on WebVision, from its folder and from the builder."""

import keras
import numpy as np
import pytest
import webvision_tree

from keras_noisy import MAEStar
from keras_noisy.datasets.webvision import WebVisionFolder


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    root = tmp_path_factory.mktemp("webvision")
    webvision_tree.write(root)
    return root


def test_images_train_a_model_as_tf_data_and_as_py_dataset(unpacked):
    folder = WebVisionFolder(unpacked, "mini").check()
    arguments = {"batch_size": 13, "image_size": 32}
    seen = {}
    model = keras.Sequential(
        [
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(50, activation="softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    for batches in (
        folder.to_tf_data(**arguments),
        folder.to_py_dataset(**arguments),
    ):
        images, labels = zip(*batches, strict=True)
        images = np.concatenate([np.asarray(x) for x in images])
        labels = np.concatenate([np.asarray(y) for y in labels])
        assert images.shape == (len(folder), 32, 32, 3)
        np.testing.assert_array_equal(labels, folder.labels)
        seen[type(batches)] = images
        history = model.fit(batches, shuffle=False, verbose=0).history
        assert np.isfinite(history["loss"]).all()
    first, second = seen.values()
    assert np.abs(first - second).mean() < 0.02


def small_resnet(num_classes):
    """A residual block."""
    layers = keras.layers
    inputs = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    # Without strides: TensorFlow 2.21 crashes on strides with a 1x1 kernel.
    skip = layers.Conv2D(16, 1)(layers.AveragePooling2D(2)(x))
    x = layers.Conv2D(16, 3, strides=2, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(layers.add([x, skip]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(
        inputs, layers.Dense(num_classes, activation="softmax")(x)
    )


def test_a_small_resnet_trains(unpacked, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    import tensorflow as tf

    from keras_noisy.datasets.webvision import Webvision

    builder = Webvision(data_dir=tmp_path, config="mini")
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=unpacked)
    )

    def read(split):
        data = builder.as_dataset(split=split, as_supervised=True)
        data = data.map(lambda x, y: (tf.image.resize(x, (32, 32)), y))
        return data.batch(len(data) if split == "validation" else 13)

    model = small_resnet(num_classes=50)
    model.compile(keras.optimizers.SGD(0.1), MAEStar(num_classes=50))
    losses = []  # means over the batches so far, the first of a fresh network
    history = model.fit(
        read("train"),
        validation_data=read("validation"),
        callbacks=keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: losses.append(logs["loss"])
        ),
        epochs=3,
        shuffle=False,
        verbose=0,
    ).history
    assert len(history["loss"]) == 3 and len(losses) == 3 * 4
    assert losses[-1] < losses[0]
    assert 0 < history["val_loss"][0] < 2
