"""Time, memory and agreement of the search for neighbors.

    python benchmarks/neighbor_speed.py --data-dir FOLDER
    python benchmarks/neighbor_speed.py --synthetic 1000000 --candidates 2048

The first command searches the features of 50,000 CIFAR-100 images (`tasks.py`
describes the folder), exactly and with candidates. The second one searches a
memory map in half precision, with 384 features around 1,000 centers. Each
search runs in its own process, whose peak memory is measured. Every row goes to
a CSV file, with the share of neighbors that have the class of the sample and,
for CIFAR-100, the results of `FeatureQuality` with these neighbors and the
human labels.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rows

PATH = Path(__file__).with_suffix(".csv")
K, WIDTH, CENTERS = 51, 384, 1000


def synthetic(count: int, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features in a file, and labels, one class per center."""
    generator = np.random.default_rng(0)
    centers = generator.normal(size=(CENTERS, WIDTH)).astype("float32")
    labels = generator.integers(CENTERS, size=count)
    file = np.lib.format.open_memmap(path, "w+", "float16", (count, WIDTH))
    for start in range(0, count, 50_000):
        own = labels[start : start + 50_000]
        noise = generator.standard_normal((len(own), WIDTH), "float32")
        file[start : start + len(own)] = centers[own] + 2 * noise
    file.flush()
    return np.load(path, mmap_mode="r"), labels


def measure(options: argparse.Namespace) -> None:
    """Search once and append a row."""
    import keras

    from keras_noisy.quality import FeatureQuality, nearest_neighbors

    with tempfile.TemporaryDirectory() as folder:
        if options.synthetic:
            file = Path(folder) / "x.npy"
            x, clean = synthetic(options.synthetic, file)
            labels = None
        else:
            from tasks import read

            data = read("features-100", "human", 0, options.data_dir)
            x, labels, clean = data.x, data.y, data.clean
        wall, cpu = time.perf_counter(), time.process_time()
        found = nearest_neighbors(x, K, options.candidates)
        name = "exact"
        if options.candidates:
            name = f"{options.candidates} candidates"
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    row = {
        "samples": len(x),
        "features": x.shape[1],
        "search": name,
        "backend": keras.backend.backend(),
        "cpu_seconds": f"{cpu:.0f}",
        "seconds": f"{wall:.0f}",
        "peak_gb": f"{peak / 2**20:.2f}",
        "neighbors_found": "",
        "same_class": f"{np.mean(clean[found[0]] == clean[:, None]):.4f}",
        "estimated": "",
        "f1": "",
    }
    if labels is not None:
        quality = FeatureQuality(None, labels, neighbors=found)
        suspects, wrong = quality.suspects(), labels != clean
        hits = wrong[suspects].sum()
        row["estimated"] = f"{quality.estimate().rate:.4f}"
        row["f1"] = f"{2 * hits / (len(suspects) + wrong.sum()):.4f}"
    if options.exact:
        if name == "exact":
            np.save(options.exact, found[0])
        elif options.exact.exists():
            row["neighbors_found"] = f"{agreement(found[0], options.exact):.3f}"
    print(*row.values(), sep=", ", flush=True)
    rows.append(options.csv, [row])


def agreement(found: np.ndarray, exact: Path) -> float:
    """Share of the exact neighbors that are found, for every 20th sample."""
    pairs = zip(found[::20], np.load(exact)[::20], strict=True)
    return float(np.mean([len(np.intersect1d(*pair)) / K for pair in pairs]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data-dir", type=Path, help="features of CIFAR-100 are in it")
    add("--synthetic", type=int, metavar="SAMPLES", help="in their place")
    add("--candidates", type=int, help="only this search; 0 is the exact one")
    add("--exact", type=Path, help="a file that keeps the exact neighbors")
    add("--csv", type=Path, default=PATH)
    options = parser.parse_args()
    if options.data_dir is None and not options.synthetic:
        parser.error("--data-dir or --synthetic is needed")
    if options.candidates is not None:
        options.candidates = options.candidates or None
        return measure(options)
    with tempfile.TemporaryDirectory() as folder:
        exact = str(Path(folder) / "exact.npy")
        for candidates in ("0", "4096", "2048"):
            command = [sys.executable, *sys.argv, "--candidates", candidates]
            subprocess.run([*command, "--exact", exact], check=True)


if __name__ == "__main__":
    main()
