"""keras.applications' models, on any backend."""

import keras


def build(public: tuple[str, str], num_classes: int, image_size: int) -> keras.Model:
    """The public model, which gives logits; its image size is fixed, as keras.applications' usage has it."""
    _, name = public
    shape = (image_size, image_size, 3)
    if keras.config.image_data_format() == "channels_first":
        shape = (3, image_size, image_size)
    # Dropout is off, as it is in ours, and the input is not transformed.
    options = {"MobileNet": {"dropout": 0.0}}.get(name, {})
    if name.startswith("MobileNetV3"):
        options = {"dropout_rate": 0.0, "include_preprocessing": False}
    return getattr(keras.applications, name)(
        input_shape=shape, weights=None, classes=num_classes, classifier_activation=None, **options
    )
