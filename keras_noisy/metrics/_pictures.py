"""Old location of the pictures of `LabelQuality`."""

from keras_noisy._old_names import old_names

__getattr__ = old_names(
    __name__,
    {"pictures": "keras_noisy.quality._pictures.pictures"},
)
