"""Features of samples from any Keras model."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import integer, invalid
from keras_noisy._canonical import canonical
from keras_noisy._containers import in_parts
from keras_noisy._files import file_name, path_of, reading, write_whole
from keras_noisy._layers import outer_output
from keras_noisy._notes import claim, of_another_call
from keras_noisy.datasets import ImageDataset
from keras_noisy.quality._batches import Batches

#: Batches per file in a folder.
EACH = 32
#: Bytes of an array that are hashed at once.
HASHED = 2**24
ADVICE = "Leave `directory` out"


def features(
    model: keras.Model,
    data: Any,
    layer: str | keras.layers.Layer | None = None,
    batch_size: int = 64,
    directory: str | os.PathLike | None = None,
    dtype: str = "float16",
    verbose: int = 1,
) -> np.ndarray:
    """Compute the pooled outputs of a model once, for all samples.

    Use the result for `FeatureQuality`, or to train heads in seconds. Pass a
    pretrained model without its classifier, such as
    `keras.applications.EfficientNetB0(include_top=False)` or a keras-hub
    backbone; or any other model, and name the layer to use as `layer`. The
    model runs in inference mode.

    Args:
        model: A Keras model. For `layer` it must be functional or sequential.
        data: The samples, in order: arrays of shape `(N, ...)` or a nest of
            these, a `keras.utils.PyDataset` such as `ImageDataset`, a
            `tf.data.Dataset`, or a PyTorch `DataLoader`. Labels in it are
            ignored.
        layer: The layer whose outputs are the features, or its name. Defaults
            to `None`, the outputs of the model.
        batch_size: Number of samples per step, if `data` are arrays. Defaults
            to `64`.
        directory: A folder to save features during the computation. A second
            call with the same model and data continues after the saved
            batches. Of a data set it compares only the first batch, the
            number of batches, and the names of the files of an
            `ImageDataset`. Defaults to `None`, which saves nothing.
        dtype: The dtype of the features. Defaults to `"float16"`, which takes
            two bytes per number.
        verbose: `0` for no progress bar. Defaults to `1`.

    Returns:
        An array of shape `(N, D)`. Feature maps are averaged over height and
        width, sequences over the time steps that are not masked.

    Raises:
        ValueError: If the model has no such layer or several outputs, if a
            data set of this package is for training or a `DataLoader`
            shuffles, if features are not finite in `dtype`, or if the folder
            belongs to another model or other data.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.quality import features
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras.layers.Conv2D(5, 3)]
    ... )
    >>> found = features(model, np.zeros((20, 8, 8, 3)), verbose=0)
    >>> found.shape, found.dtype
    ((20, 5), dtype('float16'))
    """
    batch_size = integer("batch_size", batch_size, 1)
    if dtype not in ("float16", "float32"):
        raise invalid("dtype", dtype, '"float16" or "float32"')
    network = _network(model, layer)
    batches = Batches(data, batch_size)
    parts = _Parts(directory)
    if directory is not None and not model.built:
        # The note in the folder tells the weights, which do not exist yet.
        network.predict_on_batch(_numbers(batches.first()))
    parts.claim(model, layer, batch_size, dtype, batches)
    found = parts.load()
    count = parts.done
    progress = keras.utils.Progbar(
        batches.total, verbose=verbose, unit_name="batch"
    )
    pending: list[np.ndarray] = []
    for inputs in batches.from_number(count):
        outputs = network.predict_on_batch(_numbers(inputs))
        pending.append(_pooled(outputs, dtype))
        count += 1
        progress.update(count, finalize=False)
        if len(pending) == EACH:
            found.append(parts.save(pending))
            pending = []
    if pending:
        found.append(parts.save(pending))
    progress.update(count, finalize=True)
    if not found:
        raise invalid("data", type(data), "at least one sample")
    return np.concatenate(found)


def _network(model: keras.Model, layer: Any) -> keras.Model:
    """The model up to a layer; the steps of a sequence are averaged.

    A layer computes the average, since layers know the mask.
    """
    outputs = getattr(model, "outputs", None) or []
    if layer is None and len(outputs) != 1:
        return model  # unknown outputs, or too many, which raises later
    if not outputs:
        expected = "None, or a built model that is functional or sequential"
        raise invalid("layer", layer, expected)
    # A functional model keeps the structure of its inputs, as of a dictionary.
    is_list = isinstance(model, keras.Sequential)
    inputs = model.inputs[0] if is_list else model.input
    if layer is None:
        output = outputs[0]
    else:
        names = [each.name for each in model.layers]
        if isinstance(layer, str) and layer in names:
            layer = model.get_layer(layer)
        if not any(layer is each for each in model.layers):
            expected = f"a layer of the model or its name, one of {names}"
            raise invalid("layer", layer, expected)
        inputs, output = _within(inputs, outputs, layer)
        if not isinstance(output, keras.KerasTensor):
            raise invalid("layer", layer.name, "a layer with one output")
    if len(output.shape) == 3:
        output = keras.layers.GlobalAveragePooling1D(
            data_format="channels_last", dtype="float32"
        )(output)
    return keras.Model(inputs, output)


def _within(inputs: Any, outputs: Any, layer: Any) -> tuple[Any, Any]:
    """Inputs of a model, and what a layer of it returns."""
    output = outer_output(layer)
    sources = keras.utils.get_source_inputs(output)
    known = set(map(id, keras.tree.flatten(inputs)))
    if known.issuperset(map(id, sources)):
        return inputs, output
    # Another model called the layer first. Call all layers once more.
    found = []

    def call(each: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        result = each(*args, **kwargs)
        if each is layer:
            found.append(result)
        return result

    again = keras.models.clone_model(
        keras.Model(inputs, outputs),
        clone_function=lambda each: each,
        call_function=call,
    )
    return again.input, found[0]


def _pooled(outputs: Any, dtype: str) -> np.ndarray:
    """The outputs of a batch as rows."""
    if not hasattr(outputs, "shape"):
        names = list(outputs) if isinstance(outputs, dict) else len(outputs)
        raise ValueError(
            "Invalid value for argument `model`. Expected one output, or "
            "`layer` with the name of the layer whose output to take. "
            f"Received: outputs {names}"
        )
    array = _as_numpy(outputs).astype("float32")
    if array.ndim < 2:
        raise ValueError(
            "Invalid value for argument `model`. Expected outputs of shape "
            f"(batch, ...) with features. Received: {array.shape}"
        )
    last = keras.config.image_data_format() == "channels_last"
    if last or array.ndim == 3:
        array = array.mean(axis=tuple(range(1, array.ndim - 1)))
    else:
        array = array.mean(axis=tuple(range(2, array.ndim)))
    with np.errstate(over="ignore"):
        rows = array.astype(dtype)
    if not np.isfinite(rows).all():
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if len(bad):
            raise ValueError(
                f"Expected finite outputs of the model. Received: {len(bad)} "
                f"of {len(array)} rows of a batch are not, the first is number "
                f"{bad[0]}. Check the inputs for NaN"
            )
        size = np.abs(array).max()
        raise ValueError(
            f"Features are up to {size:g}, which is not finite in {dtype}. "
            'Pass dtype="float32", or end the model with a normalization'
        )
    return rows


def _numbers(inputs: Any) -> Any:
    """Inputs as arrays: the data set may belong to another library."""
    return keras.tree.map_structure(_as_numpy, inputs)


def _as_numpy(value: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(value))


class _Parts:
    """A folder of features, one file for every few batches."""

    def __init__(self, directory: Any):
        self.directory = None if directory is None else path_of(directory)
        self.done = 0

    def claim(
        self, model: Any, layer: Any, batch_size: int, dtype: str, data: Batches
    ) -> None:
        """Note the arguments of the call; reject a folder of another call."""
        if self.directory is None:
            return
        now = {
            "model": canonical("model", model, ADVICE),
            "weights": _digest(model.get_weights()),
            "layer": getattr(layer, "name", layer),
            "batch_size": batch_size,
            "dtype": dtype,
            "data": _digest(keras.tree.flatten(data.to_compare())),
            "batches": data.total,
        }
        paths = data.data.paths if isinstance(data.data, ImageDataset) else None
        if paths is not None:  # another file moves those behind it
            names = "/".join(map(file_name, paths)).encode(errors="replace")
            now["files"] = canonical("data", names, ADVICE)
        note = self.directory / "features.json"
        if not note.exists() and self._file(0).exists():
            what = f"features without {note.name}, which says of what"
            raise of_another_call(self.directory, what)
        claim(note, now, "features")

    def load(self) -> list[np.ndarray]:
        """Load the saved features, and count their batches."""
        if self.directory is None:
            return []
        found = []
        while (file := self._file(self.done)).exists():
            with reading(file) as stream, np.load(stream) as saved:
                found.append(saved["rows"])
                self.done += int(saved["batches"])
        return found

    def save(self, batches: list[np.ndarray]) -> np.ndarray:
        """Join the rows of some batches, and save them in the folder."""
        rows = np.concatenate(batches)
        if self.directory is not None:
            count = len(batches)
            write_whole(
                self._file(self.done),
                lambda path: np.savez(path, rows=rows, batches=count),
            )
        self.done += len(batches)
        return rows

    def _file(self, number: int) -> Path:
        assert self.directory is not None
        return self.directory / f"features_{number:08d}.npz"


def _digest(arrays: list[Any]) -> str:
    """A hash of arrays, read in parts: all may not fit into memory."""
    key = hashlib.sha256()
    for array in arrays:
        if not getattr(array, "shape", ()):
            array = _as_numpy(array).reshape(-1)
        first = _as_numpy(next(in_parts(array, 1, 1)))
        key.update(f"{first.dtype} {tuple(array.shape)}".encode())
        size = max(1, HASHED // max(1, first.nbytes))
        for part in in_parts(array, size, array.shape[0]):
            key.update(np.ascontiguousarray(_as_numpy(part)).tobytes())
    return key.hexdigest()
