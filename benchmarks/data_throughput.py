"""Measure images per second of the input pipelines.

The script compares each reader with a bare `tf.data` pipeline, which only reads
and decodes the same images in parallel:

    python benchmarks/data_throughput.py --data-dir DIRECTORY

The photographs are JPEGs of 256 x 320 pixels with 20 images of CIFAR-100 each,
which the script makes from the strips `train_*.webp` in the directory; without
a directory they are cloudy noise. The small images are single images of 32 x 32
pixels: an array for the readers, and PNGs in memory for the bare pipeline. The
readers and the bare pipeline take turns, one epoch each, in an order that is
shuffled in each round. Ratios are ratios of medians. The first epoch, which
compiles, does not count.
"""

import argparse
import csv
import io
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_noisy.datasets import ImageDataset, pipeline

Epoch = Callable[[], Any]


def small_images(folder: Path | None, count: int) -> np.ndarray:
    """Images of 32 x 32 pixels, uint8."""
    strips = sorted(folder.glob("train_*.webp")) if folder else []
    if folder and not strips:
        raise SystemExit(f"No strips train_*.webp in {folder}")
    if strips:
        parts = [
            np.asarray(Image.open(strip).convert("RGB")).reshape(-1, 32, 32, 3)
            for strip in strips[: -(-count // 500)]
        ]
        return np.concatenate(parts)[:count]
    generator = np.random.default_rng(0)
    clouds = np.full((count, 32, 32, 3), 128.0)
    for side in (2, 4, 8, 16, 32):
        noise = generator.normal(size=(count, side, side, 3)) * 96 / side
        clouds += noise.repeat(32 // side, axis=1).repeat(32 // side, axis=2)
    return np.clip(clouds, 0, 255).astype("uint8")


def write_photographs(
    images: np.ndarray, folder: Path, count: int
) -> list[str]:
    """Paths of JPEGs with 4 x 5 small images each, at double size."""
    files = []
    generator = np.random.default_rng(0)
    for i in range(count):
        chosen = images[generator.integers(len(images), size=20)]
        rows = chosen.reshape(4, 5, 32, 32, 3).swapaxes(1, 2)
        picture = Image.fromarray(rows.reshape(128, 160, 3))
        path = folder / f"{i:05d}.jpg"
        picture.resize((320, 256), Image.Resampling.BICUBIC).save(path)
        files.append(str(path))
    return files


def drain(batches: Iterable[Any]) -> None:
    for _ in batches:
        pass


def epochs(
    images: np.ndarray, files: list[str], batch: int, workers: int
) -> dict[tuple[str, str, str], Epoch]:
    """A function per reader that runs one epoch."""
    sources = {
        "cifar": (images, np.arange(len(images))),
        "webvision": (files, np.arange(len(files))),
    }
    found: dict[tuple[str, str, str], Epoch] = {}
    for augment, given in sources.items():
        for training in (True, False):
            kind = "training" if training else "evaluation"
            arguments = {"augment": augment, "training": training}
            data = pipeline(given, batch, **arguments)
            found[augment, kind, "pipeline"] = lambda data=data: drain(data)
            found[augment, kind, "ImageDataset"] = threaded(
                ImageDataset(given, batch, **arguments), workers
            )
    from_slices = tf.data.Dataset.from_tensor_slices
    png = from_slices([encoded(image) for image in images])
    png = png.map(tf.io.decode_png, tf.data.AUTOTUNE).prefetch(batch)
    jpeg = from_slices(files).map(
        lambda path: tf.io.decode_jpeg(tf.io.read_file(path)),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    jpeg = jpeg.prefetch(batch)
    found["cifar", "decoding", "bare"] = lambda: drain(png)
    found["webvision", "decoding", "bare"] = lambda: drain(jpeg)
    return found


def threaded(data: ImageDataset, workers: int) -> Epoch:
    """Read a data set as `fit` does with this many workers."""

    def epoch() -> None:
        with ThreadPoolExecutor(workers) as pool:
            drain(pool.map(data.__getitem__, range(len(data))))
        data.on_epoch_end()

    return epoch


def encoded(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def measure(
    calls: dict[tuple[str, str, str], Epoch], rounds: int
) -> dict[tuple[str, str, str], float]:
    """Median duration of an epoch for each reader; readers take turns."""
    order, generator = list(calls), random.Random(0)
    durations = {name: [] for name in calls}
    for number in range(rounds + 1):
        generator.shuffle(order)
        for name in order:
            start = time.perf_counter()
            calls[name]()
            durations[name].append(time.perf_counter() - start)
        print(f"round {number} of {rounds}", flush=True)
    return {k: statistics.median(times[1:]) for k, times in durations.items()}


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder of strips of CIFAR-100")
    add("--photographs", type=int, default=512)
    add("--small", type=int, default=10_000)
    add("--batch", type=int, default=128)
    add("--workers", type=int, default=cores)
    add("--rounds", type=int, default=4)
    add("--csv", type=Path, default=Path(__file__).with_suffix(".csv"))
    arguments = parser.parse_args()
    images = small_images(arguments.data_dir, arguments.small)
    with tempfile.TemporaryDirectory() as folder:
        count = arguments.photographs
        files = write_photographs(images, Path(folder), count)
        size = statistics.mean(Path(file).stat().st_size for file in files)
        print(
            f"{len(images)} small images, {len(files)} photographs of "
            f"{size / 1e3:.1f} kB, batch {arguments.batch}, {cores} cores"
        )
        calls = epochs(images, files, arguments.batch, arguments.workers)
        times = measure(calls, arguments.rounds)
    rows = []
    for (augment, kind, reader), seconds in times.items():
        number = len(images) if augment == "cifar" else len(files)
        if kind == "training":
            number -= number % arguments.batch
        bare = times[augment, "decoding", "bare"]
        bare_count = len(images) if augment == "cifar" else len(files)
        rows.append(
            {
                "augment": augment,
                "mode": kind,
                "reader": reader,
                "images_per_second": round(number / seconds),
                "ratio": round(number / seconds * bare / bare_count, 3),
            }
        )
    with arguments.csv.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"\n| {' | '.join(rows[0])} |\n|{' --- |' * len(rows[0])}")
    for row in rows:
        print("|", " | ".join(map(str, row.values())), "|")


if __name__ == "__main__":
    main()
