"""The old place of `LabelQuality`, now in `keras_noisy.callbacks`."""

from keras_noisy._old_names import old_names

__getattr__ = old_names(
    __name__, {"LabelQuality": "keras_noisy.callbacks.LabelQuality"}
)
