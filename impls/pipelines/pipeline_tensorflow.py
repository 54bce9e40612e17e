"""The input pipeline in TensorFlow: tf.data, decoded by tf.io, in a pool of a thread for each worker."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import tensorflow as tf

from impls.pipelines import spec
from impls.pipelines.spec import BATCH_SIZE, IMAGE_SIZE, Pass

# As long as a row of the image: one of three channels would be broadcast pixel by pixel, in five times the time.
MEAN, DEVIATION = (np.tile(values, (IMAGE_SIZE, 1)) for values in (spec.MEAN, spec.DEVIATION))
DECODE = {
    # The default is a faster and less exact cosine transform than the one of libjpeg, which Pillow uses.
    "jpeg": partial(tf.io.decode_jpeg, channels=3, dct_method="INTEGER_ACCURATE"),
    "png": partial(tf.io.decode_png, channels=3),
}


def read(path: tf.Tensor, top: tf.Tensor, left: tf.Tensor, flip: tf.Tensor, format: str) -> tf.Tensor:
    """One image, (IMAGE_SIZE, IMAGE_SIZE, 3) float32."""
    image = DECODE[format](tf.io.read_file(path))
    image = tf.slice(image, [top, left, 0], [IMAGE_SIZE, IMAGE_SIZE, 3])
    image = tf.cond(flip, lambda: tf.reverse(image, [1]), lambda: image)
    return (tf.cast(image, tf.float32) - MEAN) / DEVIATION


def build(images: Pass, workers: int) -> tf.data.Dataset:
    """The pipeline; the threads are its own, for configure leaves TensorFlow's pool between operations one thread."""
    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = workers
    dataset = tf.data.Dataset.from_tensor_slices((images.paths, images.tops, images.lefts, images.flips))
    dataset = dataset.map(partial(read, format=images.format), num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE).with_options(options)


def batches(pipeline: tf.data.Dataset) -> Iterator[tf.Tensor]:
    """One pass: batches on the device, (BATCH_SIZE, IMAGE_SIZE, IMAGE_SIZE, 3)."""
    for images in pipeline:
        yield tf.identity(images)  # a copy where there is a GPU, none elsewhere


def to_numpy(images: tf.Tensor) -> np.ndarray:
    """A batch as NumPy, (BATCH_SIZE, IMAGE_SIZE, IMAGE_SIZE, 3)."""
    return images.numpy()
