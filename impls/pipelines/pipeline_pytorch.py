"""The input pipeline in PyTorch: a Dataset, decoded by Pillow, and a DataLoader with a process for each worker."""

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from impls.frameworks.pytorch import device
from impls.pipelines import spec
from impls.pipelines.spec import BATCH_SIZE, IMAGE_SIZE, Pass

MEAN, DEVIATION = (torch.from_numpy(values).view(3, 1, 1) for values in (spec.MEAN, spec.DEVIATION))


class Images(Dataset):
    """The images of a pass."""

    def __init__(self, images: Pass) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images.paths)

    def __getitem__(self, image: int) -> Tensor:
        return read(*self.images.row(image))


def read(path: str, top: int, left: int, flip: bool) -> Tensor:
    """One image, (3, IMAGE_SIZE, IMAGE_SIZE) float32."""
    image = Image.open(path).convert("RGB").crop((left, top, left + IMAGE_SIZE, top + IMAGE_SIZE))
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    # Channels come first while a pixel is still one byte: that is a quarter of the memory to move.
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
    return pixels.float().sub_(MEAN).div_(DEVIATION)


def build(images: Pass, workers: int) -> DataLoader:
    """The pipeline; its worker processes stay from one pass to the next, and end with it."""
    return DataLoader(
        Images(images),
        BATCH_SIZE,
        num_workers=workers,
        persistent_workers=True,
        pin_memory=torch.cuda.is_available(),
    )


def batches(pipeline: DataLoader) -> Iterator[Tensor]:
    """One pass: batches on the device, (BATCH_SIZE, 3, IMAGE_SIZE, IMAGE_SIZE)."""
    for images in pipeline:
        yield images.to(device(), non_blocking=True)


def to_numpy(images: Tensor) -> np.ndarray:
    """A batch as NumPy, (BATCH_SIZE, IMAGE_SIZE, IMAGE_SIZE, 3)."""
    return images.permute(0, 2, 3, 1).cpu().numpy()
