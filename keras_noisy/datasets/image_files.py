"""Image files and their labels, from a folder or a table."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array, as_paths
from keras_noisy._files import text_of
from keras_noisy._names import listed, names_by_label
from keras_noisy._warn import warn
from keras_noisy.datasets import _labels, _table
from keras_noisy.datasets._check import readable
from keras_noisy.datasets._folders import ENDINGS, check_folders, images_in

#: Default names of columns.
_PATHS = (
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image",
    "image_path",
)
#: Names of columns that have paths if there is no better one.
_IDS = ("image_id",), ("id",)
_LABELS = ("label", "class", "class_name", "category", "target")


def no_path(given: np.ndarray) -> str:
    """The first entry that is not a path, for an error message."""
    for i, entry in enumerate(given):
        if np.ndim(entry) > 0:
            return (
                f"an array of shape {np.shape(entry)} at position {i}. Pass "
                "images that are arrays as `(images, labels)` to `ImageDataset`"
                " or `pipeline`"
            )
        if as_paths(given[i : i + 1]) is None:
            return f"{entry!r} at position {i}, counted from 0"
    return "none"


class ImageFiles:
    """Your own image files, each with a label.

    Use it to train on a folder of class folders, a table or lists of paths.
    `pipeline` and `ImageDataset` take it, and also take a folder, a table or a
    CSV file directly. `check` finds the files that cannot be read.

    The attributes `files` and `labels` are arrays of paths and of integers, of
    shape `(N,)`. `class_names` is the list of class names, or `None` if only
    numbers are known. `skipped` maps the path of each file that was left out
    to the reason.

    Args:
        files: Paths of `N` images, `str` or `pathlib.Path`: a list, an array
            or a column of a table.
        labels: Labels of these images: `N` integers, or class names, which are
            numbered.
        class_names: Names of the classes, in the order of their numbers.
            Defaults to `None`: the sorted labels, if they are text. A warning
            then names those that look like mistakes.

    Returns:
        An object that `pipeline` and `ImageDataset` take. A warning names a
        file that is listed with different labels.

    Raises:
        ValueError: If the files are not paths, or a label is not a class.

    Example:

    >>> from keras_noisy.datasets import ImageFiles
    >>> files = ImageFiles(["1.jpg", "2.jpg", "3.jpg"], ["dog", "cat", "dog"])
    >>> files.labels, files.class_names
    (array([1, 0, 1]), ['cat', 'dog'])
    >>> table = {"file": ["1.jpg", "2.jpg"], "kind": [0, 5]}
    >>> files = ImageFiles.from_table(table, "file", "kind", root="photos")
    >>> files.num_classes, files.class_names is None
    (6, True)

    References:
        - Northcutt, Athalye, Mueller, Pervasive label errors in test sets
          destabilize machine learning benchmarks, NeurIPS 2021 Datasets and
          Benchmarks, arXiv 2103.14749
    """

    def __init__(
        self,
        files: Any,
        labels: Any,
        class_names: Sequence[str] | None = None,
    ):
        self._read(files, labels, class_names, _labels.nowhere)

    def _read(
        self,
        files: Any,
        labels: Any,
        class_names: Sequence[str] | None,
        place: _labels.Place,
    ) -> None:
        """Set the attributes; messages have the place of a row in a file."""
        given = as_array("files", files)
        paths = as_paths(given)
        if paths is None:
            raise ValueError(
                "Invalid value for argument `files`. Expected paths of images, "
                f"at least one. Received: {no_path(given)}"
            )
        self.files = paths
        self.labels, self.class_names = _labels.numbered(
            labels, class_names, place
        )
        if len(self.files) != len(self.labels):
            raise ValueError(
                "Expected as many labels as files. Received: "
                f"{len(self.files)} files and {len(self.labels)} labels"
            )
        _labels.warn_of_conflicts(
            self.files, self.labels, self.class_names, place
        )
        self.skipped: dict[str, str] = {}

    @classmethod
    def from_directory(
        cls,
        path: str | os.PathLike,
        class_names: Sequence[str] | None = None,
    ) -> ImageFiles:
        """The images in a folder that has one folder for each class.

        It selects the files and numbers the classes as
        `keras.utils.image_dataset_from_directory` does: all files that end in
        bmp, gif, jpeg, jpg or png, in the order of their paths. `skipped`
        lists the files with the ending of another image format.

        Args:
            path: The folder. Class folders may have subfolders.
            class_names: Folders to use, in the order of their numbers. A class
                may lack a folder if no other folder is left. Defaults to
                `None`, all except hidden ones, sorted. Read test images with
                the `class_names` of the training images.

        Returns:
            An `ImageFiles`. A warning names classes without images.

        Raises:
            FileNotFoundError: If there is no such folder.
            ValueError: If one of `class_names` is not a folder while a folder
                is not a class, or there are no images in the folders.
        """
        folder = text_of(path)
        if not os.path.isdir(folder):
            raise FileNotFoundError(
                "Expected `path` to be a folder that has a folder for each "
                f"class. Received: path={folder!r}"
            )
        found = [
            name
            for name in sorted(os.listdir(folder))
            if os.path.isdir(os.path.join(folder, name)) and name[0] != "."
        ]
        names = found if class_names is None else names_by_label(class_names)
        if len(set(names)) != len(names):
            raise invalid(
                "class_names", class_names, f"different folders of {found}"
            )
        check_folders(folder, names, found)
        files, labels, skipped = images_in(
            {
                os.path.join(folder, name): label
                for label, name in enumerate(names)
                if name in found
            }
        )
        if not files:
            raise ValueError(
                f"Expected images ({', '.join(ENDINGS)}) in a folder for each "
                f"class in {folder}. Received: the folders {names} without "
                f"one, {len(skipped)} images with other endings. "
                + (
                    "Convert those, or pass `ImageFiles(paths, labels)` to "
                    "`ImageDataset`, which reads them too"
                    if skipped
                    else "For images that are not in class folders, pass a "
                    "table of paths and labels to `ImageFiles.from_table`"
                )
            )
        result = cls(files, labels, names)
        result.skipped = skipped
        used = set(labels)
        empty = [name for i, name in enumerate(names) if i not in used]
        if empty:
            warn(
                f"There are no images of {len(empty)} of the {len(names)} "
                f"classes in {folder}: {listed(empty)}. Their numbers stay "
                "unused. "
                + "Images with other endings are in `skipped`. " * bool(skipped)
                + (
                    "Remove such a folder if it is not a class, and read "
                    "further folders with the same `class_names`"
                    if class_names is None
                    else "Correct `class_names` if a name is misspelled"
                )
            )
        return result

    @classmethod
    def from_table(
        cls,
        table: Any,
        path: str | None = None,
        label: str | None = None,
        root: str | os.PathLike | None = None,
        class_names: Sequence[str] | None = None,
        suffix: str = "",
    ) -> ImageFiles:
        """The images that a table lists, one per row, with their labels.

        Args:
            table: A DataFrame, a dictionary of columns, or the path of a CSV
                file in UTF-8 whose first line names the columns. Rows are read
                by position.
            path: Name of the column of paths. Defaults to `None`: the only
                column named `"path"`, `"file"`, `"filename"`, `"file_name"`,
                `"filepath"`, `"file_path"`, `"image"` or `"image_path"`, or
                else `"image_id"` or `"id"`.
            label: Name of the column of labels, integers or class names.
                Defaults to `None`: the only column named `"label"`,
                `"class"`, `"class_name"`, `"category"` or `"target"`.
            root: Folder of relative paths. Defaults to `None`: the folder of
                the CSV file, or else the working directory.
            class_names: Names of the classes, in the order of their numbers.
                Defaults to `None`: the sorted labels, if they are text. Whole
                numbers in a CSV file are not text. Read test images with
                the `class_names` of the training images.
            suffix: Text to add to every path, such as `".jpg"` if the table has
                the names of files without their ending, or numbers. Defaults
                to `""`.

        Returns:
            An `ImageFiles`.

        Raises:
            FileNotFoundError: If there is no such CSV file.
            ValueError: If there is no such column, an entry is missing, or a
                label is not a class.
        """
        if isinstance(table, str | bytes | os.PathLike):
            table = _table.CSV(text_of(table))
            root = os.path.dirname(table.path) if root is None else root
        if not _table.is_table(table):
            raise invalid(
                "table",
                type(table),
                "a DataFrame, a dictionary of columns or the path of a CSV "
                "file; of a list of rows, pass `pandas.DataFrame(rows)`",
            )
        if class_names is not None:
            class_names = names_by_label(class_names)
        if not isinstance(suffix, str):
            raise invalid("suffix", suffix, 'text, such as ".jpg"')
        files = _table.column(table, "path", path, _PATHS, *_IDS)
        if suffix:
            files = _with_suffix(files, suffix)
        elif (files.ndim == 1 and files.dtype.kind in "iu") or (
            path is None and all(str(file).isdigit() for file in files)
        ):
            raise ValueError(
                "Expected paths of images. Received: numbers, such as "
                f"{files[0]!s}. Pass the name of the column of paths as "
                "`path`, or, if the files are such as "
                f'{files[0]}.jpg, `suffix=".jpg"`'
            )
        labels = _table.column(table, "label", label, _LABELS)
        place: _labels.Place = _labels.nowhere
        if isinstance(table, _table.CSV):
            names = class_names or ()
            # Given names such as "10" and "9" are not numbers.
            if set(labels.tolist()).isdisjoint(names):
                labels = _table.numbers(labels)
            place = table.place
        result = cls.__new__(cls)
        result._read(files, labels, class_names, place)
        if root is not None:
            root = text_of(root)
            paths = [os.path.join(root, file) for file in result.files.tolist()]
            result.files = np.array(paths)
        return result

    @property
    def num_classes(self) -> int:
        """Number of `class_names`, or the largest label plus one."""
        if self.class_names is None:
            return int(self.labels.max()) + 1
        return len(self.class_names)

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return (
            f"<ImageFiles: {len(self)} images{skipped}, "
            f"{self.num_classes} classes>"
        )

    def check(self, workers: int | None = None) -> ImageFiles:
        """Decode every image, and leave out those that cannot be read.

        Training would stop on such an image. Decoding takes about a millisecond
        for a small image. Needs Pillow: `pip install pillow`.

        Args:
            workers: Number of threads. Defaults to `None`, one per processor.

        Returns:
            An `ImageFiles` with the images that can be read. Its `skipped` has
            the paths of the others and the fault of each.

        Raises:
            ValueError: If `workers` is not a positive integer, or no image can
                be read.
            ImportError: If Pillow is not installed.
        """
        good, skipped = readable(self.files, self.files, workers)
        checked = copy.copy(self)
        checked.files, checked.labels = self.files[good], self.labels[good]
        checked.skipped = self.skipped | skipped
        lost = set(self.labels.tolist()) - set(checked.labels.tolist())
        if lost and self.class_names is not None:
            names = [self.class_names[label] for label in sorted(lost)]
            warn(
                f"No image of {len(lost)} of the {self.num_classes} classes "
                f"can be read: {listed(names)}. Their numbers stay unused. "
                "`skipped` has the reasons"
            )
        return checked


def opened(dataset: Any) -> Any:
    """A folder, a CSV file or a table as `ImageFiles`; others unchanged."""
    if isinstance(dataset, str | bytes | os.PathLike):
        path = text_of(dataset)
        if os.path.isdir(path):
            return ImageFiles.from_directory(path)
        if os.path.isfile(path):
            return ImageFiles.from_table(path)
        raise FileNotFoundError(
            "Expected a folder that has a folder for each class, or a CSV "
            f"file. Received: dataset={path!r}, which does not exist"
        )
    if _table.is_table(dataset):
        return ImageFiles.from_table(dataset)
    return dataset


def _with_suffix(files: np.ndarray, suffix: str) -> np.ndarray:
    """Paths, or whole numbers, with a text after them."""
    paths = as_paths(files.astype(str) if files.dtype.kind in "iu" else files)
    if paths is None:
        return files  # an error follows that names the entry
    return np.array([path + suffix for path in paths.tolist()])
