"""Time and memory of making noisy labels.

    python benchmarks/noise_speed.py

The script passes 2.4 million labels of 1000 classes, as in WebVision, to
`keras_noisy.noise.corrupt`, and 50,000 images, as in CIFAR-100, to
`instance_dependent`. The time is the median over the rounds; the memory is the
peak of the allocations in a call, including the results. Every number goes to a
CSV file.
"""

import argparse
import csv
import statistics
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_noisy import noise


def cases(labels: int, images: int) -> dict[str, Callable[[], Any]]:
    generator = np.random.default_rng(0)
    many = generator.integers(1000, size=labels)
    matrix = noise.symmetric(1000, 0.4)
    pixels = generator.integers(256, size=(images, 32, 32, 3), dtype="uint8")
    of_pixels = generator.integers(100, size=images)
    return {
        f"corrupt, bernoulli, {labels:,} labels": lambda: noise.corrupt(
            many, matrix, "bernoulli"
        ),
        f"corrupt, exact, {labels:,} labels": lambda: noise.corrupt(
            many, matrix, "exact"
        ),
        f"instance_dependent, {images:,} images": lambda: (
            noise.instance_dependent(pixels, of_pixels, 0.4)
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--labels", type=int, default=2_400_000)
    add("--images", type=int, default=50_000)
    add("--rounds", type=int, default=11)
    add("--csv", type=Path, default=Path(__file__).with_suffix(".csv"))
    arguments = parser.parse_args()
    found = cases(arguments.labels, arguments.images)
    times = {name: [] for name in found}
    for _ in range(arguments.rounds):
        for name, run in found.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    rows = []
    for name, run in found.items():
        tracemalloc.start()
        run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        median = statistics.median(times[name])
        rows.append(
            {
                "case": name,
                "seconds": f"{median:.3f}",
                "mb": f"{peak / 1e6:.0f}",
            }
        )
        print(f"{name}: {median:.2f} s, {peak / 1e6:.0f} MB")
    with arguments.csv.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
