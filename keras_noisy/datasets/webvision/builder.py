"""WebVision 1.0 for TensorFlow Datasets."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow_datasets as tfds
from absl import logging
from etils import epath

from keras_noisy.datasets.webvision import _layout
from keras_noisy.datasets.webvision._archive import Archive
from keras_noisy.datasets.webvision._images import as_jpeg

_DESCRIPTION = """
Web images of the 1000 classes of ImageNet, found by searching Google and
Flickr for their names. The labels are those of the queries; about a fifth are
wrong. The labels of the validation images were given by people.

Images that cannot be decoded are left out and listed in
`builder.info.metadata["skipped"]`; those that are not an RGB or gray JPEG are
converted to one and listed in `builder.info.metadata["converted"]`.
"""

_CITATION = """
@article{li2017webvision,
  title = {WebVision Database: Visual Learning and Understanding from Web Data},
  author = {Li, Wen and Wang, Limin and Li, Wei and Agustsson, Eirikur and
            Van Gool, Luc},
  journal = {arXiv preprint arXiv:1708.02862},
  year = {2017}
}
"""

#: If a larger share of a source is skipped, the download is incomplete.
_MOST_SKIPPED = 0.1


class Webvision(tfds.core.GeneratorBasedBuilder):
    """WebVision 1.0 as a data set of TensorFlow Datasets.

    Use it to train on WebVision from a few large files, in shuffled order.
    Importing `keras_noisy.datasets.webvision` registers it as `"webvision"`,
    with the configurations `google`, `flickr`, `all` and `mini`, the first 50
    classes of Google's images. It reads the official archives, packed or
    unpacked, from `downloads/manual` in the data folder of TensorFlow Datasets
    or from `manual_dir`, see `tfds.load` and
    `Webvision.MANUAL_DOWNLOAD_INSTRUCTIONS`:

    ```
    tfds.load(
        "webvision/mini",
        split="train",
        download_and_prepare_kwargs={
            "download_config": tfds.download.DownloadConfig(manual_dir=...)
        },
    )
    ```

    Samples have `image`, `label`, `id` (the path in the official list),
    `source` (`"google"`, `"flickr"` or `"validation"`) and `query` (such as
    `"q0001"`, `""` for validation). Images that cannot be decoded are left
    out, listed at the end and recorded in `builder.info.metadata["skipped"]`.
    Images that are not an RGB or gray JPEG are converted and recorded in
    `builder.info.metadata["converted"]`; all others are bit for bit those of
    the archive. `builder.info.metadata["checksums"]` has the size and SHA-256
    of each list and each archive that was read.

    Args:
        **kwargs: `config`, `data_dir` and the other arguments of
            `tfds.builder`.

    Returns:
        A `tfds.core.DatasetBuilder` with the splits `train` and `validation`.

    Raises:
        FileNotFoundError: While preparing, if an archive or a list is missing.
        ValueError: While preparing, if a list is wrong, or if more than a
            tenth of the images of a source are missing or broken.

    Example:

    >>> from keras_noisy.datasets.webvision import Webvision
    >>> [config.name for config in Webvision.BUILDER_CONFIGS]
    ['google', 'flickr', 'all', 'mini']

    References:
        - Li, Wang, Li, Agustsson, Van Gool, WebVision database: visual
          learning and understanding from web data, 2017, arXiv 1708.02862
    """

    # Otherwise TFDS needs importlib_resources, which it does not install.
    code_path = epath.Path(__file__)
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {  # noqa: RUF012
        "1.0.0": "WebVision 1.0, resized to 256 pixels."
    }
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name=name, description=description)
        for name, description in (
            ("google", "Training images found by Google."),
            ("flickr", "Training images found on Flickr."),
            ("all", "Training images of both sources."),
            ("mini", "First 50 classes of the images found by Google."),
        )
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
Download from {_layout.DOWNLOADS}, the resized images of version 1.0:

  {_layout.ARCHIVES["info"]}                 always
  {_layout.ARCHIVES["validation"]}       always
  {_layout.ARCHIVES["google"]}   (16 GB) for google, all and mini
  {_layout.ARCHIVES["flickr"]}   for flickr and all

for example with `wget {_layout.DOWNLOADS}{_layout.ARCHIVES["info"]}`,
and put them into this folder. There is no need to unpack them. If the folders
info, google, flickr or val_images_256 are there, they are read instead.
Terms of use: {_layout.HOMEPAGE}
"""

    def _info(self) -> tfds.core.DatasetInfo:
        num_classes = _layout.CONFIGS[self.builder_config.name][1]
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=(None, None, 3), encoding_format="jpeg"
                    ),
                    # The names are in the download.
                    "label": tfds.features.ClassLabel(num_classes=num_classes),
                    "id": tfds.features.Text(),
                    "source": tfds.features.Text(),
                    "query": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
            homepage=_layout.HOMEPAGE,
            citation=_CITATION,
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        root = dl_manager.manual_dir
        config = self.builder_config.name
        # Stored with the data after all images are read, so fill it before.
        self.info.metadata.update(
            skipped={split: {} for split in _layout.SPLITS},
            converted={split: [] for split in _layout.SPLITS},
            checksums={},
        )
        sources = {
            split: _layout.sources(config, split) for split in _layout.SPLITS
        }
        info = self._read_info(root, [*sources["train"], "validation"])
        self.info.features["label"].names = _layout.class_names(
            info[_layout.SYNSETS], config
        )
        return {
            split: self._generate_examples(
                root,
                split,
                {
                    source: _layout.labels(
                        info[_layout.FILE_LISTS[source]], source, config
                    )
                    for source in sources[split]
                },
            )
            for split in _layout.SPLITS
        }

    def _read_info(self, root: Any, sources: list[str]) -> dict[str, bytes]:
        """The lists, after a check that all needed files exist."""
        names = [
            _layout.SYNSETS,
            *(_layout.FILE_LISTS[source] for source in sources),
        ]
        place = _place(root, "info")
        if place.is_dir():
            found = {
                name: (place / name).read_bytes()
                for name in names
                if (place / name).exists()
            }
        else:
            faults: dict[str, str] = {}
            found = dict(
                self._read_archive(
                    place, names, faults, _layout.MOST_LIST_BYTES
                )
            )
            if lost := {k: v for k, v in faults.items() if k not in found}:
                raise ValueError(
                    f"Expected the lists of WebVision 1.0 in `{place}`. "
                    f"Received:\n{_layout.listed(lost, 10)}\nGet it again "
                    f"from {_layout.DOWNLOADS}{place.name}"
                )
        absent = {
            f"info/{name}": "info" for name in names if name not in found
        } | {
            f"{_layout.FOLDERS[source]}/": source
            for source in sources
            if not _place(root, source).exists()
        }
        if absent:
            raise _layout.missing(
                root,
                absent,
                "Put these archives there; there is no need to unpack them:",
            )
        for name, content in found.items():
            self.info.metadata["checksums"][f"info/{name}"] = {
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        return found

    def _read_archive(
        self,
        path: Any,
        wanted: Any,
        faults: dict[str, str],
        limit: int = _layout.MOST_BYTES,
    ) -> Iterator[tuple[str, bytes]]:
        if path.exists():
            archive = Archive(path)
            yield from archive.files(wanted, limit)
            faults.update(archive.skipped)
            self.info.metadata["checksums"][path.name] = archive.checksum

    def _read_images(
        self,
        root: Any,
        source: str,
        wanted: Mapping[str, int],
        faults: dict[str, str],
    ) -> Iterator[tuple[str, bytes]]:
        """The wanted images; `faults` gets the reasons for those not read."""
        place = _place(root, source)
        if not place.is_dir():
            yield from self._read_archive(place, wanted, faults)
            return
        folder = _layout.image_folder(root, source)
        for image_id in tuple(wanted):
            try:
                with (folder / image_id).open("rb") as file:
                    size = file.seek(0, io.SEEK_END)
                    if size <= _layout.MOST_BYTES:
                        file.seek(0)
                        yield image_id, file.read()
                    else:
                        faults[image_id] = (
                            f"{size} bytes, more than {_layout.MOST_BYTES}"
                        )
            except FileNotFoundError:
                pass
            except OSError as error:
                faults[image_id] = error.strerror or str(error)

    def _generate_examples(
        self, root: Any, split: str, labels: dict[str, dict[str, int]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        skipped = self.info.metadata["skipped"][split]
        converted = self.info.metadata["converted"][split]
        for source, of_source in labels.items():
            before = len(skipped)
            yield from self._examples_of(
                root, source, of_source, skipped, converted
            )
            if len(skipped) - before > _MOST_SKIPPED * len(of_source):
                faults = dict([*skipped.items()][before:])
                raise ValueError(
                    f"{len(faults)} of {len(of_source)} images of {source} "
                    f"are missing or broken in `{_place(root, source)}`, more "
                    "than a tenth: the download is incomplete. Get "
                    f"{_layout.DOWNLOADS}{_layout.ARCHIVES[source]} again. "
                    f"They are\n{_layout.listed(faults, 10)}"
                )
        if skipped or converted:
            logging.warning(
                "%s, %s: of %d images %d were converted to RGB JPEG and %d "
                "left out, as they are missing or broken, see "
                "`builder.info.metadata`.\n%s",
                self.info.full_name,
                split,
                sum(map(len, labels.values())),
                len(converted),
                len(skipped),
                _layout.listed(skipped, 100),
            )

    def _examples_of(
        self,
        root: Any,
        source: str,
        labels: Mapping[str, int],
        skipped: dict[str, str],
        converted: list[str],
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The examples of a source; notes the images that are not as given."""
        unread = dict(labels)
        faults: dict[str, str] = {}
        for image_id, content in self._read_images(
            root, source, unread, faults
        ):
            label = unread.pop(image_id)
            try:
                image = as_jpeg(content)
            except ValueError as error:
                skipped[image_id] = str(error)
                continue
            if image is not content:
                converted.append(image_id)
            yield (
                image_id,
                {
                    "image": image,
                    "label": label,
                    "id": image_id,
                    "source": source,
                    "query": _layout.query(image_id),
                },
            )
        for image_id in unread:
            skipped[image_id] = faults.get(image_id, "missing")


def _place(root: Any, part: str) -> Any:
    """The unpacked folder if there is one, else the archive."""
    folder = root / _layout.FOLDERS[part]
    return folder if folder.exists() else root / _layout.ARCHIVES[part]
