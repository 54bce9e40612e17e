"""Multiply-accumulates of a TensorFlow graph, counted operation by operation."""

from math import prod

import tensorflow as tf


def count(graph: tf.Graph) -> int:
    """MACs of every convolution and matrix product in a graph of static shapes, functions called in it included.

    Raises ValueError for an operation whose shape the graph does not know.
    """
    return sum(_macs(operation, graph) for operation in graph.get_operations())


def _macs(operation: tf.Operation, graph: tf.Graph) -> int:
    if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
        return count(graph._get_function(operation.get_attr("f").name).graph)
    if operation.type in ("Conv2D", "DepthwiseConv2dNative"):
        kernel = operation.inputs[1].shape.as_list()
        if operation.type == "DepthwiseConv2dNative":
            return _size(operation.outputs[0]) * kernel[0] * kernel[1]
        return _size(operation.outputs[0]) * kernel[0] * kernel[1] * kernel[2]
    if operation.type == "Conv2DBackpropInput":  # the transposed convolution
        kernel = operation.inputs[1].shape.as_list()
        return _size(operation.inputs[2]) * kernel[0] * kernel[1] * kernel[2]
    if operation.type in ("MatMul", "BatchMatMulV2"):
        return _size(operation.outputs[0]) * operation.inputs[0].shape.as_list()[-1]
    return 0


def _size(tensor: tf.Tensor) -> int:
    shape = tensor.shape.as_list()
    if None in shape:
        raise ValueError(f"the shape of {tensor.name} is not static: {shape}")
    return prod(shape)
