"""Kernels of Keras on its backend torch: run as PyTorch's own are, with weights laid out as Keras has them."""

from functools import partial

from impls.frameworks import kernels_pytorch

Kernel = partial(kernels_pytorch.Kernel, channels_last=True)
