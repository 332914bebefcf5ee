"""Measure the speed of training on WebVision, and plan a training from it.

    KERAS_BACKEND=jax python benchmarks/webvision_throughput.py

measures on this machine

- reading: images from the training pipeline of `"webvision"` at 224 pixels,
  from JPEGs of 256 x 320 pixels and 17 kB that the script makes, per second and
  per second of processor time, which other programs disturb less;
- training: images in `fit` of ResNet-50 on one repeated batch in memory, per
  second, and per second of processor time or, on a GPU, the peak memory;
- kept: the memory per image that the backend keeps for the backward pass, on
  PyTorch from its hooks for saved tensors, on JAX from XLA's analysis of the
  compiled gradient. TensorFlow offers neither;

and writes them to the CSV, where they replace the rows of the same backend,
precision and device.

    python benchmarks/webvision_throughput.py --plan --images-per-second 1000

computes memory, time and processor cores for 1, 8 and 64 GPUs that each train
this number of images per second. Only the values for reading and kept memory,
from the CSV, are measured.
"""

import argparse
import csv
import io
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

from keras_noisy import MAEStar

SIZE = 224
#: Training images, to two digits, and classes.
SUBSETS = {
    "mini": (66_000, 50),
    "google": (980_000, 1000),
    "flickr": (1_460_000, 1000),
    "all": (2_440_000, 1000),
}
#: GPUs, images per step on all of them, and parts to compute a step in.
PLANS = [(1, 512, 1), (1, 512, 4), (8, 512, 1), (64, 512, 1), (64, 4096, 1)]
FIELDS = ["backend", "precision", "device", "quantity", "value", "unit"]


def network(num_classes: int = 1000, size: int = SIZE) -> keras.Model:
    inputs = keras.Input((size, size, 3))
    resnet = keras.applications.ResNet50(
        include_top=False, weights=None, input_tensor=inputs, pooling="avg"
    )
    logits = layers.Dense(num_classes, dtype="float32")(resnet.output)
    return keras.Model(inputs, logits)


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of convolutions and dense layers for one forward image."""
    return sum(
        int(np.prod(layer.kernel.shape) * np.prod(layer.output.shape[1:-1]))
        for layer in model.layers
        if isinstance(layer, (layers.Conv2D, layers.Dense))
    )


def kept_bytes(model: keras.Model, mixed: bool) -> int:
    """Bytes per image that the backward pass needs, each tensor once.

    These are the inputs of the layers with weights and of the pooling, and the
    outputs of the activations. Keras normalizes batches in float32.
    """
    short, sizes = 2 if mixed else 4, {}
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            sizes[id(layer.input)] = layer.input, 4
        elif isinstance(
            layer, (layers.Conv2D, layers.Dense, layers.MaxPooling2D)
        ):
            sizes[id(layer.input)] = layer.input, short
        elif isinstance(layer, layers.Activation):
            sizes[id(layer.output)] = layer.output, short
    return sum(
        int(np.prod(tensor.shape[1:])) * size for tensor, size in sizes.values()
    )


def measured_kept_bytes(model: keras.Model, batch: int) -> float | None:
    """The memory per image that the backend keeps, if it reports it."""
    images = np.zeros((batch, *model.input_shape[1:]), "float32")
    if keras.backend.backend() == "torch":
        import torch

        def kept(images: Any) -> int:
            storages = {}

            def pack(tensor: Any) -> Any:
                storage = tensor.untyped_storage()
                # Keep the tensor, or its address could be reused.
                storages[storage.data_ptr()] = storage.nbytes(), tensor
                return tensor

            hooks = torch.autograd.graph.saved_tensors_hooks
            with hooks(pack, lambda tensor: tensor):
                outputs = model(images, training=True)
            del outputs
            return sum(size for size, _ in storages.values())

        # The difference leaves out the weights.
        return 2 * (kept(images) - kept(images[: batch // 2])) / batch
    if keras.backend.backend() == "jax":
        import jax

        def loss(weights: Any, state: Any, images: Any) -> Any:
            outputs, state = model.stateless_call(
                weights, state, images, training=True
            )
            return outputs.sum(), state

        step = jax.jit(jax.value_and_grad(loss, has_aux=True))
        arguments = [
            [variable.value for variable in variables]
            for variables in (
                model.trainable_variables,
                model.non_trainable_variables,
            )
        ]
        compiled = step.lower(*arguments, images).compile()
        return compiled.memory_analysis().temp_size_in_bytes / batch
    return None


class Repeated(keras.utils.PyDataset):
    """One batch, repeated."""

    def __init__(self, batch: int, steps: int):
        super().__init__()
        generator = np.random.default_rng(0)
        images = generator.normal(size=(batch, SIZE, SIZE, 3))
        self.batch = images.astype("float32"), np.arange(batch) % 1000
        self.steps = steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.batch


def training_rates(
    model: keras.Model, batch: int, steps: int
) -> tuple[float, float]:
    """Images per second of `fit`, and per second of processor time."""
    optimizer = keras.optimizers.SGD(
        0.4,
        momentum=0.9,
        nesterov=True,
        weight_decay=3e-4,
        global_clipnorm=5.0,
    )
    model.compile(optimizer, MAEStar(num_classes=1000, from_logits=True))
    model.fit(Repeated(batch, 1), shuffle=False, verbose=0)  # compiles
    wall, processor = time.perf_counter(), time.process_time()
    model.fit(Repeated(batch, steps), shuffle=False, verbose=0)
    return (
        batch * steps / (time.perf_counter() - wall),
        batch * steps / (time.process_time() - processor),
    )


def reading_rates(count: int) -> tuple[float, float]:
    """Images per second, and per second of processor time."""
    from PIL import Image

    from keras_noisy.datasets import pipeline

    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number in range(count):
            noise = generator.integers(0, 256, size=(32, 40, 3), dtype="uint8")
            picture = Image.fromarray(noise)
            content = io.BytesIO()
            picture.resize((320, 256)).save(content, "JPEG", quality=70)
            files.append(f"{folder}/{number}.jpg")
            Path(files[-1]).write_bytes(content.getvalue())
        size = statistics.mean(Path(file).stat().st_size for file in files)
        print(f"{count} JPEGs of {size / 1e3:.1f} kB")
        batches = pipeline(
            (files, np.zeros(count, int)),
            64,
            augment="webvision",
            training=True,
        )
        for _ in batches:  # compiles
            pass
        wall, processor = time.perf_counter(), time.process_time()
        images = sum(len(labels) for _, labels in batches)
        return (
            images / (time.perf_counter() - wall),
            images / (time.process_time() - processor),
        )


def accelerator() -> tuple[str, Any]:
    """Name of the device, and a function that returns its peak memory."""
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        if torch.cuda.is_available():
            name = torch.cuda.get_device_name()
            return name, torch.cuda.max_memory_allocated
    if backend == "jax":
        import jax

        device = jax.local_devices()[0]
        if device.platform != "cpu":
            return device.device_kind, lambda: device.memory_stats()[
                "peak_bytes_in_use"
            ]
    if backend == "tensorflow":
        import tensorflow as tf

        devices = tf.config.list_physical_devices("GPU")
        if devices:
            details = tf.config.experimental.get_device_details(devices[0])
            info = tf.config.experimental.get_memory_info
            return details["device_name"], lambda: info("GPU:0")["peak"]
    return f"{len(os.sched_getaffinity(0))} CPU cores", None


def measure(batch: int, steps: int, precision: str, images: int) -> list[dict]:
    """The rows of this backend, precision and device."""
    if keras.backend.backend() != "tensorflow":
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")
    device, peak = accelerator()
    if precision != "float32":
        keras.config.set_dtype_policy(f"mixed_{precision}")
    model = network()
    wall, processor = training_rates(model, batch, steps)
    found = [("training", wall, "images/s")]
    if peak is None:
        found.append(("training", processor, "images/core-second"))
    else:
        found.append((f"peak at {batch}", peak() / 1e9, "GB"))
    kept = measured_kept_bytes(model, 4)
    if kept is not None:
        found.append(("kept", kept / 1e6, "MB/image"))
    wall, processor = reading_rates(images)
    found.append(("reading", wall, "images/s"))
    found.append(("reading", processor, "images/core-second"))
    return [
        dict(
            zip(
                FIELDS,
                (
                    keras.backend.backend(),
                    precision,
                    device,
                    quantity,
                    f"{value:.4g}",
                    unit,
                ),
                strict=True,
            )
        )
        for quantity, value, unit in found
    ]


def read(file: Path) -> list[dict]:
    if not file.exists():
        return []
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def median(rows: list[dict], **where: str) -> float:
    values = [
        float(row["value"]) for row in rows if where.items() <= row.items()
    ]
    if not values:
        raise SystemExit(f"The CSV has no row with {where}: measure it first")
    return statistics.median(values)


def plan(
    rows: list[dict],
    subset: str,
    precision: str,
    rate: float,
    bandwidths: dict[int, float],
) -> list[dict]:
    """The needs of training for each of `PLANS`: computed, not measured."""
    images, num_classes = SUBSETS[subset]
    model = network(num_classes)
    weights = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    per_core = median(rows, quantity="reading", unit="images/core-second")
    table = []
    for gpus, batch, parts in PLANS:
        part = batch // gpus // parts
        row = {
            "GPUs": gpus,
            "images in a step": batch,
            "on a GPU at once": part,
        }
        for backend, title in (("jax", "JAX"), ("torch", "PyTorch")):
            where = {"quantity": "kept", "precision": "float32"}
            measured = 1e6 * median(rows, backend=backend, **where)
            kept = kept_bytes(model, precision != "float32")
            kept *= measured / kept_bytes(model, mixed=False)
            # Weights, gradients and momentum, and the sum over the parts.
            fixed = 4 * weights * (3 + (parts > 1))
            row[f"GB, {title}"] = f"{(fixed + part * kept) / 1e9:.1f}"
        # Each GPU sends all gradients twice: to sum them and to share the sum.
        sending = 0.0
        if gpus > 1:
            sending = 2 * 4 * weights * (gpus - 1) / gpus / bandwidths[gpus]
        computing = batch / gpus / rate
        efficiency = computing / (computing + sending)
        seconds = images / (gpus * rate * efficiency)
        row["efficiency"] = f"{efficiency:.0%}"
        row["minutes per epoch"] = f"{seconds / 60:.2g}"
        row["hours for 250"] = f"{250 * seconds / 3600:.2g}"
        row["cores per GPU"] = f"{rate * efficiency / per_core:.2g}"
        table.append(row)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--batch", type=int, default=8, help="images of a step")
    add("--steps", type=int, default=4)
    add("--photographs", type=int, default=512)
    add(
        "--precision",
        choices=["float32", "bfloat16", "float16"],
        default="float32",
    )
    add("--csv", type=Path, default=Path(__file__).with_suffix(".csv"))
    add("--plan", action="store_true", help="compute, measure nothing")
    add("--subset", choices=SUBSETS, default="mini")
    add("--images-per-second", type=float, help="that one GPU trains")
    add(
        "--teraflops",
        type=float,
        default=20.0,
        help="that a GPU sustains, where its images per second are not known",
    )
    add(
        "--gigabytes-per-second",
        type=float,
        nargs=2,
        default=[100.0, 20.0],
        help="that a GPU sends, among 8 in a host and among 64 in eight",
    )
    options = parser.parse_args()
    rows = read(options.csv)
    if not options.plan:
        table = measure(
            options.batch, options.steps, options.precision, options.photographs
        )
        new = {tuple(row[name] for name in FIELDS[:3]) for row in table}
        table = [
            row
            for row in rows
            if tuple(row[name] for name in FIELDS[:3]) not in new
        ] + table
        with options.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
    else:
        # Forward, backward to the inputs and backward to the weights.
        operations = 3 * 2 * multiply_adds(network())
        rate = options.images_per_second
        if rate is None:
            rate = options.teraflops * 1e12 / operations
            print(f"Assumed: a GPU sustains {options.teraflops:g} TFLOP/s.")
        print(
            f"Computed, not measured, from {rate:.0f} images/s of a GPU "
            f"({operations / 1e9:.1f} GFLOP each) in {options.precision}:"
        )
        sends = [1e9 * value for value in options.gigabytes_per_second]
        table = plan(
            rows,
            options.subset,
            options.precision,
            rate,
            dict(zip((8, 64), sends, strict=True)),
        )
    print(f"\n| {' | '.join(table[0])} |\n|{' --- |' * len(table[0])}")
    for row in table:
        print("|", " | ".join(map(str, row.values())), "|")


if __name__ == "__main__":
    main()
