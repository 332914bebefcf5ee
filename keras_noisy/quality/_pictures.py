"""Images of any common form as viewable pictures."""

import base64
import io
import itertools
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_noisy._pillow import pillow, rgb
from keras_noisy._plots import matplotlib_figure, wrapped

#: Longest side of a thumbnail, and of an image read from a file, in pixels.
SIDE, LARGEST = 96, 512
#: Characters per line of text above or in a picture.
WIDTH = 24
#: Number of images that determine the value range of all.
FIRST = 32


class Picture(NamedTuple):
    """uint8 of shape (H, W), (H, W, 3) or (H, W, 4), and a note on problems."""

    pixels: np.ndarray
    note: str = ""
    is_gap: bool = False


def pictures(images: Any, indices: Iterable[int]) -> Iterator[np.ndarray]:
    """The pixels of `with_notes`."""
    return (picture.pixels for picture in with_notes(images, indices))


def with_notes(images: Any, indices: Iterable[int]) -> Iterator[Picture]:
    """The images at these indices as pictures, one at a time.

    An image that cannot be read becomes a gray area with the reason.
    """
    if images is None:
        raise ValueError(
            "Pictures of the samples are needed, but there are none: pass "
            "`images` at the beginning, or `texts` to `report`"
        )
    if len(getattr(images, "shape", ())) > 1:
        _has_channels_first(images.shape[1:])  # raises once for all images
    read = (_read(images, i) for i in indices)
    first: list[np.ndarray | str] = []
    while sum(isinstance(of, np.ndarray) for of in first) < FIRST:
        try:
            first.append(next(read))
        except StopIteration:
            break
    low, high = _range([of for of in first if isinstance(of, np.ndarray)])
    for image in itertools.chain(first, read):
        if isinstance(image, str):
            yield Picture(np.full((SIDE, SIDE), 128, "uint8"), image, True)
            continue
        is_finite = np.isfinite(image)
        bad = image.size - np.count_nonzero(is_finite)
        peak = np.abs(image[is_finite]).max()
        note = f"{bad} of {image.size} values are not finite" if bad else ""
        if peak > 10 * max(abs(low), abs(high)):
            note = f"values up to {peak:g}, far above the other images"
        image = np.nan_to_num(image, nan=low, posinf=high, neginf=low)
        # In float32 the difference of two large numbers may overflow.
        image = np.clip(image, low, high).astype("float64")
        image = (image - low) / max(high - low, 1e-12)
        yield Picture(np.rint(255 * image).astype("uint8"), note)


def painted(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A picture with the mask in red; even a tiny area stays visible."""
    height, width = pixels.shape[:2]
    scale = max(1.0, max(height, width) / SIDE)
    small = (max(1, int(height / scale)), max(1, int(width / scale)))
    for size in (small, (height, width)):
        for axis in (0, 1):
            starts = np.arange(size[axis]) * mask.shape[axis] // size[axis]
            mask = np.logical_or.reduceat(mask, starts, axis=axis)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=-1)
    red = np.array([255, 0, 0, 255][: pixels.shape[2]])
    mixed = (0.4 * pixels + 0.6 * red).astype("uint8")
    return np.where(mask[..., None], mixed, pixels)


def thumbnail(picture: np.ndarray) -> str:
    """A picture of at most `SIDE` pixels, as a data URI."""
    image = pillow().fromarray(picture)
    small = max(image.size) <= SIDE
    image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    image.save(file, "WEBP", lossless=small, method=0, quality=85)
    code = base64.b64encode(file.getvalue()).decode()
    return f"data:image/webp;base64,{code}"


def figure(images: Iterable[Picture], titles: Sequence[list[str]]) -> Any:
    """A matplotlib Figure of pictures with lines above, in rows of six."""
    figure_class = matplotlib_figure("plot")
    images = list(images)
    if not images:
        figure = figure_class(figsize=(3, 2))
        figure.text(0.5, 0.5, "no suspects", ha="center", va="center")
        return figure
    refuse_only_gaps(images)
    texts = [
        "\n".join(wrapped(line, WIDTH) for line in lines) for lines in titles
    ]
    columns = min(6, len(texts))
    rows = -(-len(texts) // columns)
    lines = max(title.count("\n") + 1 for title in texts)
    height = 2.2 + 0.22 * max(lines, 3)
    figure = figure_class(
        figsize=(2 * columns, height * rows), layout="constrained"
    )
    for i, (image, title) in enumerate(zip(images, texts, strict=True)):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.axis("off")
        axes.imshow(image.pixels, cmap="gray", vmin=0, vmax=255)
        # A dollar sign in a class name must not start a formula.
        axes.set_title(title, fontsize="small", parse_math=False)
        if image.is_gap:
            axes.text(
                0.5,
                0.5,
                wrapped(image.note, WIDTH, 8),
                transform=axes.transAxes,
                ha="center",
                va="center",
                color="white",
                fontsize="xx-small",
                parse_math=False,
            )
    return figure


def refuse_only_gaps(found: Sequence[Picture]) -> None:
    """Raise an error if none of several images can be read."""
    if len(found) > 1 and all(picture.is_gap for picture in found):
        raise ValueError(
            f"Invalid value for argument `images`. None of {len(found)} can be "
            f"shown. The first problem: {found[0].note}"
        )


def _range(images: Sequence[np.ndarray]) -> tuple[float, float]:
    """The values of black and white; outlying images do not count."""
    finite = [image[np.isfinite(image)] for image in images]
    ends = np.array([(of.min(), of.max()) for of in finite]).reshape(-1, 2)
    usual = (ends[:, 0] >= 0) & (ends[:, 1] <= 255)
    if 2 * usual.sum() >= len(ends):
        # Rounding and interpolation can exceed 1 a little. Files that are
        # all dark stay dark.
        is_small = ends[usual, 1].max(initial=0) <= 2
        are_arrays = all(image.dtype != "uint8" for image in images)
        return 0.0, 1.0 if is_small and are_arrays else 255.0
    size = np.abs(ends).max(axis=1)
    ends = ends[size <= 10 * np.median(size)]
    return float(ends[:, 0].min()), float(ends[:, 1].max())


def _read(images: Any, index: int) -> np.ndarray | str:
    """An image, or the reason why it cannot be read.

    A file gives uint8, and everything else float32.
    """
    path = None
    try:
        image = images[index]
        if isinstance(image, str | bytes | os.PathLike):
            path = str(os.fsdecode(image))  # not as a NumPy string
            image = _file(path)
        array = np.asarray(ops.convert_to_numpy(image))
        if _has_channels_first(array.shape):
            array = np.moveaxis(array, 0, -1)
        if array.shape[2:] == (1,):
            array = array[..., 0]
        if path is None:
            with np.errstate(over="ignore"):  # overflow counts as infinite
                array = array.astype("float32")
        if not np.any(np.isfinite(array)):
            raise ValueError("no value is finite")
    except ImportError:
        raise
    except Exception as error:  # Damaged files raise many errors.
        note = f"{type(error).__name__}: {error}"
        if path and path not in note:
            note = f"{path}: {note}"
        return note if len(note) <= 200 else f"{note[:197]}..."
    return array


def _file(path: str) -> np.ndarray:
    image = pillow()
    with warnings.catch_warnings():
        # A small file may declare more pixels than fit into memory.
        warnings.simplefilter("error", image.DecompressionBombWarning)
        with image.open(path) as file:
            file.draft(None, (LARGEST, LARGEST))
            picture = rgb(file)
    picture.thumbnail((LARGEST, LARGEST))
    return np.asarray(picture)


def _has_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether the channels come first; raises if it is not an image."""
    first = len(shape) == 3 and shape[-1] not in (1, 3, 4)
    channels = shape[:1] if first else shape[2:] or (1,)
    is_image = len(shape) in (2, 3) and channels[0] in (1, 3, 4)
    if not is_image or 0 in shape:
        raise ValueError(
            "Expected each image as an array of shape (height, width) or "
            "(height, width, channels) with 1, 3 or 4 channels, or as the path "
            f"of a file. Received: shape {tuple(shape)}. Pass other arrays "
            "only to the model, and pictures of them to `images`"
        )
    return first
