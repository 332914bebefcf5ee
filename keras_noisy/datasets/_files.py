"""The official files of the data sets, in the user's folder."""

import contextlib
import errno
import gzip
import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from keras_noisy._files import path_of

Split = tuple[np.ndarray, np.ndarray]

CIFAR = {
    "cifar10": (
        "cifar-10-batches-py",
        [f"data_batch_{i}" for i in range(1, 6)],
        ["test_batch"],
        "cifar-10-python.tar.gz",
    ),
    "cifar100": (
        "cifar-100-python",
        ["train"],
        ["test"],
        "cifar-100-python.tar.gz",
    ),
}


#: Bytes of an unpacked file; a few bytes can claim to be many.
_LARGEST = 2**28
#: Levels of folders below `data_dir` to search.
_DEPTH = 3


#: Data sets whose files have the same names as those of Fashion-MNIST.
_OTHERS = {"mnist", "emnist", "kmnist", "qmnist"}


def find(
    data_dir: str | Path,
    *names: str,
    source: str,
    at: Callable[[Path], Path | None] | None = None,
    likely: str = "",
) -> Path:
    """The nearest place of a file with one of these names.

    It is `data_dir` itself, or is in it or in a folder below it. `at` finds
    the file in a folder, by default `file_in`. If there are several places,
    the one whose folders have the name `likely` is used.
    """
    root = path_of(data_dir)
    if root.is_file() and root.name in names:
        return root
    at = at or (lambda folder: file_in(folder, *names))
    folders = [root]
    for _ in range(_DEPTH + 1):
        places = [place for place in map(at, folders) if place is not None]
        named = [place for place in places if likely and likely in str(place)]
        if len(named) == 1:
            return named[0]
        if len(places) > 1:
            raise ValueError(
                f"Expected one {names[0]} in `data_dir` or a folder in it. "
                f"Received: {', '.join(map(str, places))}. Pass the folder of "
                "the right one"
            )
        if places:
            return places[0]
        folders = [below for folder in folders for below in _folders(folder)]
    raise FileNotFoundError(
        f"Expected `data_dir`, or a folder in it, to have {' or '.join(names)}."
        f" Received: data_dir={str(data_dir)!r}, which has none"
        + (", as it is no folder" * (not root.is_dir()))
        + f". Download it from {source}"
    )


def file_in(folder: Path, *names: str) -> Path | None:
    """The first of these files in a folder, or in a folder of its own name."""
    for name in names:
        for path in (folder / name, folder / name / name):
            if path.is_file():
                return path
    return None


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:  # no folder, or one that may not be read
        return []


@contextlib.contextmanager
def reading(path: Path, source: str) -> Iterator[None]:
    """Errors of broken files say which one it is and where to get it."""
    try:
        yield
    except Exception as error:
        if isinstance(error, pickle.UnpicklingError) and "harm" in str(error):
            raise pickle.UnpicklingError(f"{path}: {error}") from error
        # A seek to a wrong place is EINVAL; other numbers blame the disk.
        damaged = None, errno.ENOENT, errno.EINVAL
        of_disk = getattr(error, "errno", None) not in damaged
        if of_disk or isinstance(error, MemoryError):
            raise
        # Errors of the formats, such as a `KeyError`, say little to a reader.
        reason = f" ({error})" if type(error) is ValueError else ""
        raise ValueError(
            f"Expected {path} to be the official file. Received: one of other "
            f"content, or a part of it{reason}. Download it again from {source}"
        ) from error


def fashion_mnist(data_dir: str | Path) -> tuple[Split, Split]:
    """Both splits from the four idx files."""
    source = "https://github.com/zalandoresearch/fashion-mnist"
    root = path_of(data_dir)
    root = root.parent if root.is_file() else root
    # Other data sets use these names too, so take all four from one folder.
    folder = find(
        root,
        *_idx_names("train", "images"),
        source=source,
        at=lambda folder: (
            folder if file_in(folder, *_idx_names("train", "images")) else None
        ),
        likely="FashionMNIST",
    )
    below = folder.relative_to(root).parts
    if _OTHERS & {part.lower() for part in below}:
        raise ValueError(
            "Expected `data_dir` to have Fashion-MNIST. Received: "
            f"{folder}, which has the name of another data set with the same "
            "files. Pass that very folder if it is right"
        )
    splits = []
    for kind in ("train", "t10k"):
        arrays = []
        for content in ("images", "labels"):
            names = _idx_names(kind, content)
            path = file_in(folder, *names)
            if path is None:
                raise FileNotFoundError(
                    f"Expected {folder} to have {' or '.join(names)} too. "
                    f"Received: a folder without. Download it from {source}"
                )
            with reading(path, source):
                arrays.append(_idx(path))
        splits.append((arrays[0], arrays[1]))
    return splits[0], splits[1]


def _idx_names(kind: str, content: str) -> list[str]:
    axes = {"images": 3, "labels": 1}[content]
    names = [f"{kind}-{content}{mark}idx{axes}-ubyte" for mark in "-."]
    return [name + end for name in names for end in (".gz", "")]


def cifar(name: str, data_dir: str | Path, coarse: bool) -> tuple[Split, Split]:
    """Both splits from the python version, unpacked or not."""
    folder, train, test, archive = CIFAR[name]
    source = "https://www.cs.toronto.edu/~kriz/cifar.html"

    def at(place: Path) -> Path | None:
        has_all = all(file_in(place, file) for file in (*train, *test))
        if has_all or (place.name == folder and place.is_dir()):
            return place
        if (place / folder).is_dir():
            return place / folder
        return file_in(place, archive)

    path = find(data_dir, folder, archive, source=source, at=at)
    key = "labels" if name == "cifar10" else "fine_labels"
    key = "coarse_labels" if coarse else key
    splits = []
    with reading(path, source):
        data = _members(path, folder, [*train, *test])
    for files in (train, test):
        batches = []
        for file in files:
            with reading(path, source):
                content = loads(data[file])
                images = np.asarray(content["data"])
                if images.dtype != np.uint8:
                    raise ValueError("images that are no bytes")
                labels = np.asarray(content[key])
                batches.append((images.reshape(-1, 3, 32, 32), labels))
        images, labels = map(np.concatenate, zip(*batches, strict=True))
        splits.append((np.ascontiguousarray(np.moveaxis(images, 1, 3)), labels))
    return splits[0], splits[1]


def torch_dictionary(path: Path) -> dict[str, Any]:
    """A dictionary of NumPy arrays that `torch.save` wrote; without PyTorch."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            (name,) = (n for n in file.namelist() if n.endswith("/data.pkl"))
            with file.open(name) as content:
                return loads(_all_of(content))
    with open(path, "rb") as file:
        # Files before version 1.6 have magic number, version and system first.
        for _ in range(3):
            _Unpickler(file).load()
        return loads(file.read())


def loads(data: bytes) -> dict[str, Any]:
    """The pickled dictionary, which has only arrays, lists and text."""
    content = _Unpickler(io.BytesIO(data), encoding="bytes").load()
    return {
        key.decode() if isinstance(key, bytes) else key: value
        for key, value in content.items()
    }


class _Unpickler(pickle.Unpickler):
    """Builds only NumPy arrays, because a pickle can run any code."""

    def find_class(self, module: str, name: str) -> Any:
        known = {
            "_reconstruct": np.ndarray(0).__reduce__()[0],
            "ndarray": np.ndarray,
            "dtype": np.dtype,
            "scalar": np.float64(0).__reduce__()[0],
            "OrderedDict": dict,
            "encode": lambda text, encoding: text.encode(encoding),
        }
        harmless = module.split(".")[0] in ("numpy", "collections", "_codecs")
        if harmless and name in known:
            return known[name]
        raise pickle.UnpicklingError(
            f"Expected a file of NumPy arrays. Received: one with "
            f"{module}.{name}, which is not loaded, as it could do harm"
        )


def _members(path: Path, folder: str, files: list[str]) -> dict[str, bytes]:
    if path.is_dir():
        found = {file: file_in(path, file) or path / file for file in files}
        return {file: place.read_bytes() for file, place in found.items()}
    with tarfile.open(path) as archive:
        return {file: _member(archive, f"{folder}/{file}") for file in files}


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:  # A folder has this name.
        raise KeyError(name)
    return _all_of(file)


def _all_of(file: IO[bytes] | gzip.GzipFile) -> bytes:
    """The content of a file in an archive, unless it is too large."""
    content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"more than {_LARGEST} bytes")
    return content


def _idx(path: Path) -> np.ndarray:
    data = path.read_bytes()
    if path.suffix == ".gz":
        with gzip.open(io.BytesIO(data)) as file:
            data = _all_of(file)
    # Two zeros, 8 for bytes, the number of axes, then their lengths.
    start = 4 + 4 * data[3] if data[:3] == b"\0\0\x08" else len(data) + 1
    whole = start <= len(data)
    shape = np.frombuffer(data[4:start], ">i4") if whole else ()
    if not whole or len(data) - start != np.prod(shape):
        raise ValueError("no idx file of bytes")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape).copy()
