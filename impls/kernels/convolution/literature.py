"""Convolutions by their names: those of the classics, and one of each kind. A case is one line."""

from impls.kernels.convolution.cases import Case, conv, depthwise, transposed

CASES: dict[str, Case] = {
    # LeNet-5 (LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition", figure 2), every map
    # joined to every other.
    "conv2d-lenet5-1": conv(1, 6, 32, 5),
    "conv2d-lenet5-3": conv(6, 16, 14, 5),
    "conv2d-lenet5-5": conv(16, 120, 5, 5),
    # AlexNet (Krizhevsky et al. 2012, "ImageNet Classification with Deep Convolutional Neural Networks", section 3.5),
    # on one GPU, without its two groups; its images are 227 px.
    "conv2d-11x11-stride4": conv(3, 96, 227, 11, 4),
    "conv2d-5x5": conv(96, 256, 27, 5, padding=2),
    "conv2d-alexnet-3": conv(256, 384, 13, 3, padding=1),
    "conv2d-alexnet-4": conv(384, 384, 13, 3, padding=1),
    "conv2d-alexnet-5": conv(384, 256, 13, 3, padding=1),
    # VGG-16 (Simonyan & Zisserman 2014, "Very Deep Convolutional Networks", table 1, column D): its distinct layers.
    "conv2d-vgg16-1_1": conv(3, 64, 224, 3, padding=1),
    "conv2d-vgg16-1_2": conv(64, 64, 224, 3, padding=1),
    "conv2d-vgg16-2_1": conv(64, 128, 112, 3, padding=1),
    "conv2d-vgg16-2_2": conv(128, 128, 112, 3, padding=1),
    "conv2d-vgg16-3_1": conv(128, 256, 56, 3, padding=1),
    "conv2d-vgg16-3_2": conv(256, 256, 56, 3, padding=1),
    "conv2d-vgg16-4_1": conv(256, 512, 28, 3, padding=1),
    "conv2d-vgg16-4_2": conv(512, 512, 28, 3, padding=1),
    "conv2d-vgg16-5": conv(512, 512, 14, 3, padding=1),
    # One of each kind, from the suite's models unless another is named.
    "conv2d-7x7-stride2": conv(3, 64, 224, 7, 2, 3),  # ResNet-50, stem
    "conv2d-3x3": conv(128, 128, 28, 3, padding=1),  # ResNet-50, stage 2
    "conv2d-3x3-256": conv(256, 256, 14, 3, padding=1),  # ResNet-50, stage 3
    "conv2d-3x3-stride2": conv(128, 128, 56, 3, 2, 1),  # ResNet-50 v1.5, entry of stage 2; SAME is another padding here
    "conv2d-3x3-stride2-odd": conv(64, 64, 57, 3, 2, 1),  # and here, at an odd size, it is the same
    "conv2d-1x1": conv(256, 64, 56, 1),  # ResNet-50, stage 1
    "conv2d-1x1-stride2": conv(256, 512, 56, 1, 2),  # ResNet-50, shortcut of stage 2
    "conv2d-1x7": conv(128, 128, 17, (1, 7), padding=(0, 3)),  # InceptionV3, 17 x 17 modules
    "conv2d-dilated-3x3": conv(128, 128, 28, 3, padding=2, dilation=2),  # DeepLab's way of keeping the size
    "conv2d-grouped-3x3": conv(128, 128, 56, 3, padding=1, groups=32),  # ResNeXt-50 32x4d, stage 1
    "depthwise_conv2d-3x3": depthwise(144, 56, 3),  # MobileNetV2, stage 2
    "depthwise_conv2d-3x3-stride2": depthwise(144, 56, 3, 2),  # MobileNetV2, entry of stage 3
    "depthwise_conv2d-5x5": depthwise(120, 28, 5),  # MobileNetV3-Large
    "conv_transpose2d-2x2": transposed(128, 64, 28, 2),  # U-Net, way up
    "conv_transpose2d-4x4": transposed(256, 128, 8, 4, 1),  # DCGAN (Radford et al. 2015, figure 1)
    # wav2vec 2.0 (Baevski et al. 2020, section 4.2), feature encoder, second layer; one second at 16 kHz.
    "conv1d-wav2vec2": conv(512, 512, 3199, 3, 2, rank=1),
    # WaveNet (van den Oord et al. 2016, section 2.1), a dilated layer, here centred.
    "conv1d-wavenet": conv(64, 64, 4096, 3, padding=8, rank=1, dilation=8),
    # C3D (Tran et al. 2015, "Learning Spatiotemporal Features with 3D Convolutional Networks", figure 3): conv3, conv5.
    "conv3d-c3d-3": conv(128, 256, (8, 28, 28), 3, padding=1, rank=3),
    "conv3d-c3d-5": conv(512, 512, (2, 7, 7), 3, padding=1, rank=3),
}
