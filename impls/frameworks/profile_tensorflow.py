"""What TensorFlow's own profiler says of a forward pass: the time of each operation, and whose layer it is."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

# Operations that have a layer's weight, which is their second input.
LAYERS = ("Conv2D", "DepthwiseConv2dNative", "MatMul", "Conv2DBackpropInput")
# What follows a layer and is part of it: its batch norm, bias and activation. Fused, they have the last one's name.
PADDING = "Pad"
FOLLOWERS = ("FusedBatchNormV3", "BiasAdd", "Relu", "Relu6", "LeakyRelu")


def profile(program: Any, inputs: tuple[tf.Tensor, ...], calls: int) -> list[dict[str, Any]]:
    """Each operation of a call of predict: its name, its mean seconds and, if it belongs to a layer, that one's shapes.

    "input": (N, *spatial, C), "weight": canonical. Raises ValueError for a mode in which operations have no names.
    """
    if program.mode != "graph":
        raise ValueError("TensorFlow's profiler tells layers apart in mode graph only: eager has no names, XLA fuses")
    graph = program._forward.get_concrete_function(*inputs).graph
    operations = {operation.name: operation for operation in graph.get_operations()}
    with tempfile.TemporaryDirectory(prefix="evenbench-") as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(calls):
            program.predict(*inputs)
        tf.profiler.experimental.stop()
        seconds: dict[tuple[str, str], float] = {}
        for name, kind, duration in _events(Path(folder)):
            if name in operations:
                seconds[name, kind] = seconds.get((name, kind), 0.0) + duration / calls
    return [
        {"name": kind, "seconds": duration, **_layer_of(operations[name])} for (name, kind), duration in seconds.items()
    ]


def _events(folder: Path) -> Iterator[tuple[str, str, float]]:
    """(name of the operation, its type, seconds) of everything that ran on the host or on a device."""
    for path in folder.rglob("*.xplane.pb"):
        space = xplane_pb2.XSpace()
        space.ParseFromString(path.read_bytes())
        for plane in space.planes:
            for event in (event for line in plane.lines for event in line.events):
                name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                yield name, kind, event.duration_ps / 1e12


def _layer_of(operation: tf.Operation) -> dict[str, Any]:
    """The shapes of the layer that an operation belongs to, none if it belongs to none."""
    if operation.type == PADDING:  # of what comes next
        (operation, *_) = operation.outputs[0].consumers()
    while operation.type in FOLLOWERS:
        operation = operation.inputs[0].op
    if operation.type not in LAYERS:
        return {}
    weight = operation.inputs[1].shape.as_list()
    *kernel_size, channels_in, channels_out = weight
    x = operation.inputs[0]
    x = x.op.inputs[0] if x.op.type == PADDING else x
    if operation.type == "Conv2DBackpropInput":  # the transposed convolution: shape, weight HWOI, input
        return {"input": operation.inputs[2].shape.as_list(), "weight": [channels_out, channels_in, *kernel_size]}
    if operation.type == "DepthwiseConv2dNative":
        return {"input": x.shape.as_list(), "weight": [channels_in, channels_out, *kernel_size]}
    return {"input": x.shape.as_list(), "weight": [channels_out, channels_in, *kernel_size]}
