"""Multiply-accumulates of a TensorFlow graph, counted operation by operation."""

from math import prod

import tensorflow as tf


def count(graph: tf.Graph) -> list[int]:
    """MACs of each convolution and matrix product in a graph of static shapes, functions called in it included.

    Raises ValueError for an operation whose shape the graph does not know.
    """
    return [macs for operation in graph.get_operations() for macs in _macs(operation, graph)]


def _macs(operation: tf.Operation, graph: tf.Graph) -> list[int]:
    if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
        return count(graph._get_function(operation.get_attr("f").name).graph)
    if operation.type in ("Conv2D", "Conv3D", "DepthwiseConv2dNative"):
        kernel = operation.inputs[1].shape.as_list()
        taps = prod(kernel[:2] if operation.type == "DepthwiseConv2dNative" else kernel[:-1])
        return [_size(operation.outputs[0]) * taps]
    if operation.type == "Conv2DBackpropInput":  # the transposed convolution
        return [_size(operation.inputs[2]) * prod(operation.inputs[1].shape.as_list()[:3])]
    if operation.type in ("MatMul", "BatchMatMulV2"):
        return [_size(operation.outputs[0]) * operation.inputs[0].shape.as_list()[-1]]
    return []


def _size(tensor: tf.Tensor) -> int:
    shape = tensor.shape.as_list()
    if None in shape:
        raise ValueError(f"the shape of {tensor.name} is not static: {shape}")
    return prod(shape)
