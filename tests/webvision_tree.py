"""A small WebVision in the official layout, from images of CIFAR-100."""

import functools
import io
import struct
import tarfile
import zlib
from dataclasses import dataclass, field

import real_data

#: Labels of each list: twice as many below 50, the classes of mini, as above.
LABELS = (0, 7, 23, 49, 50, 999)
IMAGES_PER_CLASS = {"google": 14, "flickr": 12, "validation": 6}
FILE_LISTS = {
    "google": "train_filelist_google.txt",
    "flickr": "train_filelist_flickr.txt",
    "validation": "val_filelist.txt",
}
ARCHIVES = {
    "info": "info.tar",
    "google": "google_resized_256.tar",
    "flickr": "flickr_resized_256.tar",
    "val_images_256": "val_images_256.tar",
}


@dataclass
class Tree:
    """The contents of the tree, by the path in the file lists."""

    labels: dict = field(default_factory=dict)  # by source, then by path
    files: dict = field(default_factory=dict)  # content by path
    broken: set = field(default_factory=set)
    missing: set = field(default_factory=set)
    converted: set = field(default_factory=set)

    def readable(self, source, num_classes=1000):
        """Labels of the images that must be read, by path."""
        return {
            path: label
            for path, label in self.labels[source].items()
            if label < num_classes and path not in self.broken | self.missing
        }

    def skipped(self, sources, num_classes=1000):
        return {
            path
            for source in sources
            for path, label in self.labels[source].items()
            if label < num_classes and path in self.broken | self.missing
        }


def encoded(image, format="JPEG", **arguments):
    file = io.BytesIO()
    image.save(file, format, **arguments)
    return file.getvalue()


def bomb(kind, width, height):
    """An image of few bytes whose header claims many pixels."""
    from PIL import Image

    content = encoded(Image.new("RGB", (16, 16)), kind)
    if kind == "JPEG":
        place = content.index(b"\xff\xc0") + 5
        size = struct.pack(">HH", height, width)
    elif kind == "PNG":
        place, size = 16, struct.pack(">II", width, height)
        chunk = content[12:16] + size + content[24:29]
        size += content[24:29] + struct.pack(">I", zlib.crc32(chunk))
    elif kind == "GIF":
        place, size = 6, struct.pack("<HH", width, height)
    else:
        place, size = 18, struct.pack("<ii", width, height)
    return content[:place] + size + content[place + len(size) :]


@functools.cache
def photographs():
    """Images whose shorter side is 256 pixels, as in the resized version."""
    from PIL import Image

    longer = (256, 256, 291, 341, 384)
    return [
        Image.fromarray(array).resize(
            (256, longer[i % 5]) if i % 2 else (longer[i % 5], 256)
        )
        for i, array in enumerate(real_data.cifar100_images("train", 192))
    ]


def write(root):
    """Write the tree, with images broken in every common way."""
    tree = Tree()
    images = iter(photographs())
    for source, count in IMAGES_PER_CLASS.items():
        tree.labels[source] = {}
        for place, label in enumerate(LABELS):
            for number in range(count):
                if source == "validation":
                    path = f"val{place * count + number + 1:06}.jpg"
                else:
                    name = f"{number}{source}" if number != 7 else "a name"
                    path = f"{source}/q{place + 1:04}/{name}.jpg"
                tree.labels[source][path] = label
                tree.files[path] = encoded(next(images), quality=80)

    for path, length in {
        "google/q0001/0google.jpg": -99,
        "google/q0002/1google.jpg": 0,
        "flickr/q0005/3flickr.jpg": 500,
        "val000002.jpg": 2000,
    }.items():
        tree.files[path] = tree.files[path][:length]
        tree.broken.add(path)
    tree.files["google/q0003/2google.jpg"] = b"<html>Not found</html>"
    tree.broken.add("google/q0003/2google.jpg")
    image = photographs()[0]
    for path, content in {
        "google/q0001/5google.jpg": encoded(image, "PNG"),
        "google/q0002/5google.jpg": encoded(image.convert("CMYK")),
        "flickr/q0006/5flickr.jpg": encoded(image.quantize(dither=0), "GIF"),
    }.items():
        tree.files[path] = content
        tree.converted.add(path)
    tree.files["google/q0004/6google.jpg"] = encoded(image.convert("L"))
    tree.missing = {"google/q0004/8google.jpg", "flickr/q0001/8flickr.jpg"}
    for path in tree.missing:
        del tree.files[path]

    for path, content in tree.files.items():
        file = root / path if "/" in path else root / "val_images_256" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (root / "info").mkdir()
    for source, name in FILE_LISTS.items():
        lines = [f"{path} {y}\n" for path, y in tree.labels[source].items()]
        (root / "info" / name).write_text("".join(lines))
    # Two classes have the same word, as in ImageNet.
    words = {0: "tench, Tinca tinca", 134: "crane", 517: "crane"}
    (root / "info" / "synsets.txt").write_text(
        "".join(
            f"n{1440764 + label:08} {words.get(label, f'class {label}')}\n"
            for label in range(1000)
        )
    )
    return tree


def pack(root, target, prefix="", archives=ARCHIVES):
    """Pack the folders of a tree in the official archives."""
    target.mkdir(exist_ok=True)
    for folder, name in archives.items():
        with tarfile.open(target / name, "w") as tar:
            tar.add(root / folder, arcname=prefix + folder)
