"""Data sets are loaded from their official files, labels on their images."""

import gzip
import pickle
import tarfile
import zipfile

import keras
import numpy as np
import pytest
import real_data

from keras_noisy import GCE, datasets
from keras_noisy.datasets import load

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


# Digits


@pytest.mark.once
@pytest.mark.parametrize("num_classes", [10, 100, 1000])
def test_digits_are_numbers_of_every_class(num_classes):
    data = load("digits", num_classes=num_classes, num_samples=20_000)
    width = 8 * len(str(num_classes - 1))
    assert data.x_train.shape == (20_000, 8, width)
    assert data.x_test.shape == (5_000, 8, width)
    assert data.x_train.dtype == data.x_test.dtype == "uint8"
    assert data.x_train.max() == 255 and data.x_train.min() == 0
    assert set(data.y_clean) == set(range(num_classes))
    assert data.class_names[-1] == str(num_classes - 1)
    assert data.num_classes == num_classes
    assert not data.changed.any() and data.rate == 0


@pytest.mark.once
def test_digits_of_the_test_set_are_not_in_the_training_set():
    data = load("digits", num_classes=1000)
    seen = [
        {part.tobytes() for image in images for part in np.split(image, 3, 1)}
        for images in (data.x_train, data.x_test)
    ]
    assert len(seen[0]) > 1300 and len(seen[1]) > 350
    # Two people may have written the very same pixels.
    assert len(seen[0] & seen[1]) <= 2


@pytest.mark.once
def test_labels_read_from_left_to_right():
    one = load("digits", num_classes=10, num_samples=3_000)
    known = {
        image.tobytes(): label
        for image, label in zip(one.x_train, one.y_train, strict=True)
    }
    data = load("digits", num_classes=1000, num_samples=50)
    for image, label in zip(data.x_train, data.y_clean, strict=True):
        parts = [known[part.tobytes()] for part in np.split(image, 3, axis=1)]
        assert parts[0] * 100 + parts[1] * 10 + parts[2] == label


@pytest.mark.once
def test_seeds_repeat_and_differ():
    first, again, other = (
        load("digits", "symmetric", 0.4, seed, num_samples=500)
        for seed in (0, 0, 1)
    )
    for name in ("x_train", "y_train", "y_clean", "x_test", "y_test"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))


@pytest.mark.once
def test_noise_does_not_change_the_images():
    clean = load("digits", num_samples=500)
    noisy = load("digits", "pair_flip", 0.45, num_samples=500)
    assert np.array_equal(clean.x_train, noisy.x_train)
    assert np.array_equal(clean.y_clean, noisy.y_clean)
    assert not np.array_equal(clean.y_train, noisy.y_train)
    assert np.array_equal(clean.y_test, noisy.y_test)


# Noise by name


@pytest.mark.once
@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        ("symmetric", 0.4),
        ("symmetric_include_true", 0.4 * 99 / 100),
        ("pair_flip", 0.4),
        ("instance_dependent", 0.4),
        (0.6 * np.eye(100) + 0.4 * np.eye(100)[::-1], 0.4),
    ],
    ids=str,
)
def test_measured_rates_match_the_protocol(noise, expected):
    rate = 0.4 if isinstance(noise, str) else 0
    data = load("digits", noise, rate, num_classes=100)
    deviation = np.sqrt(expected * (1 - expected) / len(data.y_train))
    assert abs(data.rate - expected) < 5 * deviation
    assert data.rate == data.changed.mean()


@pytest.mark.once
def test_exact_mode_reaches_the_rate():
    data = load("digits", "symmetric", 0.4, num_classes=10, mode="exact")
    for label in range(10):
        of_class = data.y_clean == label
        assert data.changed[of_class].sum() == round(0.4 * of_class.sum())


# Local files


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


# Human labels


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
    with pytest.raises(pickle.UnpicklingError, match=r"print.*harm"):
        load("cifar10n", data_dir=tmp_path)


# Downloads


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
def test_images_are_channels_last_whatever_keras_prefers(monkeypatch):
    images = np.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32).astype("uint8")

    def load_data():
        return (images, np.zeros((2, 1))), (images, np.zeros((2, 1)))

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", load_data)
    monkeypatch.setattr(
        keras.config, "image_data_format", lambda: "channels_first"
    )
    found = load("cifar10").x_train
    assert np.array_equal(found, np.moveaxis(images, 1, 3))


@pytest.mark.once
def test_a_failed_download_says_what_to_do(monkeypatch):
    def load_data():
        raise OSError("no route to host")

    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", load_data)
    with pytest.raises(RuntimeError, match=r"no route to host.*`data_dir`"):
        load("fashion_mnist")


# Bad input

BAD = {
    "name": (("mnist",), {}, "fashion_mnist"),
    "noise": (("digits", "typo", 0.1), {}, "pair_flip"),
    "asymmetric digits": (("digits", "asymmetric", 0.1), {}, "pair_flip"),
    "rate": (("digits", "symmetric", 1.2), {}, r"rate.*\[0, 1\]"),
    "rate alone": (("digits", None, 0.2), {}, "without `noise`"),
    "rate of matrix": (
        ("digits", np.eye(1000), 0.2),
        {},
        "a matrix has its own",
    ),
    "size of matrix": (("digits", np.eye(10)), {}, r"\(1000, 1000\)"),
    "classes": (("digits",), {"num_classes": 50}, "10, 100 or 1000"),
    "samples": (("digits",), {"num_samples": 0}, "num_samples.*>= 1"),
    "mode": (("digits", "symmetric", 0.1), {"mode": "x"}, "bernoulli"),
    "mode without matrix": (
        ("digits", "instance_dependent", 0.1),
        {"mode": "exact"},
        "not that of a matrix",
    ),
    "seed": (("digits", None, 0.0, -1), {}, "seed.*>= 0"),
    "classes as float": (("digits",), {"num_classes": 10.0}, "an integer"),
    "other": (("cifar10",), {"num_classes": 10}, "of 'digits' alone"),
    "human": (("cifar10n", "noisy"), {}, "aggre"),
    "human rate": (("cifar10n", "worse", 0.2), {}, "human labels are not"),
}


@pytest.mark.once
@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_named(case):
    arguments, keywords, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        load(*arguments, **keywords)


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
def test_broken_files_are_named(cifar10, tmp_path):
    (tmp_path / "cifar-10-batches-py").symlink_to(
        cifar10 / "cifar-10-batches-py"
    )
    damaged = pickle.dumps(b"\xff", 2).replace(b"latin1", b"latin?")
    for content in (b"<html>", b"", b"\x80\x02}q\x00.", damaged):
        (tmp_path / "CIFAR-10_human.pt").write_bytes(content)
        with pytest.raises(ValueError, match=r"human\.pt.*Download it again"):
            load("cifar10n", data_dir=tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "cifar-10-python.tar.gz").write_bytes(gzip.compress(b"<html>"))
    with pytest.raises(ValueError, match=r"tar\.gz.*Download it again"):
        load("cifar10", data_dir=other)
    with tarfile.open(other / "cifar-100-python.tar.gz", "w:gz") as file:
        file.add(cifar10 / "CIFAR-10_human.pt", "cifar-10-batches-py/x")
    with pytest.raises(ValueError, match=r"tar\.gz.*Download it again"):
        load("cifar100", data_dir=other)


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
def test_human_labels_are_never_downloaded(monkeypatch):
    blank = np.zeros((1, 32, 32, 3), "uint8"), np.zeros((1, 1))
    monkeypatch.setattr(
        keras.datasets.cifar10, "load_data", lambda: (blank, blank)
    )
    with pytest.raises(ValueError, match=r"which you download from.*BY-NC"):
        load("cifar10n")


@pytest.mark.once
def test_a_broken_idx_file_is_an_error(tmp_path):
    images = b"\0\0\x08\x03" + 3 * b"\0\0\0\x02"
    for content in (b"<html>not found", images + 7 * b"x", images[:9], b""):
        (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
        with pytest.raises(ValueError, match=r"ubyte.*Download it again"):
            load("fashion_mnist", data_dir=tmp_path)


# Places of the files


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


# Training


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


@pytest.mark.once
def test_what_is_public():
    assert {"load", "NoisyDataset"} <= set(datasets.__all__)
