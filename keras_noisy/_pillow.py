"""Images read by Pillow, which decides whether a file is readable."""

import glob
import io
import os
import unicodedata
from typing import Any

import numpy as np

Source = str | bytes


def pillow() -> Any:
    """Pillow's `Image` module."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Images need Pillow: pip install pillow") from error
    return Image


def rgb(image: Any) -> Any:
    """A Pillow image with 8 bits per channel; deep images are not clipped."""
    deep = image.mode == "I" and image.format in ("PNG", "PPM")  # 16 bits too
    if deep or image.mode.startswith("I;16"):
        levels = (np.asarray(image) >> 8).astype("uint8")
        image = pillow().fromarray(levels)
    elif image.mode in ("I", "F"):
        raise ValueError(
            f"an image of mode {image.mode}, whose white is not known"
        )
    elif "transparency" in image.info:
        # Only the colors count; Pillow warns about some transparent ones.
        image = image.copy()
        del image.info["transparency"]
    return image.convert("RGB")


def picture(source: Source, name: str | None = None) -> Any:
    """The first image of a file or of its content, in RGB.

    Errors contain `name`, by default the name of the file.
    """
    pillow()
    label: Any = source if name is None else name
    try:
        return _decoded(source)
    except OSError as error:
        if error.filename is None:  # the content is wrong, not the path
            raise _undecodable(label, error) from error
        raise type(error)(
            f"Cannot read {label}: {error.strerror}. {as_written(source)}"
            "Correct the path, or leave it out of the dataset"
        ) from error
    except Exception as error:  # decoders raise errors of every kind
        raise _undecodable(label, error) from error


def fault(source: Source) -> str | None:
    """Why `picture` would fail, or None if it would not."""
    pillow()
    try:
        _decoded(source, scaled=True)
    except FileNotFoundError:
        return "missing"
    except Exception as error:
        return _reason(error)
    return None


def as_written(source: Source) -> str:
    """Advice if a file is only missing because of how its path is written."""
    if not isinstance(source, str) or os.path.exists(source):
        return ""
    for form in ("NFC", "NFD"):  # letters with accents have two forms
        other = unicodedata.normalize(form, source)
        if os.path.exists(other):
            return (
                f"{other!a} exists, in another form of Unicode: change "
                f'the paths by `unicodedata.normalize("{form}", path)`. '
            )
    other = source.replace("\\", "/")
    if os.path.exists(other):
        return f"{other} exists: write / instead of \\ in the paths. "
    for path in sorted(glob.glob(glob.escape(source) + ".*")):
        if fault(path) is None:
            ending = path[len(source) :]
            return (
                f"{path} exists: add the ending, as in "
                f'`ImageFiles.from_table(table, suffix="{ending}")`. '
            )
    return ""


def _decoded(source: Source, scaled: bool = False) -> Any:
    """The image of a file; with `scaled`, a JPEG is decoded at 1/8."""
    Image = pillow()
    with (
        open(source, "rb") if isinstance(source, str) else io.BytesIO(source)
    ) as file:
        try:
            image = Image.open(file)
        except Image.UnidentifiedImageError:
            size = file.seek(0, io.SEEK_END)
            raise ValueError(f"no image ({size} bytes)") from None
        _refuse(image, Image.MAX_IMAGE_PIXELS)
        if scaled:
            image.draft("L", (1, 1))  # still reads every byte, but faster
        return rgb(image)


def _refuse(image: Any, max_pixels: int | None) -> None:
    """Raise an error for images that are too large or run a program."""
    width, height = image.size
    if max_pixels is not None and width * height > max_pixels:
        raise ValueError(
            f"{width} x {height} pixels, more than the {max_pixels} of "
            "PIL.Image.MAX_IMAGE_PIXELS, which you can raise"
        )
    if image.format == "EPS":
        raise ValueError("PostScript, which is a program, not an image")


def _undecodable(name: str, error: Exception) -> ValueError:
    return ValueError(
        f"Cannot decode {name}. Expected a whole image. Leave it out of the "
        f"dataset; `check` finds all such files. Received: {_reason(error)}"
    )


def _reason(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return strerror or str(error) or type(error).__name__
