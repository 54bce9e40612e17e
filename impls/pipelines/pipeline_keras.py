"""The input pipeline in Keras, on any backend: a PyDataset, decoded by Pillow, with a thread for each worker.

Batches are taken from where fit takes them on each backend: Keras has no public way to iterate over a PyDataset with
its workers. They are threads and not processes (`use_multiprocessing`): forked processes would hand each batch over
through a pipe, pickled, which costs more than it gains, and JAX warns of forks beside its own threads. Pillow and NumPy
let other threads run while they work.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter
from PIL import Image

from impls.frameworks.keras import engine
from impls.pipelines import spec
from impls.pipelines.spec import BATCH_SIZE, IMAGE_SIZE, Pass

CHANNELS_FIRST = keras.config.image_data_format() == "channels_first"
# Channels last: as long as a row of the image, for NumPy would broadcast one of three channels pixel by pixel, in ten
# times the time.
MEAN, DEVIATION = (
    values[:, None, None] if CHANNELS_FIRST else np.tile(values, (IMAGE_SIZE, 1))
    for values in (spec.MEAN, spec.DEVIATION)
)
SOURCE = {"tensorflow": "get_tf_dataset", "torch": "get_torch_dataloader", "jax": "get_jax_iterator"}
note = getattr(engine, "note", lambda images: images)  # JAX waits for values, not for devices


class Images(keras.utils.PyDataset):
    """The images of a pass, batch by batch."""

    def __init__(self, images: Pass, **options: Any) -> None:
        super().__init__(**options)
        self.images = images

    def __len__(self) -> int:
        return self.images.batches

    def __getitem__(self, batch: int) -> tuple[np.ndarray]:
        chosen = range(batch * BATCH_SIZE, (batch + 1) * BATCH_SIZE)
        return (np.stack([read(*self.images.row(image)) for image in chosen]),)


def read(path: str, top: int, left: int, flip: bool) -> np.ndarray:
    """One image in Keras' image data format, float32."""
    image = keras.utils.load_img(path).crop((left, top, left + IMAGE_SIZE, top + IMAGE_SIZE))
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.ascontiguousarray(keras.utils.img_to_array(image, dtype="float32"))
    pixels -= MEAN
    pixels /= DEVIATION
    return pixels


def build(images: Pass, workers: int) -> PyDatasetAdapter:
    """The pipeline; its threads end with each pass."""
    return PyDatasetAdapter(Images(images, workers=workers))


def batches(pipeline: PyDatasetAdapter) -> Iterator[Any]:
    """One pass: batches on the device, in Keras' image data format."""
    pipeline.on_epoch_begin()
    source = iter(getattr(pipeline, SOURCE[keras.backend.backend()])())
    try:
        for _ in range(pipeline.num_batches):
            (images,) = next(source)
            yield note(keras.ops.convert_to_tensor(images))
    finally:
        pipeline.on_epoch_end()


def to_numpy(images: Any) -> np.ndarray:
    """A batch as NumPy, (BATCH_SIZE, IMAGE_SIZE, IMAGE_SIZE, 3)."""
    array = keras.ops.convert_to_numpy(images)
    return np.moveaxis(array, 1, -1) if CHANNELS_FIRST else array
