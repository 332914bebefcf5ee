"""Pillow, for files of images and their sizes."""

from typing import Any

import numpy as np


def pillow() -> Any:
    """Pillow's module of images."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Images need Pillow: pip install pillow") from error
    return Image


def rgb(image: Any) -> Any:
    """An image of Pillow in 8 bits a channel; deep ones are not clipped."""
    if image.mode.startswith("I;16"):
        levels = (np.asarray(image) >> 8).astype("uint8")
        image = pillow().fromarray(levels)
    elif image.mode in ("I", "F"):
        raise ValueError(
            f"an image of mode {image.mode}, whose white is not known"
        )
    return image.convert("RGB")
