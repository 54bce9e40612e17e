"""What JAX sees: asked by hwprobe.devices, in a process of its own."""

import os

os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # else asking would take three quarters of the GPU's memory

import jax

from hwprobe.devices import Answer


def answer() -> Answer:
    """The devices and the first GPU's name; of its memory JAX tells only what it would take."""
    gpus = [device for device in jax.devices() if device.platform != "cpu"]
    kind = "cuda" if gpus and "cuda" in gpus[0].client.platform_version.lower() else "gpu"
    return {
        "devices": ["cpu", *(f"{kind}:{gpu.id}" for gpu in gpus)],
        "gpu_name": gpus[0].device_kind if gpus else None,
        "gpu_memory": None,
    }
