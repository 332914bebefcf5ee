"""Images in a folder that has one folder for each class."""

import os

from keras_noisy._names import listed, nearest, quoted

#: Endings that `keras.utils.image_dataset_from_directory` takes.
ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
#: Endings of images that Keras ignores.
OTHER = (".avif", ".jfif", ".jp2", ".tif", ".tiff", ".webp")


def check_folders(folder: str, names: list[str], found: list[str]) -> None:
    """Refuse classes and folders that can be the same, spelled differently.

    Classes may lack a folder, and folders may be no class, but not both.
    """
    classes = [name for name in names if name not in found]
    others = [name for name in found if name not in names]
    if not classes or not others:
        return
    pairs = [
        (name, nearest(name, classes) or nearest(name, names))
        for name in others
    ]
    hint = "".join(
        [
            f" Is the folder {quoted(name)} the class {quoted(near)}?"
            for name, near in pairs
            if near
        ][:1]
    )
    raise ValueError(
        "Invalid value for argument `class_names`. Expected every folder in "
        f"{folder} to be a class, because there are classes without a folder. "
        f"Received: the folders {listed(others)}, which are no classes, and "
        f"the classes {listed(classes)}, which have no folder.{hint} Correct "
        "the names, or move the other folders away"
    )


def images_in(
    folders: dict[str, int],
) -> tuple[list[str], list[int], dict[str, str]]:
    """Images in folders, their labels, and those with other endings."""
    files, labels, skipped = [], [], {}
    for folder, label in folders.items():
        for file in _walk(folder):
            if file.lower().endswith(ENDINGS):
                files.append(file)
                labels.append(label)
            elif file.lower().endswith(OTHER):
                skipped[file] = f"does not end in {', '.join(ENDINGS)}"
    return files, labels, skipped


def _walk(folder: str) -> list[str]:
    """All files in a folder, in the order of Keras."""

    def stop(error: OSError) -> None:
        raise error  # Otherwise a folder would be left out silently.

    return [
        os.path.join(root, name)
        for root, _, names in sorted(os.walk(folder, onerror=stop))
        for name in sorted(names)
    ]
