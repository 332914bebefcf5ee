"""Fashion-MNIST from its official files, wherever people have them."""

import gzip

import keras
import numpy as np
import pytest
import real_data

from keras_noisy import GCE
from keras_noisy.datasets import load


@pytest.mark.once
def test_fashion_mnist_from_its_official_files():
    data = load(
        "fashion_mnist",
        "asymmetric",
        0.4,
        data_dir=real_data.folder("fashion_mnist").parent,
    )
    images, labels = real_data.fashion_mnist("train")
    assert np.array_equal(data.x_train, images)
    assert np.array_equal(data.y_clean, labels)
    assert data.x_test.shape == (10_000, 28, 28)
    # Boots, sneakers, pullovers, coats and dresses: half of the classes.
    assert data.rate == pytest.approx(0.2, abs=5 * np.sqrt(0.16 / 6e4))
    boots = data.y_train[data.y_clean == data.class_names.index("Ankle boot")]
    assert {data.class_names[i] for i in boots} == {"Ankle boot", "Sneaker"}


@pytest.mark.once
def test_unpacked_idx_files_are_read_too(tmp_path):
    source = real_data.folder("fashion_mnist")
    for file in source.glob("*.gz"):
        (tmp_path / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    data = load("fashion_mnist", data_dir=tmp_path)
    assert np.array_equal(data.x_test, real_data.fashion_mnist("t10k")[0])


def tiny_fashion(folder, by_file=False, mark="-", packed=False, level=1):
    for kind in ("train", "t10k"):
        for name, shape in (("images", (5, 2, 2)), ("labels", (5,))):
            content = bytes([0, 0, 8, len(shape)])
            content += b"".join(n.to_bytes(4, "big") for n in shape)
            content += np.full(shape, level, "uint8").tobytes()
            file = f"{kind}-{name}{mark}idx{len(shape)}-ubyte"
            file += ".gz" * packed
            path = folder / file / file if by_file else folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(content) if packed else content)


@pytest.mark.once
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("folder", "data_dir", "by_file", "mark"),
    [
        ("root/FashionMNIST/raw", "root", False, "-"),
        ("root/FashionMNIST/raw", "root/FashionMNIST", False, "-"),
        ("root/FashionMNIST/raw", "root/FashionMNIST/raw", False, "-"),
        ("files", "files", True, "-"),
        ("input/files", "input", True, "-"),
        ("input/owner/files", "input", False, "."),
    ],
)
def test_fashion_mnist_is_found_where_people_have_it(
    tmp_path, folder, data_dir, by_file, mark, packed
):
    tiny_fashion(tmp_path / folder, by_file, mark, packed)
    data = load("fashion_mnist", data_dir=tmp_path / data_dir)
    assert data.x_train.shape == (5, 2, 2)
    assert data.y_test.tolist() == [1] * 5


@pytest.mark.once
def test_digits_are_not_taken_for_fashion(tmp_path):
    tiny_fashion(tmp_path / "MNIST/raw", level=2)
    with pytest.raises(ValueError, match=r"MNIST.*another data set"):
        load("fashion_mnist", data_dir=tmp_path)
    tiny_fashion(tmp_path / "FashionMNIST/raw", level=3)
    data = load("fashion_mnist", data_dir=tmp_path)
    assert data.y_train.tolist() == [3] * 5
    (tmp_path / "FashionMNIST/raw/t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"t10k-labels.* too"):
        load("fashion_mnist", data_dir=tmp_path)


@pytest.mark.once
def test_files_of_two_data_sets_are_not_mixed(tmp_path):
    source = real_data.folder("fashion_mnist")
    for name in ("fashion", "kmnist"):
        (tmp_path / name).mkdir()
        for file in source.glob("*.gz"):
            (tmp_path / name / file.name).symlink_to(file)
    with pytest.raises(ValueError, match=r"one train-images.*kmnist"):
        load("fashion_mnist", data_dir=tmp_path)
    assert load("fashion_mnist", data_dir=tmp_path / "kmnist").rate == 0


@pytest.mark.once
def test_images_and_labels_of_other_lengths_are_an_error(tmp_path):
    source = real_data.folder("fashion_mnist")
    for file in source.glob("*.gz"):
        name = file.name.replace("train-labels", "unused")
        (tmp_path / name).symlink_to(file)
    labels = source / "t10k-labels-idx1-ubyte.gz"
    (tmp_path / "train-labels-idx1-ubyte.gz").symlink_to(labels)
    with pytest.raises(ValueError, match=r"a label for each.*\(10000,\)"):
        load("fashion_mnist", data_dir=tmp_path)


@pytest.mark.once
def test_a_broken_idx_file_is_an_error(tmp_path):
    images = b"\0\0\x08\x03" + 3 * b"\0\0\0\x02"
    for content in (b"<html>not found", images + 7 * b"x", images[:9], b""):
        (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
        with pytest.raises(ValueError, match=r"ubyte.*Download it again"):
            load("fashion_mnist", data_dir=tmp_path)


def test_real_images_are_loaded_corrupted_and_trained_on():
    data = load(
        "fashion_mnist",
        "symmetric",
        0.4,
        data_dir=real_data.folder("fashion_mnist").parent,
    )
    model = keras.Sequential(
        [
            keras.Input(data.x_train.shape[1:]),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(data.num_classes, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.003),
        GCE(num_classes=data.num_classes),
        metrics=["accuracy"],
    )
    model.fit(
        data.x_train[:20_000], data.y_train[:20_000], batch_size=256, verbose=0
    )
    _, accuracy = model.evaluate(data.x_test, data.y_test, 1000, verbose=0)
    assert accuracy > 0.7
