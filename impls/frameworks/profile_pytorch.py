"""What PyTorch's own profiler says of a forward pass: the time of each operation, and the layer that it belongs to."""

from typing import Any

import torch
from torch.profiler import ProfilerActivity

# Operations that have a layer's weight, which is their second input.
LAYERS = ("conv2d", "conv_transpose2d", "convolution", "linear")
# What follows a layer and is part of it: its batch norm and its activation.
FOLLOWERS = ("batch_norm", "relu", "relu_", "relu6", "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "hardswish")


def profile(program: Any, inputs: tuple[torch.Tensor, ...], calls: int) -> list[dict[str, Any]]:
    """Each operation of a call of predict: its name, its mean seconds and, if it belongs to a layer, that one's shapes.

    "input": (N, *spatial, C), "weight": canonical. Raises ValueError if the calls did not run the same operations.
    """
    on_gpu = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA] if on_gpu else [ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, record_shapes=True) as profiler:
        for _ in range(calls):
            program.predict(*inputs)
    events = sorted(
        (event for event in profiler.events() if event.cpu_parent is None and event.name.startswith("aten::")),
        key=lambda event: event.time_range.start,
    )
    length, rest = divmod(len(events), calls)
    if rest or any(event.name != events[n % length].name for n, event in enumerate(events)):
        raise ValueError("the profiler saw other operations in one call than in another")
    found: list[dict[str, Any]] = []
    layer: dict[str, Any] = {}
    for n in range(length):
        event, name = events[n], events[n].name.removeprefix("aten::")
        times = [one.device_time_total if on_gpu else one.cpu_time_total for one in events[n::length]]
        if name in LAYERS:
            images, channels, *spatial = event.input_shapes[0]
            layer = {"input": [images, *spatial, channels], "weight": event.input_shapes[1]}
        elif name not in FOLLOWERS:
            layer = {}  # an activation behind a sum is not the layer's before it
        found.append({"name": name, "seconds": sum(times) / calls / 1e6, **layer})
    return found
