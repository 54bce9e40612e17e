"""What PyTorch sees: asked by hwprobe.devices, in a process of its own."""

import torch

from hwprobe.devices import Answer


def answer() -> Answer:
    """The devices - ROCm's are called cuda, too - and the first GPU's name and the largest one's memory in bytes."""
    gpus = [(f"cuda:{i}", torch.cuda.get_device_properties(i)) for i in range(torch.cuda.device_count())]
    gpus += [(f"xpu:{i}", torch.xpu.get_device_properties(i)) for i in range(torch.xpu.device_count())]
    memory = [gpu.total_memory for _, gpu in gpus]
    names = [gpu.name for _, gpu in gpus]
    devices = ["cpu", *(device for device, _ in gpus)]
    if torch.backends.mps.is_available():
        devices.append("mps")
        memory.append(torch.mps.recommended_max_memory())  # of the RAM, which the GPU shares
    return {
        "devices": devices,
        "gpu_name": names[0] if names else None,
        "gpu_memory": max(memory, default=None),
    }
