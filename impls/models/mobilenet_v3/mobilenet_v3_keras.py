"""MobileNetV3 in Keras, on any backend. The facts stand in spec.py."""

import keras
from keras import KerasTensor, layers, ops

from impls.frameworks.layers_keras import channel_axis, conv, conv_norm, dense, global_average_pool, image_input
from impls.models.mobilenet_v3 import spec


def hard_sigmoid(x: KerasTensor) -> KerasTensor:
    """From 0 at -3 to 1 at 3, constant outside."""
    if x.dtype == "float64":  # PyTorch's kernels have 1/6 in single precision only: wrong from the 8th digit on
        return ops.relu6(x + 3) / 6
    return layers.Activation("hard_sigmoid")(x)


def hard_swish(x: KerasTensor) -> KerasTensor:
    """x relu6(x + 3) / 6."""
    if x.dtype == "float64":
        return x * hard_sigmoid(x)
    return layers.Activation("hard_silu")(x)


def squeeze_excite(x: KerasTensor, name: str, squeezed: int) -> KerasTensor:
    """Each channel times a gate that is computed from the means of all of them."""
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.ReLU()(conv(gate, f"{name}.reduce", squeezed))
    gate = conv(gate, f"{name}.expand", x.shape[channel_axis()])
    return layers.Multiply()([x, hard_sigmoid(gate)])


def inverted_residual(x: KerasTensor, block: spec.Block) -> KerasTensor:
    """1x1 up, depthwise, squeeze-and-excite, linear 1x1 down; added to the input where the shapes agree."""
    name, y = block.name, x
    activation = hard_swish if block.hard_swish else layers.ReLU()
    if block.hidden != block.in_channels:
        y = activation(conv_norm(x, f"{name}.widen", block.hidden, norm=spec.BATCH_NORM))
    y = conv_norm(
        y, f"{name}.depthwise", block.hidden, block.kernel_size, block.stride, block.hidden, norm=spec.BATCH_NORM
    )
    y = activation(y)
    y = squeeze_excite(y, f"{name}.squeeze", block.squeezed) if block.squeezed else y
    y = conv_norm(y, f"{name}.project", block.out_channels, norm=spec.BATCH_NORM)
    return layers.Add()([x, y]) if block.residual else y


def mobilenet_v3(variant: spec.MobileNetV3, num_classes: int) -> keras.Model:
    """Images -> logits (N, num_classes)."""
    images = image_input()
    x = hard_swish(conv_norm(images, "stem", variant.stem, 3, stride=2, norm=spec.BATCH_NORM))
    for block in variant.blocks:
        x = inverted_residual(x, block)
    x = hard_swish(conv_norm(x, "head", variant.head, norm=spec.BATCH_NORM))
    x = hard_swish(dense(global_average_pool(x), "penultimate", variant.penultimate))
    return keras.Model(images, dense(x, "classifier", num_classes))


def build(variant: spec.MobileNetV3, num_classes: int) -> keras.Model:
    """The network, its convolutions and dense layers zero."""
    return mobilenet_v3(variant, num_classes)
