"""Sweeps: one convolution, of which one figure is varied at a time."""

from collections.abc import Iterator
from dataclasses import replace

from impls.kernels.convolution.cases import Case, conv

BASE = conv(64, 64, 56, 3, padding=1)  # ResNet-50, stage 1
KERNEL_SIZES = (1, 3, 5, 7, 11)
CHANNELS = (16, 32, 64, 128, 256, 512)
IMAGE_SIZES = (7, 14, 28, 56, 112)
BATCH_SIZES = (1, 2, 4, 8, 16)
STRIDES = (1, 2, 3, 4)
DILATIONS = (1, 2, 4, 8)
GROUPS = (1, 2, 4, 8, 16, 32, 64)


def cases() -> Iterator[Case]:
    """The base with each figure of each sweep; the padding keeps the size at stride 1."""
    for size in KERNEL_SIZES:
        yield replace(BASE, kernel_size=(size, size), padding=(size // 2, size // 2))
    for channels in CHANNELS:
        yield replace(BASE, in_channels=channels, out_channels=channels)
    for size in IMAGE_SIZES:
        yield replace(BASE, image_size=(size, size))
    for batch_size in BATCH_SIZES:
        yield replace(BASE, batch_size=batch_size)
    for stride in STRIDES:
        yield replace(BASE, stride=(stride, stride))
    for dilation in DILATIONS:
        yield replace(BASE, dilation=dilation, padding=(dilation, dilation))
    for groups in GROUPS:
        yield replace(BASE, groups=groups)
