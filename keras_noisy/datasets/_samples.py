"""Images or file paths and their labels, from all forms that users pass."""

from typing import Any, NamedTuple

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array, as_paths
from keras_noisy._label_arrays import refuse_wide, whole_labels
from keras_noisy.datasets.image_files import no_path, opened

_CHANNELS = (1, 3, 4)


class Samples(NamedTuple):
    """Images (N, H, W, C), uint8, or paths (N,), and labels (N, ...)."""

    images: np.ndarray
    labels: np.ndarray

    @property
    def are_files(self) -> bool:
        """Whether the images are paths."""
        return self.images.ndim == 1


def samples(dataset: Any) -> Samples:
    """The arrays of `dataset`, checked."""
    dataset = opened(dataset)
    if hasattr(dataset, "files") and hasattr(dataset, "labels"):
        dataset = dataset.files, dataset.labels
    if not isinstance(dataset, (tuple, list)) or len(dataset) != 2:
        raise invalid(
            "dataset",
            type(dataset),
            "a pair (images, labels) of arrays, such as `(data.x_train, "
            "data.y_train)` of `load`, an object with `files` and `labels`, "
            "a folder of class folders, a table or CSV file of paths and "
            "labels, or for `pipeline` a tf.data.Dataset"
            + advice_for_parts(dataset),
        )
    images, labels = _images(dataset[0]), _labels(dataset[1])
    if len(images) != len(labels) or len(images) == 0:
        raise ValueError(
            "Invalid value for argument `dataset`. Expected as many labels as "
            "images, and at least one. Received: images of shape "
            f"{images.shape} and labels of shape {labels.shape}"
        )
    return Samples(images, labels)


def advice_for_parts(elements: Any) -> str:
    """Advice for a list of pairs, or a third part, such as weights."""
    if isinstance(elements, list) and all(
        isinstance(pair, tuple | list) and len(pair) == 2 for pair in elements
    ):
        return ". Split a list of pairs by `images, labels = zip(*pairs)`"
    if isinstance(elements, (tuple, list)) and len(elements) == 3:
        return (
            ". Leave the third part out: sample weights are not read here, "
            "`fit` takes them with arrays"
        )
    return ""


def check_images(
    dtype: np.dtype, shape: tuple[int | None, ...], advice: str
) -> None:
    """Raise an error unless images are uint8 with three axes, channels last."""
    if len(shape) == 3 and shape[0] in _CHANNELS and (shape[2] or 0) > 4:
        advice = (
            "The channels come first here and must come last: move them by "
            "`np.moveaxis(images, -3, -1)`"
        )
    elif dtype == np.uint8 and len(shape) == 3 and 0 not in shape:
        return
    elif len(shape) != 3:
        advice = f"Reshape them, as these have {len(shape)} axes"
    raise ValueError(
        "Invalid value for argument `dataset`. Expected images from 0 to 255 "
        "of dtype uint8 and shape (height, width) or (height, width, "
        f"channels), or the paths of files. {advice}. Received: images of "
        f"dtype {dtype} and shape {shape}"
    )


def _images(value: Any) -> np.ndarray:
    """Checked images with an axis of channels, or paths."""
    images = as_array("dataset", value)
    paths = as_paths(images)
    if paths is not None:
        return paths
    if images.dtype.kind == "O" and images.ndim == 1:
        return _stacked(images)
    if images.ndim == 3:
        images = images[..., None]
    shape = images.shape[1:]
    check_images(images.dtype, shape, _advice(images))
    return images


def _stacked(images: np.ndarray) -> np.ndarray:
    """One array of the arrays that a column or list holds."""
    if all(np.ndim(image) >= 2 for image in images):
        shapes = {np.shape(image): None for image in images}
        if len(shapes) == 1:
            return _images(np.stack(list(images)))
        few = ", ".join(map(str, [*shapes][:3]))
        raise ValueError(
            "Invalid value for argument `dataset`. Expected images of one "
            f"shape, or the paths of files. Received: images of shapes {few}. "
            "Write them to files, which can differ, or resize them"
        )
    raise ValueError(
        "Invalid value for argument `dataset`. Expected images, or the paths "
        f"of files. Received: {no_path(images)}"
    )


def _advice(images: np.ndarray) -> str:
    """Advice on converting images to uint8."""
    kind = images.dtype.kind
    if images.dtype == np.uint8 or kind not in "biuf" or images.size == 0:
        return "Reshape them, or give paths"
    if kind == "b":
        return 'Convert them by `255 * images.astype("uint8")`'
    low, high = float(images.min()), float(images.max())
    if low >= 0 and high <= 1 and kind == "f":
        return 'They are from 0 to 1: `(255 * images).round().astype("uint8")`'
    if low >= 0 and high <= 255:
        rounded = ".round()" * (kind == "f")
        return f'They are from 0 to 255: `images{rounded}.astype("uint8")`'
    if images.dtype == np.uint16:
        return 'Keep the high byte: `(images >> 8).astype("uint8")`'
    return (
        f"They are from {low:g} to {high:g}: give them as they were before "
        "they were standardized, as `augment` does that"
    )


def _labels(value: Any) -> np.ndarray:
    """Labels unchanged, except that booleans and objects become integers."""
    labels = as_array("labels", value)
    if labels.dtype.kind == "O" and all(map(np.ndim, labels)):
        lengths = set(map(np.shape, labels))
        if len(lengths) == 1:  # a column of one-hot labels
            labels = np.stack(list(labels))
    if labels.ndim > 2:
        raise ValueError(
            "Invalid value for argument `labels`. Expected one label for each "
            "image, of shape (N,), (N, 1) or (N, k). Received: "
            f"labels.shape={labels.shape}"
        )
    if labels.dtype.kind not in "iuf":
        flat = whole_labels("labels", labels.reshape(-1))
        return flat.reshape(labels.shape)
    bad = ~np.isfinite(labels)
    bad = bad.any(axis=1) if labels.ndim == 2 else bad
    if bad.any():
        first = int(np.argmax(bad))
        unknown = (
            ". If each column is a yes or no, write -1 for what is unknown, "
            "and pass `ignore_class=-1` to the loss within `Binary`"
        )
        raise ValueError(
            "Invalid value for argument `labels`. Expected finite labels. "
            f"Received: labels[{first}]={labels[first]} ({bad.sum()} of "
            f"{len(labels)}). Leave such samples out"
            + unknown
            * (labels.ndim == 2 and labels.shape[1] > 1)
        )
    refuse_wide("labels", labels)
    return labels
