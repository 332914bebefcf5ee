"""CIFAR and its human labels, loaded from their official files."""

import errno
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile

import keras
import numpy as np
import pytest
import real_data

from keras_noisy.datasets import load
from keras_noisy.datasets._files import reading

COUNT = 50_000


@pytest.fixture(scope="module")
def cifar100(tmp_path_factory):
    """CIFAR-100 in the official python version, and its human labels."""
    root = tmp_path_factory.mktemp("data")
    labels = real_data.cifar100_labels()
    images = {
        split: real_data.cifar100_images(split) for split in ("train", "test")
    }
    coarse = {
        split: labels["fine_to_coarse"][labels[split]] for split in images
    }
    real_data.write_python_version(
        root / "cifar-100-python", images, labels, coarse
    )
    write_human_labels(root, "100")
    return root


def write_human_labels(root, kind, **replaced):
    """As the authors publish them, except for the pickle protocol."""
    columns = {
        name.removeprefix(f"c{kind}_"): array
        for name, array in real_data.cifar_n_labels().items()
        if name.startswith(f"c{kind}_")
    }
    with zipfile.ZipFile(root / f"CIFAR-{kind}_human.pt", "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(columns | replaced, 2))


@pytest.fixture(scope="module")
def cifar10(tmp_path_factory):
    """The layout of CIFAR-10 with its true labels, and pictures of them."""
    root = tmp_path_factory.mktemp("data")
    clean = real_data.cifar_n_labels()["c10_clean_label"]
    labels = {
        f"data_batch_{i + 1}": clean[10_000 * i : 10_000 * (i + 1)]
        for i in range(5)
    }
    labels["test_batch"] = np.arange(100, dtype="uint8") % 10
    images = {
        name: np.broadcast_to(
            array[:, None, None, None], (len(array), 32, 32, 3)
        ).copy()
        for name, array in labels.items()
    }
    real_data.write_python_version(root / "cifar-10-batches-py", images, labels)
    write_human_labels(root, "10")
    return root


@pytest.mark.once
def test_cifar100_from_its_python_version(cifar100):
    labels = real_data.cifar100_labels()
    data = load("cifar100", data_dir=str(cifar100))
    assert np.array_equal(data.x_train, real_data.cifar100_images("train"))
    assert np.array_equal(data.x_test, real_data.cifar100_images("test"))
    assert np.array_equal(data.y_train, labels["train"])
    assert np.array_equal(data.y_test, labels["test"])
    assert data.class_names == tuple(labels["names"])


@pytest.mark.once
@pytest.mark.parametrize(
    ("noise", "changes"),
    [("asymmetric", "block"), ("asymmetric_superclass", "superclass")],
)
def test_asymmetric_noise_of_cifar100(cifar100, noise, changes):
    data = load("cifar100", noise, 0.4, data_dir=cifar100, mode="exact")
    assert data.rate == 0.4
    groups = {
        "block": np.arange(100) // 5,
        "superclass": real_data.cifar100_labels()["fine_to_coarse"],
    }
    for name, group in groups.items():
        stays = np.all(group[data.y_train] == group[data.y_clean])
        assert stays == (name == changes)


@pytest.mark.once
def test_cifar10_from_its_archive(cifar10, tmp_path):
    with tarfile.open(
        tmp_path / "cifar-10-python.tar.gz", "w:gz", compresslevel=1
    ) as file:
        file.add(cifar10 / "cifar-10-batches-py", "cifar-10-batches-py")
    packed = load("cifar10", data_dir=tmp_path)
    unpacked = load("cifar10", data_dir=cifar10)
    for name in ("x_train", "y_train", "x_test", "y_test"):
        found = getattr(packed, name)
        assert np.array_equal(found, getattr(unpacked, name))
    assert packed.x_train.shape == (COUNT, 32, 32, 3)
    assert np.array_equal(packed.x_train[:, 3, 4, 1], packed.y_train)
    assert packed.class_names[9] == "truck"


@pytest.mark.once
@pytest.mark.parametrize(
    ("noise", "percent"),
    [
        ("aggre", 9.01),
        ("random1", 17.23),
        ("random2", 18.12),
        ("random3", 17.64),
        ("worse", 40.21),
    ],
)
def test_human_labels_of_cifar10_have_their_published_rates(
    cifar10, noise, percent
):
    data = load("cifar10n", noise, data_dir=cifar10)
    assert 100 * data.rate == pytest.approx(percent, abs=0.006)
    assert np.array_equal(data.x_train[:, 0, 0, 0], data.y_clean)


@pytest.mark.once
def test_human_labels_of_cifar100(cifar100):
    fine = load("cifar100n", data_dir=cifar100)
    assert 100 * fine.rate == pytest.approx(40.20, abs=0.006)
    columns = real_data.cifar_n_labels()
    assert np.array_equal(fine.y_train, columns["c100_noisy_label"])
    coarse = load("cifar100n", "noisy_coarse", data_dir=cifar100)
    assert coarse.num_classes == 20 and coarse.y_test.max() == 19
    assert np.array_equal(coarse.y_train, columns["c100_noisy_coarse_label"])
    assert np.array_equal(
        coarse.y_clean,
        real_data.cifar100_labels()["fine_to_coarse"][fine.y_clean],
    )
    assert coarse.class_names[14] == "people"


@pytest.mark.once
def test_the_default_of_cifar10n_is_the_worst_label(cifar10):
    default = load("cifar10n", data_dir=cifar10)
    worse = load("cifar10n", "worse", data_dir=cifar10)
    assert np.array_equal(default.y_train, worse.y_train)


@pytest.mark.skipif(
    keras.backend.backend() != "torch",
    reason="PyTorch writes the file, and is loaded with its backend only",
)
@pytest.mark.parametrize("zipped", [True, False])
def test_files_that_torch_wrote_are_read_without_it(cifar10, tmp_path, zipped):
    import torch

    columns = {
        name.removeprefix("c10_"): array.astype("int64")
        for name, array in real_data.cifar_n_labels().items()
        if name.startswith("c10_")
    }
    (tmp_path / "cifar-10-batches-py").symlink_to(
        cifar10 / "cifar-10-batches-py"
    )
    torch.save(
        columns,
        tmp_path / "CIFAR-10_human.pt",
        _use_new_zipfile_serialization=zipped,
    )
    data = load("cifar10n", "aggre", data_dir=tmp_path)
    assert 100 * data.rate == pytest.approx(9.01, abs=0.006)


@pytest.mark.once
def test_images_in_another_order_are_an_error(cifar10, tmp_path):
    root = tmp_path / "other"
    root.mkdir()
    (root / "cifar-10-batches-py").symlink_to(cifar10 / "cifar-10-batches-py")
    clean = real_data.cifar_n_labels()["c10_clean_label"]
    for shifted, message in (
        (np.roll(clean, 1), r"\d+ labels that differ.*python version"),
        (clean[:-1], "another number"),
    ):
        write_human_labels(root, "10", clean_label=shifted)
        with pytest.raises(ValueError, match=message):
            load("cifar10n", data_dir=root)


@pytest.mark.once
def test_a_file_without_the_column_is_an_error(cifar10, tmp_path):
    (tmp_path / "cifar-10-batches-py").symlink_to(
        cifar10 / "cifar-10-batches-py"
    )
    with zipfile.ZipFile(tmp_path / "CIFAR-10_human.pt", "w") as file:
        file.writestr("a/data.pkl", pickle.dumps({"clean_label": np.zeros(3)}))
    with pytest.raises(ValueError, match=r"'worse_label'.*\['clean_label'\]"):
        load("cifar10n", data_dir=tmp_path)


@pytest.mark.once
def test_a_pickle_that_runs_programs_is_refused(cifar10, tmp_path):
    class Harm:
        def __reduce__(self):
            return print, ("harm",)

    (tmp_path / "cifar-10-batches-py").symlink_to(
        cifar10 / "cifar-10-batches-py"
    )
    with zipfile.ZipFile(tmp_path / "CIFAR-10_human.pt", "w") as file:
        file.writestr("a/data.pkl", pickle.dumps({"worse_label": Harm()}))
    with pytest.raises(pickle.UnpicklingError, match=r"human\.pt.*print.*harm"):
        load("cifar10n", data_dir=tmp_path)


@pytest.mark.once
def test_human_labels_are_never_downloaded(monkeypatch):
    blank = np.zeros((1, 32, 32, 3), "uint8"), np.zeros((1, 1))
    monkeypatch.setattr(
        keras.datasets.cifar10, "load_data", lambda: (blank, blank)
    )
    with pytest.raises(ValueError, match=r"which you download from.*BY-NC"):
        load("cifar10n")


@pytest.mark.once
def test_keras_downloads_without_a_folder(monkeypatch, cifar100):
    data = load("cifar100", data_dir=cifar100)

    def load_data(label_mode="fine"):
        assert label_mode == "fine"
        return tuple(
            (images, labels[:, None].astype("int64"))
            for images, labels in (
                (data.x_train, data.y_train),
                (data.x_test, data.y_test),
            )
        )

    monkeypatch.setattr(keras.datasets.cifar100, "load_data", load_data)
    found = load("cifar100")
    for name in ("x_train", "y_train", "x_test", "y_test"):
        assert np.array_equal(getattr(found, name), getattr(data, name))


@pytest.mark.once
def test_images_come_from_keras_where_only_human_labels_are(
    cifar10, tmp_path, monkeypatch
):
    write_human_labels(tmp_path, "10")
    data = load("cifar10", data_dir=cifar10)
    splits = (data.x_train, data.y_train), (data.x_test, data.y_test)
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: splits)
    found = load("cifar10n", "aggre", data_dir=tmp_path)
    assert np.array_equal(found.x_train, data.x_train)
    assert 100 * found.rate == pytest.approx(9.01, abs=0.006)


@pytest.mark.once
def test_missing_files_say_where_to_get_them(tmp_path, cifar10):
    for name, message in (
        ("cifar10n", r"CIFAR-10_human\.pt.*BY-NC"),
        ("fashion_mnist", r"train-images-idx3-ubyte\.gz.*fashion-mnist"),
        ("cifar10", r"cifar-10-batches-py or .*tar\.gz.*toronto"),
        ("cifar100", r"cifar-100-python.*toronto"),
    ):
        with pytest.raises(FileNotFoundError, match=message):
            load(name, data_dir=tmp_path)


@pytest.mark.once
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_file_that_may_not_be_read_is_not_called_broken(tmp_path, number):
    file = tmp_path / "train-labels-idx1-ubyte"
    with pytest.raises(OSError, match="here"), reading(file, "https://there"):
        raise OSError(number, "here", str(file))


@pytest.mark.once
def test_broken_files_are_named(cifar10, tmp_path):
    (tmp_path / "cifar-10-batches-py").symlink_to(
        cifar10 / "cifar-10-batches-py"
    )
    damaged = pickle.dumps(b"\xff", 2).replace(b"latin1", b"latin?")
    for content in (b"<html>", b"", b"\x80\x02}q\x00.", damaged):
        (tmp_path / "CIFAR-10_human.pt").write_bytes(content)
        with pytest.raises(ValueError, match=r"human\.pt.*Download it again"):
            load("cifar10n", data_dir=tmp_path)
    with zipfile.ZipFile(tmp_path / "CIFAR-10_human.pt", "w") as file:
        file.writestr("archive/data.pkl", damaged)
    archive = (tmp_path / "CIFAR-10_human.pt").read_bytes()
    for flipped in (-74, -4):  # its method and its place
        content = bytearray(archive)
        content[flipped] ^= 255
        (tmp_path / "CIFAR-10_human.pt").write_bytes(content)
        with pytest.raises(ValueError, match=r"human\.pt.*Download it again"):
            load("cifar10n", data_dir=tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "cifar-10-python.tar.gz").write_bytes(gzip.compress(b"<html>"))
    with pytest.raises(ValueError, match=r"tar\.gz.*Download it again"):
        load("cifar10", data_dir=other)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as file:
        file.add(cifar10 / "CIFAR-10_human.pt", "x")
    content = lzma.compress(packed.getvalue()[:100_000], preset=0)
    content = content[:9_000] + bytes(99) + content[9_099:]
    (other / "cifar-10-python.tar.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"tar\.gz.*Download it again"):
        load("cifar10", data_dir=other)
    (other / "CIFAR-10_human.pt").write_bytes(b"<html>")
    with pytest.raises(ValueError, match=r"human\.pt.*Download it again"):
        load("cifar10n", data_dir=other)  # It is read before the images.
    with tarfile.open(other / "cifar-100-python.tar.gz", "w:gz") as file:
        file.add(cifar10 / "CIFAR-10_human.pt", "cifar-10-batches-py/x")
    with pytest.raises(ValueError, match=r"tar\.gz.*Download it again"):
        load("cifar100", data_dir=other)
