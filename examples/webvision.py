"""
Title: ResNet-50 learns from WebVision's images and wrong labels
Author: The keras-noisy authors
Date created: 2026/11/21
Last modified: 2026/11/21
Description: Train on web images, a fifth of them mislabeled, on any GPUs.
Accelerator: GPU
"""

"""
## Introduction

WebVision 1.0 has 2.4 million images that Google and Flickr found for the names
of ImageNet's 1000 classes. Nobody checked them: about a fifth of the labels are
wrong. People labeled its validation images and those of ImageNet (ILSVRC12).

We train a ResNet-50 on the web images with `MAEStar()`, the mean absolute
error matched to the number of classes, or with any other loss of
`keras-noisy`, and measure the accuracy on both validation sets. The recipe
comes from the papers about mini-WebVision, the first 50 classes of Google's
images.

The same script runs on a CPU, a GPU, or several hosts with many GPUs, with
TensorFlow, JAX or PyTorch. A stopped run continues where it was.
`docs/webvision.md` explains how to get the data, and how much memory and time
the training takes.
"""

"""
## Options

`python webvision.py --help` lists the options of the script. In a notebook,
write them into the empty list: `["--data-dir", "webvision"]`.
"""

import argparse
import colorsys
import contextlib
import hashlib
import random
import shlex
import sys
from pathlib import Path

parser = argparse.ArgumentParser(
    description="Train on WebVision, whose labels are partly wrong.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
data = parser.add_mutually_exclusive_group(required=True)
data.add_argument(
    "--data-dir",
    type=Path,
    help="folder with WebVision: the archives, for `folder` unpacked",
)
data.add_argument(
    "--make-sample",
    type=Path,
    metavar="FOLDER",
    help="write a small WebVision of drawings into a new folder, to try on",
)
option(
    "--source",
    choices=["folder", "tfds"],
    default="folder",
    help="read the unpacked images, or those of TensorFlow Datasets",
)
option(
    "--subset",
    choices=["mini", "google", "flickr", "all"],
    default="mini",
    help="training images; `mini` has 50 classes, the others 1000",
)
option(
    "--imagenet-dir",
    type=Path,
    help="validation images of ILSVRC12, to be measured on as well",
)
option(
    "--imagenet-devkit",
    type=Path,
    help="unpacked ILSVRC2012_devkit_t12, if those are in no class folders",
)
option(
    "--loss",
    metavar="LOSS",
    default="MAEStar",
    help="any of keras_noisy.losses.names(), with a star for a calibrated "
    "bias, such as GCE*",
)
option(
    "--fade",
    choices=["cosine", "margin"],
    help="take the calibration back: over all steps, or class by class as "
    "they are learned",
)
option(
    "--network",
    choices=["resnet50", "small"],
    default="resnet50",
    help="`small` is for trials",
)
option("--image-size", type=int, default=224, help="pixels of a side")
option("--epochs", type=int, default=250, help="passes over the training set")
option("--batch-size", type=int, default=512, help="images of a step in all")
option(
    "--accumulate",
    type=int,
    default=1,
    help="parts of a batch, one after the other, where it does not fit",
)
option("--learning-rate", type=float, default=0.4, help="that of epoch 1")
option("--weight-decay", type=float, default=3e-5, help="as in PyTorch")
option(
    "--mixed-precision",
    nargs="?",
    choices=["bfloat16", "float16"],
    const="bfloat16",
    help="compute in half precision; bfloat16 if none is named",
)
option("--distribute", action="store_true", help="train on all GPUs and hosts")
option("--resume", type=Path, help="folder to save in and to go on from")
option(
    "--save-every",
    type=int,
    help="batches between two saves, besides that of each epoch",
)
option("--evaluate-every", type=int, default=10, help="epochs between")
option("--limit", type=int, help="images of each set to use at most")
option("--seed", type=int, default=0, help="seed of the data and of training")
option(
    "--output", type=Path, default="webvision", help="folder of log and model"
)
option(
    "--smoke",
    action="store_true",
    help="a trial in a minute, with other defaults: small network, few images",
)
arguments = [] if "ipykernel" in sys.modules else sys.argv[1:]
options = parser.parse_args(arguments)
if options.smoke:
    parser.set_defaults(
        network="small",
        image_size=32,
        batch_size=16,
        limit=256,
        epochs=2,
        learning_rate=0.1,
        evaluate_every=1,
    )
    options = parser.parse_args(arguments)


@contextlib.contextmanager
def reported(what):
    """End the script with the message of an error in its arguments."""
    try:
        yield
    except ImportError as error:
        parser.error(
            f"{what}: {error}. Install what is missing, such as by "
            'pip install ".[jax,data]"'
        )
    except (AssertionError, OSError, TypeError, ValueError) as error:
        parser.error(f"{what}: {error}")


"""
## A sample

WebVision must be downloaded first. To try the script before that,
`--make-sample` draws a small data set in the official layout. It has the 50
classes of `mini`, each a color and a shape, and a fifth of the training images
have a wrong label.
"""


def drawing(draw, label):
    """A picture of a class, with a random place and size."""
    from PIL import Image, ImageDraw

    color = colorsys.hsv_to_rgb(label // 5 / 10, 0.9, 0.9)
    gray = draw.randrange(60, 200)
    image = Image.new("RGB", (80, 64), (gray, gray, gray))
    middle = draw.uniform(32, 48), draw.uniform(28, 36)
    ImageDraw.Draw(image).regular_polygon(
        (middle, draw.uniform(16, 26)),
        3 + label % 5,
        draw.randrange(360),
        tuple(int(255 * part) for part in color),
    )
    return image


def make_sample(folder):
    """Write lists and images in the layout of the official archives."""
    folder = folder.resolve()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(
            "Expected a new or an empty folder, as nothing is overwritten. "
            f"Received: {folder}, where there are files"
        )
    draw = random.Random(0)
    (folder / "info").mkdir(parents=True)
    lists = {
        "train_filelist_google.txt": ("google/q{:04}/{}.jpg", 12),
        "train_filelist_flickr.txt": ("flickr/q{:04}/{}.jpg", 4),
        "val_filelist.txt": ("val{:04}{:02}.jpg", 2),
    }
    for name, (path, count) in lists.items():
        lines, root = [], folder
        if name.startswith("val"):
            root = folder / "val_images_256"
        for label in range(50):
            for number in range(count):
                image = path.format(label + 1, number + 1)
                lines.append(f"{image} {label}\n")
                shown = label
                if name.startswith("train") and draw.random() < 0.2:
                    shown = draw.randrange(50)
                file = root / image
                file.parent.mkdir(parents=True, exist_ok=True)
                drawing(draw, shown).save(file)
        (folder / "info" / name).write_text("".join(lines))
    (folder / "info" / "synsets.txt").write_text(
        "".join(f"n{number:08} drawing {number}\n" for number in range(1000))
    )


if options.make_sample:
    with reported("--make-sample"):
        make_sample(options.make_sample)
    command = shlex.join(
        ["python", sys.argv[0], "--data-dir", str(options.make_sample)]
    )
    print(
        f"A small WebVision of drawings is in {options.make_sample}. Train on "
        f"it by\n  {command} --smoke --limit 600 --epochs 20"
    )
    sys.exit()

"""
## Setup

Choose the backend with the environment variable `KERAS_BACKEND`. TensorFlow
reads the images for every backend; on the other backends we hide the GPUs from
TensorFlow, as it would take their memory.
"""

with reported("KERAS_BACKEND and packages"):
    import keras
    import numpy as np
    import tensorflow as tf
    from keras import layers

    import keras_noisy
    from keras_noisy import losses
    from keras_noisy.callbacks import Resume
    from keras_noisy.datasets import pipeline
    from keras_noisy.datasets.webvision import WebVisionFolder
    from keras_noisy.distribution import (
        DataParallel,
        data_parallel,
        process_count,
        process_index,
    )
    from keras_noisy.metrics import LabelAccuracy

if keras.backend.backend() != "tensorflow":
    tf.config.set_visible_devices([], "GPU")

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

remembers = options.loss.upper() in ("ELR", "SELC", "SOP")
requirements = {
    "--image-size must be 32 or more": options.image_size >= 32,
    "--epochs must be 1 or more": options.epochs >= 1,
    "--batch-size must be 1 or more": options.batch_size >= 1,
    "--accumulate must be 1 or more, and divide --batch-size": (
        options.accumulate >= 1 and options.batch_size % options.accumulate == 0
    ),
    "--learning-rate must be above 0": options.learning_rate > 0,
    "--weight-decay must be at least 0": options.weight_decay >= 0,
    "--save-every must be 1 or more": (
        options.save_every is None or options.save_every >= 1
    ),
    "--save-every needs --resume and --source folder": (
        options.save_every is None
        or (options.resume is not None and options.source == "folder")
    ),
    "--evaluate-every must be 1 or more": options.evaluate_every >= 1,
    "--limit must be 1 or more": options.limit is None or options.limit >= 1,
    "--seed must be at least 0 and below 2**32": 0 <= options.seed < 2**32,
    "several processes need --distribute": (
        options.distribute or process_count() == 1
    ),
    "--accumulate with --distribute needs JAX or PyTorch": (
        options.accumulate == 1
        or not options.distribute
        or keras.backend.backend() != "tensorflow"
    ),
    f"--loss {options.loss} needs --source folder": (
        not remembers or options.source == "folder"
    ),
    "--imagenet-devkit needs --imagenet-dir": (
        options.imagenet_devkit is None or options.imagenet_dir is not None
    ),
}
for requirement, met in requirements.items():
    if not met:
        parser.error(requirement)
with reported("--output"):
    options.output.mkdir(parents=True, exist_ok=True)
if options.resume:
    with reported("--resume"):
        options.resume.mkdir(parents=True, exist_ok=True)

# A folder goes on with the run that began in it, and not with another one.
free = (
    "data_dir",
    "distribute",
    "epochs",
    "evaluate_every",
    "imagenet_devkit",
    "imagenet_dir",
    "make_sample",
    "output",
    "resume",
    "save_every",
    "source",
)
settings = {k: v for k, v in vars(options).items() if k not in free}
if options.fade == "cosine":  # It ends with the last epoch.
    settings["epochs"] = options.epochs

"""
## The images

`WebVisionFolder` reads the unpacked folder, and `check` leaves out broken
images. `tfds` reads from TensorFlow Datasets, which converts the archives the
first time. The script lists the images left out: every download has a few, but
many, or a whole class, mean that the download is incomplete.
"""


def tell_left_out(split, skipped, count, empty=()):
    """List the images left out of `count`; `empty` are class names."""
    if process_index() > 0:
        return
    if skipped:
        print(f"{split}: {len(skipped)} of {count} images are left out:")
        for name, fault in [*skipped.items()][:5]:
            print(f"  {name}: {fault}")
        if len(skipped) > 5:
            print(f"  and {len(skipped) - 5} more")
    if len(skipped) > 0.01 * count:
        print(
            f"Warning: {len(skipped) / count:.1%} of the {split} images are "
            "missing or broken, which is more than in the official download. "
            "Get the archives again and unpack them anew"
        )
    if empty:
        print(
            f"Warning: classes without any {split} image: {len(empty)}, such "
            f"as {empty[0]!r}. Get the archives again and unpack them anew"
        )


def webvision(split):
    """Images and labels of a split, and the names of the classes."""
    if options.source == "folder":
        folder = WebVisionFolder(options.data_dir, options.subset, split)
        if options.limit is not None:
            folder = folder.sample(options.limit, options.seed)
        images = folder.check()
        listed = range(folder.num_classes)
        if options.limit is not None:
            listed = np.unique(folder.labels)
        empty = [
            folder.class_names[label]
            for label in np.setdiff1d(listed, images.labels)
        ]
        tell_left_out(split, images.skipped, len(folder), empty)
        if len(images) == 0:
            raise ValueError(
                f"Expected an image that can be read among the {len(folder)} "
                f"of {split} in {folder.path}. Received: none. Get the "
                "archives again and unpack them anew"
            )
        return (images.files, images.labels), images.class_names

    import tensorflow_datasets as tfds

    from keras_noisy.datasets.webvision import Webvision

    builder = Webvision(config=options.subset)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=options.data_dir
        )
    )
    count = builder.info.splits[split].num_examples
    for name, told in builder.info.metadata["checksums"].items():
        file = options.data_dir / name
        if file.exists() and name.startswith("info"):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            if digest != told["sha256"]:
                raise ValueError(
                    f"Expected {file} as it was when TensorFlow Datasets "
                    f"converted WebVision into {builder.data_dir}. Received: "
                    "another one. Delete that folder, or set TFDS_DATA_DIR to "
                    "a new one"
                )
    skipped = builder.info.metadata["skipped"][split]
    tell_left_out(split, skipped, count + len(skipped))
    images = builder.as_dataset(
        split=f"{split}[:{min(count, options.limit or count)}]",
        decoders={"image": tfds.decode.SkipDecoding()},
        # All processes read the files in one order, which changes each epoch.
        shuffle_files=split == "train",
        read_config=tfds.ReadConfig(shuffle_seed=options.seed),
    )
    return images, builder.info.features["label"].names


with reported("--data-dir"):
    train, class_names = webvision("train")
    validation = {"webvision": webvision("validation")[0]}
num_classes = len(class_names)

"""
The validation images of ILSVRC12 come in one folder, with the true classes in
the development kit, or sorted into a folder for each class. The kit numbers
the classes in its own order. It shares only the WordNet ids with WebVision,
such as `n01440764`, with which the class names begin.
"""


def imagenet(folder, devkit):
    """Images and labels of ILSVRC12's validation set for our classes."""
    files = folder.rglob("ILSVRC2012_val_*.JPEG")
    files = sorted(files, key=lambda file: file.name)  # as the kit counts
    classes = [file.parent.name for file in files]
    if devkit is not None:
        from scipy.io import loadmat

        data = devkit / "data"
        with open(data / "meta.mat", "rb") as file:
            synsets = loadmat(file, squeeze_me=True)["synsets"]
        names = dict(
            zip(synsets["ILSVRC2012_ID"], synsets["WNID"], strict=True)
        )
        truth = data / "ILSVRC2012_validation_ground_truth.txt"
        classes = [names[int(line)] for line in truth.read_text().split()]
    if len(files) != len(classes):
        parser.error(
            f"--imagenet-dir has {len(files)} images ILSVRC2012_val_*.JPEG, "
            f"--imagenet-devkit the classes of {len(classes)}"
        )
    label_of = {name.split()[0]: i for i, name in enumerate(class_names)}
    found = [
        (str(file), label_of[name])
        for file, name in zip(files, classes, strict=True)
        if name in label_of
    ]
    if not found:
        parser.error(
            "--imagenet-dir has no images ILSVRC2012_val_*.JPEG in folders "
            f"such as {class_names[0].split()[0]}. If all of them are in one "
            "folder, pass --imagenet-devkit"
        )
    draw = np.random.default_rng(options.seed).permutation(len(found))
    found = [found[i] for i in np.sort(draw[: options.limit])]
    return tuple(map(np.array, zip(*found, strict=True)))


if options.imagenet_dir is not None:
    with reported("--imagenet-dir"):
        validation["ilsvrc12"] = imagenet(
            options.imagenet_dir, options.imagenet_devkit
        )

"""
## The loss

Most losses need only the number of classes. `ELR`, `SELC` and `SOP` remember
each training sample, so its index stands next to its label.
"""

of_loss = {"num_classes": num_classes, "from_logits": True}
if options.fade == "cosine":
    samples = len(train if options.source == "tfds" else train[1])
    steps = options.epochs * options.accumulate * samples // options.batch_size
    of_loss["fade"] = keras.optimizers.schedules.CosineDecay(1.0, steps)
elif options.fade:
    of_loss["fade"] = options.fade
if remembers:
    of_loss["num_samples"] = len(train[1])
    train = train[0], losses.with_index(train[1])
with reported("--loss"):
    loss = losses.get(options.loss, **of_loss)
if getattr(loss, "views", 1) > 1:
    parser.error(f"--loss {options.loss} needs several views of each image")
if options.fade and not loss.automatic_arguments():
    parser.error("--fade needs a calibrated --loss, such as MAEStar or GCE*")

"""
## The network

We use ResNet-50 with random weights, as in the papers: weights from ImageNet
would have seen clean labels. `small` is for trials. The last layer outputs
logits in float32, whatever the precision of the others. `loss.connect` passes
them through the layer that holds the state of the loss, if there is one.
"""

if options.mixed_precision:
    keras.config.set_dtype_policy(f"mixed_{options.mixed_precision}")
keras.utils.set_random_seed(options.seed)


def build_model():
    """The network, with new weights."""
    inputs = keras.Input((options.image_size, options.image_size, 3))
    if options.network == "resnet50":
        network = keras.applications.ResNet50(
            include_top=False, weights=None, input_tensor=inputs, pooling="avg"
        )
        x = network.output
    else:
        x = inputs
        for filters in (16, 32, 64):
            x = layers.Conv2D(filters, 3, 2, "same", activation="relu")(x)
        x = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, loss.connect(logits))


def top5(y_true, y_pred):
    """Whether the label is among the five most probable classes."""
    labels = keras.ops.reshape(y_true, (keras.ops.shape(y_true)[0], -1))
    return keras.metrics.sparse_top_k_categorical_accuracy(
        labels[:, 0], y_pred, k=5
    )


momentum = 0.9


def build_optimizer():
    """SGD with the recipe of the papers."""
    return keras.optimizers.SGD(
        options.learning_rate,
        momentum=momentum,
        nesterov=True,
        # The papers use PyTorch, where the decay goes through the momentum,
        # which multiplies it. Keras takes it from the weights directly.
        weight_decay=options.weight_decay / (1 - momentum),
        global_clipnorm=5.0,
        gradient_accumulation_steps=(
            options.accumulate if options.accumulate > 1 else None
        ),
    )


"""
## Training

The batch size counts all GPUs together. If a batch does not fit into memory,
`--accumulate 4` computes it in four parts and takes one step with their mean
gradient, clipped as a whole. It is the same step, except that batch
normalization sees the parts, and updates its averages with each part.

A stopped run continues with the batch after the last saved one. TensorFlow
Datasets cannot begin within an epoch or repeat its order: there the run
continues with the next epoch, in another order and with other crops.

After every tenth epoch and after the last one we measure on both validation
sets. `log.csv` has a line for each epoch. All devices take part, so their
number must divide the images: some images are measured twice, with weight 0.
"""


def evaluation_batches(images, reading):
    """Batches of all images; images of weight 0 fill the last one."""
    if isinstance(images, tf.data.Dataset):
        missing = -int(images.cardinality()) % parallel.num_devices
        filling = (
            images.repeat()
            .take(missing)
            .map(lambda sample: {**sample, "label": tf.constant(-1, tf.int64)})
        )
        images = images.concatenate(filling)
    else:
        files, labels = images
        missing = -len(files) % parallel.num_devices
        files = np.concatenate([files, np.resize(files, missing)])
        images = files, np.concatenate([labels, np.full(missing, -1)])
    return pipeline(images, **reading).map(
        lambda x, y: (x, tf.maximum(y, 0), tf.cast(y >= 0, tf.float32))
    )


class Validation(keras.callbacks.Callback):
    """Adds the accuracy on the validation sets to the logs."""

    def measure(self):
        """Top-1 and top-5 accuracy on each of the sets."""
        self.accuracies = {}
        for name, batches in validation_batches.items():
            logs = parallel.evaluate(
                model, batches, return_dict=True, verbose=0
            )
            for metric in ("top1", "top5"):
                self.accuracies[f"val_{name}_{metric}"] = logs[metric]
        return self.accuracies

    def on_epoch_end(self, epoch, logs=None):
        """Measure if it is time; other epochs have NaN in the log."""
        last = epoch + 1 == options.epochs
        if last or (epoch + 1) % options.evaluate_every == 0:
            logs.update(self.measure())
        else:
            for name in validation:
                for metric in ("top1", "top5"):
                    logs[f"val_{name}_{metric}"] = float("nan")


devices = contextlib.nullcontext(DataParallel(num_devices=1))
if options.distribute:
    devices = data_parallel()
with devices as parallel:
    model = build_model()
    model.compile(
        optimizer=build_optimizer(),
        loss=loss,
        weighted_metrics=[LabelAccuracy("top1"), top5],
    )

    resume, first_epoch, start = None, 0, (0, 0)
    if options.resume:
        save_freq = options.save_every or "epoch"
        with reported("--resume"):
            resume = Resume(options.resume, save_freq, settings)
        first_epoch = resume.initial_epoch
    seed = options.seed
    if resume and options.source == "folder":
        start = resume.start
    elif resume:
        seed += first_epoch  # or the crops of the first epochs would repeat
    with reported("--batch-size"):
        reading = {
            "batch_size": parallel.batch_size(
                options.batch_size // options.accumulate
            ),
            "image_size": options.image_size,
            "augment": "webvision",
            "shard": parallel.shard,
        }
        train_batches = pipeline(
            train, training=True, seed=seed, start=start, **reading
        )
        validation_batches = {
            name: evaluation_batches(images, reading)
            for name, images in validation.items()
        }

    measured = Validation()
    callbacks = [
        keras.callbacks.LearningRateScheduler(
            lambda epoch: options.learning_rate * 0.97**epoch
        ),
        measured,
    ]
    if parallel.is_chief:
        log = options.output / "log.csv"
        if first_epoch and log.exists():
            # An epoch that stopped before it was saved is repeated.
            lines = log.read_text().splitlines(keepends=True)
            had = "val_ilsvrc12_top1" in "".join(lines[:1])
            goes_on = lines and first_epoch < options.epochs
            if goes_on and had != ("ilsvrc12" in validation):
                parser.error(
                    "--imagenet-dir must be given to the log in --output from "
                    "its start, or not at all. Pass a new --output"
                )
            log.write_text("".join(lines[: 1 + first_epoch]))
        callbacks.append(keras.callbacks.CSVLogger(log, append=first_epoch > 0))
    if resume:
        callbacks.append(resume)
    parallel.fit(
        model,
        train_batches,
        epochs=options.epochs,
        initial_epoch=first_epoch,
        shuffle=False,  # the pipeline shuffles already
        callbacks=callbacks,
        verbose="auto" if parallel.is_chief else 0,
    )
    if first_epoch >= options.epochs:
        measured.measure()

"""
## Results

Top-1 is the share of images whose label is the most probable class; top-5 is
the share whose label is among the five most probable classes.
"""

if parallel.is_chief:
    # Save without the loss and its state, so that Keras alone can load it.
    trained = keras.Model(model.inputs, model.get_layer("logits").output)
    trained.save(options.output / "model.keras")
    print("validation set |  top-1 |  top-5")
    print("---------------|--------|-------")
    for name in validation:
        first, five = (
            measured.accuracies[f"val_{name}_{metric}"]
            for metric in ("top1", "top5")
        )
        print(f"{name:14} | {first:6.2%} | {five:6.2%}")
    print(f"The model and the accuracies by epoch are in {options.output}")
