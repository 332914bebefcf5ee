"""CIFAR is found where people have it, and no label is outside its classes."""

import gzip
import pickle
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
import real_data

from keras_noisy.datasets import _files, load


def tiny_cifar(folder, kind, by_file=False, labels=None):
    """The files of the python version, with five images each."""
    files = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    keys = [b"labels"]
    if kind == "100":
        files, keys = ["train", "test"], [b"fine_labels", b"coarse_labels"]
    for number, name in enumerate(files):
        content = {b"data": np.full((5, 3072), number, "uint8")}
        for key in keys:
            content[key] = [*range(5)] if labels is None else labels
        path = folder / name / name if by_file else folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(content, protocol=2))


PLACES = {
    "the folder itself": ("cifar-{}-python", "cifar-{}-python"),
    "a folder of another name": ("data", "data"),
    "a folder in it": ("data/cifar", "data"),
    "three folders below": ("a/owner/name/cifar-{}-python", "a"),
}


@pytest.mark.once
@pytest.mark.parametrize("by_file", [False, True])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["10", "100"])
def test_cifar_is_found_where_people_have_it(tmp_path, kind, place, by_file):
    folder, data_dir = (tmp_path / p.format(kind) for p in PLACES[place])
    tiny_cifar(folder, kind, by_file)
    # A folder of images, not the file of CIFAR-100.
    (tmp_path / data_dir / "images" / "train").mkdir(parents=True)
    data = load(f"cifar{kind}", data_dir=data_dir)
    assert data.x_test[:, 0, 0, 0].tolist() == [len(data.x_train) // 5] * 5
    assert data.y_train[:5].tolist() == [*range(5)]


@pytest.mark.once
def test_an_archive_is_a_place_too(tmp_path):
    tiny_cifar(tmp_path / "cifar-100-python", "100")
    archive = tmp_path / "below" / "cifar-100-python.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as file:
        file.add(tmp_path / "cifar-100-python", "cifar-100-python")
    for place in (archive, archive.parent):
        assert len(load("cifar100", data_dir=place).x_train) == 5


@pytest.mark.once
def test_human_labels_are_found_beside_the_images(tmp_path):
    tiny_cifar(tmp_path / "images/cifar-10-batches-py", "10")
    labels = np.tile(np.arange(5), 5)
    content = {"clean_label": labels, "worse_label": labels[::-1].copy()}
    place = tmp_path / "labels/data/CIFAR-10_human.pt"
    place.parent.mkdir(parents=True)
    with zipfile.ZipFile(place, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(content, 2))
    data = load("cifar10n", data_dir=tmp_path)
    assert data.y_train.tolist() == labels[::-1].tolist()


@pytest.mark.once
@pytest.mark.parametrize("label", [256, 257, -1, 2**32, 10])
def test_no_label_is_wrapped_to_a_class(tmp_path, label):
    labels = np.array([0, 1, 2, 3, label])
    for given in (labels, labels.tolist()):
        tiny_cifar(tmp_path, "10", labels=given)
        with pytest.raises(ValueError, match=str(label)):
            load("cifar10", data_dir=tmp_path)
    tiny_cifar(tmp_path, "10")
    clean = np.tile(np.arange(5), 5)
    content = {"clean_label": clean, "worse_label": np.full(25, label)}
    with zipfile.ZipFile(tmp_path / "CIFAR-10_human.pt", "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(content, 2))
    with pytest.raises(ValueError, match=str(label)):
        load("cifar10n", data_dir=tmp_path)


@pytest.mark.once
def test_a_label_outside_the_classes_is_an_error(tmp_path):
    image = np.zeros((2, 32, 32, 3), "uint8")
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    labels = dict.fromkeys(names, np.array([0, 200]))
    real_data.write_python_version(
        tmp_path / "cifar-10-batches-py", dict.fromkeys(names, image), labels
    )
    with pytest.raises(ValueError, match=r"\[0, 10\).*200"):
        load("cifar10", data_dir=tmp_path)


@pytest.mark.once
def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    """A sparse member of 1 kB can claim any size."""
    folder = tmp_path / "cifar-10-batches-py"
    tiny_cifar(folder, "10")
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as file:
        file.add(folder, folder.name)
    shutil.rmtree(folder)
    with zipfile.ZipFile(tmp_path / "CIFAR-10_human.pt", "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"x": "x" * 9999}))
    idx = b"\0\0\x08\x03" + np.array([1, 99, 99], ">i4").tobytes()
    images = gzip.compress(idx + bytes(99 * 99))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(images)
    assert len(load("cifar10", data_dir=tmp_path).y_train) == 25
    monkeypatch.setattr(_files, "_LARGEST", 9000)
    for name, file in (
        ("cifar10", "python.tar.gz"),
        ("cifar10n", "human.pt"),
        ("fashion_mnist", "ubyte.gz"),
    ):
        with pytest.raises(ValueError, match=rf"{file}.*Download it again"):
            load(name, data_dir=tmp_path)
