"""`evenbench run-model`: one program on the user's own input, so that anyone can check it from outside."""

from pathlib import Path

import numpy as np

import impls
from impls.optimizer import Adam
from impls.tasks import detection
from suites.choices import check_installed, mode_of, one_of
from suites.files import write_npz

OPTIMIZER = Adam()


def run(
    workload: str,
    framework: str,
    mode: str,
    precision: str,
    images: Path,
    weights: Path | None,
    targets: Path | None,
    gradients: bool,
    num_classes: int | None,
    width: float,
    out: Path,
) -> list[str]:
    """Write what comes out of the network (and the gradients of its loss) as .npz; the names that were written.

    Raises ValueError, one line, for what does not fit; OSError for files that cannot be read or written.
    """
    work = _workload(workload)
    mode = mode_of(one_of("framework", framework, impls.FRAMEWORKS), mode, impls.MODES[framework][0])
    one_of("precision", precision, impls.PRECISIONS)
    check_installed(framework)
    if not width > 0:
        raise ValueError(f"--width must be greater than 0, not {width:g}")
    batch = _images(images, work)
    values, num_classes = _weights(weights, work, num_classes, width)
    wanted = _targets(targets, work, batch, num_classes) if gradients else ()
    impls.runtime(framework).configure(_threads())
    program = impls.load(workload, framework, mode, precision, num_classes, width, OPTIMIZER)
    program.load_weights(values)
    inputs, *prepared = program.prepare(batch, *wanted)
    assert work.model
    outputs = zip(work.model.outputs, program.predict(inputs), strict=False)
    found = {name: program.to_numpy(output) for name, output in outputs}
    if gradients:
        loss, _ = program.train_step(inputs, *prepared)
        found["loss"] = np.array(float(loss))
        for name, moment in program.first_moments().items():  # the first one is a known share of the gradient
            found[f"gradient/{name}"] = moment / (1 - OPTIMIZER.beta_1)
    write_npz(out, found)
    return list(found)


def _workload(name: str) -> impls.Workload:
    return impls.WORKLOADS[one_of("model", name, impls.MODELS)]


def _images(path: Path, work: impls.Workload) -> np.ndarray:
    images = _array(path)
    if images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"{path}: images have the shape (batch, height, width, 3), not {images.shape}")
    if images.dtype != np.float32:
        raise ValueError(f"{path}: images are float32, not {images.dtype}")
    if not len(images):
        raise ValueError(f"{path}: there must be at least 1 image, not 0")
    for side in images.shape[1:3]:
        work.check_image_size(side)
    return images


def _weights(
    path: Path | None, work: impls.Workload, num_classes: int | None, width: float
) -> tuple[dict[str, np.ndarray], int]:
    from impls import checkpoints

    assert work.model
    if num_classes is not None and num_classes < 1:
        raise ValueError(f"--classes must be at least 1, not {num_classes}")
    if path is None:
        num_classes = num_classes or work.model.num_classes
        return impls.initial_weights(work.name, num_classes, width=width), num_classes
    found = checkpoints.read(work.name, "evenbench", path, width)
    stored = checkpoints.num_classes(work, {name: array.size for name, array in found.items()}, width)
    if num_classes not in (None, stored):
        raise ValueError(f"{path} has {stored} classes, not {num_classes}")
    return found, stored


def _targets(path: Path | None, work: impls.Workload, images: np.ndarray, num_classes: int) -> tuple[np.ndarray, ...]:
    """What the loss compares with: the file's labels or masks, by default class 0 everywhere, no object anywhere."""
    assert work.model
    if work.model.task == "detection":
        return _no_boxes(path, work, images, num_classes)
    shape = images.shape[:1] if work.model.task == "classification" else images.shape[:3]
    if path is None:
        return (np.zeros(shape, np.int64),)
    labels = _array(path)
    if labels.shape != shape or labels.dtype.kind not in "iu":
        raise ValueError(f"{path}: targets are integers of shape {shape}, not {labels.dtype} of {labels.shape}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"{path}: targets lie between 0 and {num_classes - 1}, not {labels.min()} to {labels.max()}")
    return (labels.astype(np.int64),)


def _no_boxes(path: Path | None, work: impls.Workload, images: np.ndarray, num_classes: int) -> tuple[np.ndarray, ...]:
    batch_size, height, columns, _ = images.shape
    if path:
        raise ValueError(f"--targets are labels or masks: {work.name} is a detector, whose images are taken as empty")
    if height != columns:
        raise ValueError(f"the loss of {work.name} takes square images, not {height} x {columns}")
    nothing = np.zeros((batch_size, 0, 4)), np.zeros((batch_size, 0), np.int64)
    return detection.encode(*nothing, work.facts.anchors, work.facts.strides, height, num_classes)


def _array(path: Path) -> np.ndarray:
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not an .npy of numbers: {error}") from None
    if not isinstance(found, np.ndarray):
        raise ValueError(f"{path} is an .npz; an .npy of one array is wanted")
    return found


def _threads() -> int:
    import hwprobe

    return hwprobe.usable_cpus()
