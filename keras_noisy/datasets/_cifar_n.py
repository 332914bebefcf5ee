"""Labels that people gave to CIFAR, which are not part of this package."""

from pathlib import Path

import numpy as np

from keras_noisy.datasets import _files

#: Mapping from `noise` to a column of human labels; the first is the default.
HUMAN = {
    "cifar10n": {
        "worse": "worse_label",
        "aggre": "aggre_label",
        "random1": "random_label1",
        "random2": "random_label2",
        "random3": "random_label3",
    },
    "cifar100n": {
        "noisy": "noisy_label",
        "noisy_coarse": "noisy_coarse_label",
    },
}
SOURCE = "https://github.com/UCSC-REAL/cifar-10-100n (CC BY-NC 4.0)"


def human_labels(
    base: str, column: str, data_dir: str | Path | None
) -> tuple[Path, np.ndarray, np.ndarray]:
    """The official file in the user's folder, its given and clean labels."""
    file = f"{base.upper().replace('R1', 'R-1')}_human.pt"
    if data_dir is None:
        raise ValueError(
            f"Invalid value for argument `data_dir`. Expected the folder with "
            f"{file}, which you download from {SOURCE}. Received: None"
        )
    path = _files.find(data_dir, file, source=SOURCE)
    with _files.reading(path, SOURCE):
        columns = _files.torch_dictionary(path)
    of_clean = "clean_coarse_label" if "coarse" in column else "clean_label"
    for needed in (column, of_clean):
        if needed not in columns:
            raise ValueError(
                f"Expected {path} to have {needed!r}. Received: a file with "
                f"{sorted(columns)}. Download it again from {SOURCE}"
            )
    given, clean = (np.reshape(columns[c], -1) for c in (column, of_clean))
    return path, given, clean


def check_order(
    path: Path, given: np.ndarray, found: np.ndarray, clean: np.ndarray
) -> None:
    """The clean labels found in the file must be those of the images."""
    if len(found) != len(clean) or np.any(found != clean):
        wrong = "another number of labels"
        if len(found) == len(clean):
            wrong = f"{np.count_nonzero(found != clean)} labels that differ"
        raise ValueError(
            f"Expected the clean labels in {path} to be those of the images, "
            f"one by one. Received: {wrong}. The human labels are in the "
            "order of the python version of CIFAR: take the images from there"
        )
    if len(given) != len(clean):
        raise ValueError(
            f"Expected {path} to have {len(clean)} human labels. Received: "
            f"{len(given)}. Download it again from {SOURCE}"
        )
