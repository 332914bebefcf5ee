"""WebVision 1.0 from an unpacked folder."""

from __future__ import annotations

import copy
import os
from typing import Any

import numpy as np

from keras_noisy._arguments import integer, invalid
from keras_noisy._files import path_of
from keras_noisy.datasets._check import readable
from keras_noisy.datasets.image_dataset import ImageDataset
from keras_noisy.datasets.pipeline import pipeline
from keras_noisy.datasets.webvision import _layout


class WebVisionFolder:
    r"""The images of WebVision 1.0 in the folder where they were unpacked.

    Use it to train on WebVision without converting it first, and without
    TensorFlow. The folder has `info/` and, if they are used, `google/`,
    `flickr/` and `val_images_256/`, from the archives of the version resized to
    256 pixels, at
    https://data.vision.ee.ethz.ch/cvl/webvision/dataset2017.html.

    The attributes `files`, `labels`, `ids`, `sources` and `queries` are
    arrays of shape `(num_samples,)` in the order of the official lists:
    absolute paths, integer labels, the paths in the lists, `"google"`,
    `"flickr"` or `"validation"`, and queries such as `"q0001"`, `""` for
    validation. `class_names` are the `num_classes` lines of `synsets.txt`.
    `skipped` has the images that `check` left out, with the reasons.

    Args:
        path: Folder with the unpacked archives.
        config: `"google"`, `"flickr"`, `"all"` for both, or `"mini"` for
            the first 50 classes of Google's images and of validation.
            Defaults to `"google"`.
        split: `"train"` or `"validation"`. Defaults to `"train"`.

    Returns:
        An object that `keras_noisy.datasets.pipeline` and
        `keras_noisy.datasets.ImageDataset` take.

    Raises:
        FileNotFoundError: If a part of the folder is missing.
        ValueError: If an argument is outside its range, or a line of a list
            has no label in [0, 1000) or a path that leaves the folder.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_noisy.datasets.webvision import WebVisionFolder
    >>> path = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("info", "google"):
    ...     (path / name).mkdir()
    >>> synsets = [f"n{number:08} class {number}" for number in range(1000)]
    >>> _ = (path / "info/synsets.txt").write_text("\n".join(synsets))
    >>> _ = (path / "info/train_filelist_google.txt").write_text(
    ...     "google/q0001/a.jpg 0\ngoogle/q0120/b.jpg 75\n"
    ... )
    >>> WebVisionFolder(path).labels
    array([ 0, 75])
    >>> mini = WebVisionFolder(path, "mini")
    >>> mini.queries.tolist(), mini.class_names[0]
    (['q0001'], 'n00000000 class 0')

    References:
        - Li, Wang, Li, Agustsson, Van Gool, WebVision database: visual
          learning and understanding from web data, 2017, arXiv 1708.02862
    """

    def __init__(
        self,
        path: str | os.PathLike,
        config: str = "google",
        split: str = "train",
    ):
        for name, value, choices in (
            ("config", config, tuple(_layout.CONFIGS)),
            ("split", split, _layout.SPLITS),
        ):
            if value not in choices:
                expected = ", ".join(f'"{choice}"' for choice in choices)
                raise invalid(name, value, f"one of {expected}")
        self.path = path_of(path).absolute()
        self.config = config
        self.split = split

        sources = _layout.sources(config, split)
        folder = _layout.FOLDERS["info"]
        lists = [_layout.FILE_LISTS[source] for source in sources]
        needed = dict.fromkeys(
            [f"{folder}/{name}" for name in (_layout.SYNSETS, *lists)], "info"
        ) | {f"{_layout.FOLDERS[source]}/": source for source in sources}
        absent = {
            name: part
            for name, part in needed.items()
            if not (self.path / name).exists()
        }
        if absent:
            raise _layout.missing(
                self.path,
                absent,
                "Get these archives and unpack them there, with `tar -xf`:",
            )
        info = self.path / folder

        self.class_names = _layout.class_names(
            (info / _layout.SYNSETS).read_bytes(), config
        )
        found = [
            _layout.labels((info / name).read_bytes(), source, config)
            for source, name in zip(sources, lists, strict=True)
        ]
        self.ids = np.array([name for of in found for name in of])
        self.labels = np.array(
            [label for of in found for label in of.values()], "int64"
        )
        self.sources = np.repeat(sources, [len(of) for of in found])
        self.skipped: dict[str, str] = {}

    @property
    def files(self) -> np.ndarray:
        """Absolute paths, not stored because millions of them take memory."""
        source = _layout.sources(self.config, self.split)[0]
        folder = _layout.image_folder(self.path, source)
        return np.char.add(f"{folder}{os.sep}", self.ids)

    @property
    def queries(self) -> np.ndarray:
        """Queries such as `"q0001"`, `""` for validation."""
        return np.array([_layout.query(str(name)) for name in self.ids])

    @property
    def num_classes(self) -> int:
        """Number of classes: 50 for `mini`, else 1000."""
        return len(self.class_names)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return (
            f"<WebVisionFolder {self.config} {self.split}: {len(self)} "
            f"images{skipped}, {self.num_classes} classes, {self.path}>"
        )

    def sample(self, count: int, seed: int = 0) -> WebVisionFolder:
        """A random subset of the images, for a trial.

        Args:
            count: Number of images, an integer of at least 1; if there are
                fewer, all of them.
            seed: An integer of at least 0. Defaults to `0`.

        Returns:
            A `WebVisionFolder` with these images, in the same order.

        Raises:
            ValueError: If an argument is outside its range.
        """
        count, seed = integer("count", count, 1), integer("seed", seed, 0)
        order = np.random.default_rng(seed).permutation(len(self))
        return self._part(np.sort(order[:count]))

    def _part(self, chosen: np.ndarray) -> WebVisionFolder:
        part = copy.copy(self)
        for name in ("labels", "ids", "sources"):
            setattr(part, name, getattr(self, name)[chosen])
        return part

    def check(self, workers: int | None = None) -> WebVisionFolder:
        """Decode every image, and leave out those that are broken or missing.

        WebVision has some, and training would stop on them. Decoding takes
        about a millisecond per image. Needs Pillow: `pip install pillow`.

        Args:
            workers: Number of threads. Defaults to `None`, one per processor.

        Returns:
            A `WebVisionFolder` with the images that can be decoded. Its
            `skipped` has the paths of the others and the fault of each.

        Raises:
            ValueError: If `workers` is not a positive integer, or no image can
                be read.
            ImportError: If Pillow is not installed.
        """
        good, skipped = readable(self.files, self.ids, workers)
        checked = self._part(good)
        checked.skipped = self.skipped | skipped
        return checked

    def to_tf_data(self, **arguments: Any) -> Any:
        """A `tf.data.Dataset` of batches, see `keras_noisy.datasets.pipeline`.

        Args:
            **arguments: Those of `pipeline`, without `dataset`.
        """
        return pipeline(self, **arguments)

    def to_py_dataset(self, **arguments: Any) -> ImageDataset:
        """An `ImageDataset` of batches, without TensorFlow.

        Args:
            **arguments: Those of `ImageDataset`, without `dataset`.
        """
        return ImageDataset(self, **arguments)
