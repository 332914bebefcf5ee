"""Images from the web, whose format is often not what the name says."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

from PIL import Image, UnidentifiedImageError

# Pillow runs other programs for some formats, which web images do not need.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")


def as_jpeg(content: bytes) -> bytes:
    """The content if it is a gray or RGB JPEG, or else converted to one.

    Raises a ValueError if the image cannot be decoded, or has more pixels than
    the limit of Pillow.
    """
    import tensorflow as tf

    # Images with a Pillow warning are decoded or raise an error, whatever the
    # warning filters are.
    with (
        warnings.catch_warnings(action="ignore"),
        _opened(content) as image,
    ):
        most, (width, height) = Image.MAX_IMAGE_PIXELS, image.size
        if most is not None and width * height > most:
            raise ValueError(f"{width} x {height} pixels, more than {most}")
        if image.mode.startswith(("I", "F")):
            raise ValueError("more than 8 bits a channel")
        is_jpeg = image.format in ("JPEG", "MPO")
        # A block of 8 x 8 pixels takes at least one bit.
        if is_jpeg and width * height > 8 * 64 * len(content):
            raise ValueError("truncated or damaged JPEG")
        if is_jpeg and image.mode in ("L", "RGB"):
            # TensorFlow rejects some JPEGs that Pillow accepts.
            try:
                tf.io.decode_jpeg(content, ratio=8)
            except tf.errors.InvalidArgumentError:
                raise ValueError("truncated or damaged JPEG") from None
            return content
        converted = io.BytesIO()
        image.convert("RGB").save(converted, "JPEG", quality=95)
    return converted.getvalue()


@contextlib.contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            yield image
    except UnidentifiedImageError:
        raise ValueError(f"no image ({len(content)} bytes)") from None
    except Exception as error:  # decoders raise errors of every kind
        raise ValueError(str(error) or type(error).__name__) from error
