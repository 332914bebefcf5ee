"""Time and memory of scores, estimates and pages of wrong labels.

    python benchmarks/quality_speed.py

`FeatureQuality` scores 50,000 samples from their neighbors. `LabelQuality`
counts an epoch of 2.4 million samples (as many as in WebVision) and 1,000
classes, without the predictions, and ranks them. `report` writes pages of
suspects of 100,000 samples. 40 % of the labels are random. Every row goes to a
CSV file.
"""

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rows

from keras_noisy.callbacks.label_quality import Findings
from keras_noisy.quality import FeatureQuality

PATH = Path(__file__).with_suffix(".csv")
CLASSES = 1000
GENERATOR = np.random.default_rng(0)


def measured(what: str, call: Callable[[], Any]) -> dict[str, str]:
    """Processor time of a call, and the memory that it keeps and needs."""
    tracemalloc.start()
    start = time.process_time()
    result = call()
    seconds = time.process_time() - start
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    row = {
        "what": what,
        "cpu_seconds": f"{seconds:.1f}",
        "kept_mb": f"{kept / 1e6:.0f}",
        "most_mb": f"{most / 1e6:.0f}",
        "file_mb": "",
    }
    if isinstance(result, Path):
        row["file_mb"] = f"{result.stat().st_size / 1e6:.1f}"
    print(*row.values(), sep=", ", flush=True)
    return row


def labels_of(samples: int, classes: int = CLASSES) -> np.ndarray:
    """Labels of which 40 % are random; sample i is of class i % classes."""
    clean = np.arange(samples) % classes
    random = GENERATOR.integers(classes, size=samples)
    return np.where(GENERATOR.random(samples) < 0.4, random, clean)


def from_neighbors(samples: int, classes: int) -> dict[str, str]:
    """Neighbors of which 60 % have the class of the sample."""
    steps = GENERATOR.integers(1, samples, size=(samples, 51))
    others = GENERATOR.integers(1, samples // classes, size=steps.shape)
    same = GENERATOR.random(steps.shape) < 0.6
    steps = np.where(same, others * classes, steps)
    indices = (np.arange(samples)[:, None] + steps) % samples
    cosines = np.sort(GENERATOR.random(indices.shape))[:, ::-1]
    labels = labels_of(samples, classes)

    def scored() -> Any:
        quality = FeatureQuality(None, labels, neighbors=(indices, cosines))
        return quality.suspects(), quality.estimate()

    what = f"FeatureQuality, {samples} samples, {classes} classes"
    return measured(what, scored)


def logits(samples: int) -> Iterator[np.ndarray]:
    """Logits of which the one of the class is 3 higher."""
    batch = GENERATOR.normal(size=(CLASSES, CLASSES)).astype("float32")
    batch += 3 * np.eye(CLASSES, dtype="float32")
    for start in range(0, samples, CLASSES):
        yield batch[: samples - start]


def of_epochs(samples: int) -> list[dict[str, str]]:
    findings = Findings(labels_of(samples))

    def epoch() -> None:
        findings.update(findings.compare(logits(samples), from_logits=True))

    def ranked() -> Any:
        return findings.suspects(), findings.estimate()

    name = f"LabelQuality, {samples} samples, {CLASSES} classes: "
    return [
        measured(name + "an epoch", epoch),
        measured(name + "suspects and estimate", ranked),
    ]


def pages(samples: int, folder: str) -> list[dict[str, str]]:
    images = GENERATOR.integers(256, size=(samples, 32, 32, 3), dtype="uint8")
    findings = Findings(labels_of(samples), images=images)
    findings.update(findings.compare(logits(samples), from_logits=True))

    def page(count: int) -> Path:
        path = Path(folder) / f"{count}.html"
        findings.report(path, count)
        return path

    name = f"report of {samples} samples: "
    return [
        measured(f"{name}{count} suspects", lambda count=count: page(count))
        for count in (500, 5000)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, default=PATH)
    options = parser.parse_args()
    found = [from_neighbors(50_000, classes) for classes in (100, CLASSES)]
    found += of_epochs(2_400_000)
    with tempfile.TemporaryDirectory() as folder:
        found += pages(100_000, folder)
    rows.append(options.csv, found)


if __name__ == "__main__":
    main()
