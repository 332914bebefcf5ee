"""Images of any common form as pictures to look at."""

import base64
import io
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_noisy._pillow import pillow, rgb

#: Longest side of a thumbnail, in pixels.
SIDE = 96


def pictures(images: Any, indices: Iterable[int]) -> Iterator[np.ndarray]:
    """These images as uint8 (H, W), (H, W, 3) or (H, W, 4), one at a time."""
    if images is None:
        raise ValueError(
            "Pictures of the samples are needed, and `x` is no array of them: "
            "build LabelQuality with `images`"
        )
    indices = list(indices)
    few = [_as_array(images, i) for i in itertools.islice(indices, 32)]
    low = float(min(np.nanmin(image) for image in few))
    high = float(max(np.nanmax(image) for image in few))
    if low >= 0 and high <= 255:
        # Rounding and interpolation lead a little above 1.
        low, high = 0.0, (1.0 if high <= 2 else 255.0)
    for i in indices:
        image = np.nan_to_num(_as_array(images, i))
        image = (image - low) / max(high - low, 1e-12)
        yield np.rint(255 * np.clip(image, 0, 1)).astype("uint8")


def thumbnail(picture: np.ndarray) -> str:
    """A picture of at most `SIDE` pixels, as a data URI."""
    image = pillow().fromarray(picture)
    small = max(image.size) <= SIDE
    image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    image.save(file, "WEBP", lossless=small, method=0, quality=85)
    code = base64.b64encode(file.getvalue()).decode()
    return f"data:image/webp;base64,{code}"


def figure(images: Iterable[np.ndarray], titles: Sequence[str]) -> Any:
    """A matplotlib Figure of pictures with titles, in rows of six."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            'plot needs matplotlib: pip install "keras-noisy[plot]"'
        ) from error
    columns = min(6, len(titles))
    rows = -(-len(titles) // columns)
    figure = Figure(figsize=(2 * columns, 2.5 * rows), layout="constrained")
    for i, (image, title) in enumerate(zip(images, titles, strict=True)):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.axis("off")
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        # A dollar in the name of a class is no formula.
        axes.set_title(title, fontsize="small", parse_math=False)
    return figure


def _as_array(images: Any, index: int) -> np.ndarray:
    image = images[index]
    if isinstance(image, str | os.PathLike):
        with pillow().open(image) as file:
            image = np.asarray(rgb(file))
    array = np.asarray(ops.convert_to_numpy(image))
    shape = array.shape
    if array.ndim == 3 and shape[-1] not in (1, 3, 4):
        array = np.moveaxis(array, 0, -1)  # channels first
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    colour = array.ndim == 3 and array.shape[-1] in (3, 4)
    if array.size == 0 or not (array.ndim == 2 or colour):
        raise ValueError(
            "Expected each image as an array of shape (height, width) or "
            "(height, width, channels) with 1, 3 or 4 channels, or as the path "
            f"of a file. Received: shape {shape}. Pass arrays of another shape "
            "to the model and pictures of them to `images`"
        )
    return array.astype("float32")
