"""WebVision 1.0: web images of 1000 classes, a fifth of the labels wrong."""

from typing import Any

from keras_noisy.datasets.webvision.folder import WebVisionFolder

__all__ = ["WebVisionFolder"]

try:
    # The import registers it with TensorFlow Datasets.
    from keras_noisy.datasets.webvision.builder import Webvision
except ImportError as error:
    _import_error = error

    def __getattr__(name: str) -> Any:
        if name == "Webvision":
            raise ImportError(
                "Webvision needs tensorflow-datasets, tensorflow and pillow: "
                "pip install tensorflow-datasets tensorflow pillow"
            ) from _import_error
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

else:
    __all__ += ["Webvision"]
