"""What TensorFlow sees: asked by hwprobe.devices, in a process of its own."""

import tensorflow as tf

from hwprobe.devices import Answer


def answer() -> Answer:
    """The devices and the first GPU's name; TensorFlow tells no device's memory before it takes it."""
    gpus = tf.config.list_physical_devices("GPU")
    kind = "cuda" if tf.sysconfig.get_build_info().get("is_cuda_build") else "gpu"
    details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
    return {
        "devices": ["cpu", *(f"{kind}:{number}" for number in range(len(gpus)))],
        "gpu_name": details.get("device_name"),
        "gpu_memory": None,
    }
