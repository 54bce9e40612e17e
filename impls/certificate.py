"""The proof of equal work of one program, computed in the program's own process.

python -m impls.certificate FRAMEWORK THREADS reads lines of JSON, {"workload", "mode", "precisions", "sizes",
"reference": path, "write": bool}, and answers each with one line of JSON, the certificate. THREADS may be as-installed:
then no setting is touched. It ends as soon as its input does: that is how it learns that nobody waits for the proof.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, NoReturn, TextIO

import numpy as np

import impls
from impls import boxes, comparison, kernels, weights
from impls.boxes import reference
from impls.comparison import TOLERANCES, Check
from impls.kernels import BY_INPUT, BY_WEIGHT, FORWARD
from impls.optimizer import Adam, StochasticGradientDescent

# The learning rate of each step, in parts of the optimiser's own. Schedules are part of the proof: an optimiser that
# keeps earlier rates in its momentum fails it. Powers of two, for the next comment's reason.
SCHEDULE = (1.0, 0.25, 0.5, 0.125, 1.0)
STEPS = len(SCHEDULE)
# Small enough that the steps do not multiply rounding errors, and exact in float32: there Keras on TensorFlow keeps
# these figures whatever floatx says, and 0.001 and 0.9 would be off by 5e-8 and 3e-8.
SGD = StochasticGradientDescent(learning_rate=2.0**-10, momentum=0.875, weight_decay=2.0**-10)
# Adam divides a gradient by its size: its steps are as long as the rate however small the gradient. A small rate keeps
# a gradient that jumped at a kink (see _Proof.single) out of the weights' fourth digit, a large epsilon one that is
# nearly zero and all rounding from becoming a step of full length.
ADAM = Adam(learning_rate=2.0**-13, beta_1=0.875, beta_2=0.9375, epsilon=2.0**-6)
# The first one's results are compared between frameworks; for the others see _Proof.single.
SEEDS = tuple(range(6))
Arrays = dict[str, dict[str, np.ndarray]]


@dataclass(frozen=True)
class Sizes:
    """The sizes of a model's proof: forward as in the published figures and as in training, which takes some images.

    A smaller width and fewer classes prove the same code in less time, for tests.
    """

    forward_size: int
    training_size: int
    training_batch: int
    num_classes: int
    width: float = 1.0

    def __str__(self) -> str:
        return (
            f"forward {self.forward_size} px batch 1 and {self.training_size} px batch {self.training_batch}; "
            f"training {self.training_size} px batch {self.training_batch}, {STEPS} steps of SGD with momentum and "
            f"weight decay and {STEPS} of Adam at a learning rate that changes; {self.num_classes} classes"
            + (f"; width {self.width:g}" if self.width != 1 else "")
        )


def full(workload: str) -> Sizes | None:
    """The sizes of the proof of a model as it is timed, None for a kernel, which has its own."""
    model = impls.WORKLOADS[workload].model
    return Sizes(model.image_size, model.training_size, model.training_batch, model.num_classes) if model else None


def small(workload: str, width: float = 0.25) -> Sizes | None:
    """A proof of the same code that takes seconds."""
    model = impls.WORKLOADS[workload].model
    return Sizes(model.training_size, model.training_size, model.training_batch, 10, width) if model else None


def certify(
    workload: str,
    framework: str,
    mode: str,
    reference: Path,
    write: bool,
    sizes: Sizes | None,
    precisions: Sequence[str] = tuple(TOLERANCES),
) -> list[Check]:
    """Every check of one program against the reference.

    reference: an .npz of float64 results. It is written first if `write`; kernels are compared with NumPy and leave
    it aside. precisions: float64 is always proven, float32 and bfloat16 if they are named.
    """
    if sizes is None:
        return _certify_kernel(workload, framework, mode)
    proof = _Proof(workload, framework, mode, sizes)
    program, exact = proof.results("float64", SEEDS[0])
    if write:
        _save(reference, exact)
    expected = _Saved(reference)
    checks = proof.counts(program)
    checks += [comparison.worst(name, "float64", arrays, expected[name]) for name, arrays in exact.items()]
    checks += proof.boxes("float64")
    if "float32" in precisions:
        checks += proof.boxes("float32")
        checks += proof.single(expected, all(check["passed"] for check in checks))
    if "bfloat16" in precisions:
        checks += proof.half(expected)
    return checks


@dataclass(frozen=True)
class _Proof:
    """One program of a model and the sizes that it is proven at."""

    workload: str
    framework: str
    mode: str
    sizes: Sizes

    def results(self, precision: str, seed: int) -> tuple[Any, Arrays]:
        """The program, and all that is compared: check -> tensor -> values."""
        sizes, work = self.sizes, impls.WORKLOADS[self.workload]
        assert work.model
        program = impls.load(self.workload, self.framework, self.mode, precision, sizes.num_classes, sizes.width, SGD)
        start = weights.perturbed(work.tensors(sizes.num_classes, sizes.width), seed)
        program.load_weights(start)
        large = program.prepare(*impls.example(self.workload, "predict", sizes.forward_size, 1, sizes.num_classes))
        arrays = impls.example(self.workload, "train", sizes.training_size, sizes.training_batch, sizes.num_classes)
        images, *targets = program.prepare(*arrays)
        outputs: dict[str, np.ndarray] = {}
        for size, batch in ((sizes.forward_size, large[0]), (sizes.training_size, images)):
            names = [f"{name} at {size} px" for name in work.model.outputs]
            outputs |= _named(program, names, program.predict(batch), precision)
        found: Arrays = {"forward, evaluation mode": outputs}
        for optimizer in (SGD, ADAM):
            title = "Adam" if optimizer is ADAM else "SGD"
            program.use(optimizer)
            program.load_weights(start)
            losses: list[float] = []
            moments: dict[str, np.ndarray] = {}
            for step, share in enumerate(SCHEDULE):
                program.set_learning_rate(share * optimizer.learning_rate)
                loss, trained = program.train_step(images, *targets)
                losses.append(float(loss))
                if step == 0:
                    found["forward, training mode"] = _named(program, work.model.outputs, trained, precision)
                    moments = program.first_moments() if optimizer is ADAM else {}
            found[f"loss of {STEPS} steps, {title}"] = {"loss": np.array(losses)}
            if moments:  # the first one is a known share of the gradient
                found["gradients"] = {name: moment / (1 - ADAM.beta_1) for name, moment in moments.items()}
            found |= _after(program, title)
        return program, found

    def counts(self, program: Any) -> list[Check]:
        """Parameters and multiply-accumulates against the spec."""
        work, sizes = impls.WORKLOADS[self.workload], self.sizes
        arrays = impls.example(self.workload, "predict", sizes.forward_size, 1, sizes.num_classes)
        expected = work.macs(sizes.forward_size, sizes.num_classes, sizes.width)
        tensors = work.tensors(sizes.num_classes, sizes.width)
        return comparison.counts(program, arrays, tensors, expected)

    def single(self, expected: "_Saved", exact: bool) -> list[Check]:
        """float32 against the reference; if that fails but not in float64, again with other weights.

        A value so close to a ReLU's kink that rounding moves it across makes the gradient jump: with other weights it
        is another value, or none. What is wrong stays wrong with any weights. Those are compared with the program's
        own float64, which was proven equal to the reference.

        Where the spec says that there are too many values for that (Model.many_values), what training leaves is
        compared as in `half`: the distance of all tensors of a check together.
        """
        model = impls.WORKLOADS[self.workload].model
        compare = comparison.together if model and model.many_values else comparison.worst
        _, found = self.results("float32", SEEDS[0])
        checks = [compare(name, "float32", arrays, expected[name]) for name, arrays in found.items()]
        for seed in SEEDS[1:]:
            if not exact or all(check["passed"] for check in checks):
                break
            _, own = self.results("float64", seed)
            _, found = self.results("float32", seed)
            checks = [compare(name, "float32", arrays, own[name]) for name, arrays in found.items()]
            checks = [{**check, "name": f"{check['name']} (weights of seed {seed})"} for check in checks]
        return checks

    def boxes(self, precision: str) -> list[Check]:
        """A detector's decoding and suppression against NumPy, on one image's heads; nothing for what is no detector.

        One check a field: the numbers of one are not in the scale of another's.
        """
        work, sizes = impls.WORKLOADS[self.workload], self.sizes
        if not work.model or work.model.task != "detection" or boxes.missing(self.framework, self.mode):
            return []
        heads = impls.example(self.workload, "boxes", sizes.forward_size, 1, sizes.num_classes)
        expected = reference.detect(heads, work.facts.anchors, sizes.forward_size, boxes.SETTINGS)
        program = impls.load_boxes(self.workload, self.framework, self.mode, precision, sizes.forward_size)
        found = boxes.Detections(*map(program.to_numpy, program.predict(*program.prepare(*heads))))
        _checked(found.boxes, precision)
        return [
            comparison.worst(
                f"detections, {field}", precision, {field: getattr(found, field)}, {field: getattr(expected, field)}
            )
            for field in found._fields
        ]

    def half(self, expected: "_Saved") -> list[Check]:
        """bfloat16 against the reference, within the bounds that the spec states.

        Its 8 bits leave single tensors whose gradients nearly cancel with no digit at all. What is compared is the
        distance of all tensors of a check together, and for gradients, which the largest tensor would rule, also the
        median of the tensors' own distances.
        """
        model = impls.WORKLOADS[self.workload].model
        assert model
        _, found = self.results("bfloat16", SEEDS[0])
        checks = []
        for name, arrays in found.items():
            kind = name.split(" after ")[0].split(" of ")[0].split(",")[0]
            together, median = comparison.distances(arrays, expected[name])
            checks.append(comparison.check(name, "bfloat16", "all together", together, model.bfloat16.get(kind, 0.0)))
            if kind == "gradients":
                bound = model.bfloat16.get("gradients, median", 0.0)
                checks.append(comparison.check(name, "bfloat16", f"median of {len(arrays)} tensors", median, bound))
        return checks


def _named(program: Any, names: Sequence[str], outputs: Sequence[Any], precision: str) -> dict[str, np.ndarray]:
    """What came out of a network under its names; there may be fewer in evaluation mode."""
    arrays = [program.to_numpy(output) for output in outputs]
    if precision != "bfloat16":  # which NumPy has not
        arrays = [_checked(array, precision) for array in arrays]
    return dict(zip(names, arrays, strict=False))


def _after(program: Any, title: str) -> Arrays:
    after = program.weights()
    buffers = {name for name, tensor in program.tensors.items() if not tensor.trainable}
    found = {
        f"weights after {STEPS} steps, {title}": {name: v for name, v in after.items() if name not in buffers},
        f"batch norm statistics after {STEPS} steps, {title}": {name: after[name] for name in sorted(buffers)},
    }
    return {check: arrays for check, arrays in found.items() if arrays}


def _certify_kernel(workload: str, framework: str, mode: str) -> list[Check]:
    """Each phase that the framework has, against NumPy."""
    work = impls.WORKLOADS[workload]
    expected = _numpy_results(workload)
    checks: list[Check] = []
    for dtype in sorted(set(impls.precisions(workload)) & set(TOLERANCES), reverse=True):
        program, found = _kernel_results(workload, framework, mode, dtype)
        checks = checks or comparison.counts(program, impls.example(workload, "predict"), work.tensors(), work.macs())
        checks += [comparison.worst(name, dtype, arrays, expected[name]) for name, arrays in found.items()]
    return checks


def _checked(array: np.ndarray, dtype: str) -> np.ndarray:
    if array.dtype != dtype:
        raise TypeError(f"{dtype} was asked for and {array.dtype} computed")
    return array


def _kernel_results(workload: str, framework: str, mode: str, dtype: str) -> tuple[Any, Arrays]:
    case = impls.WORKLOADS[workload].facts
    program = impls.load(workload, framework, mode, dtype)
    program.load_weights(impls.initial_weights(workload))
    inputs = program.prepare(*impls.example(workload, "predict"))
    (cotangent,) = program.prepare(*impls.example(workload, "cotangent"))
    output = _checked(program.to_numpy(program.predict(*inputs)), dtype)
    found = {FORWARD: {"output": output}}
    for phase in kernels.phases(case)[1:]:
        if kernels.missing(case, framework, mode, phase):
            continue
        gradients = program.gradient(program.record(phase, *inputs), cotangent)
        if phase == BY_INPUT:
            found[phase] = {f"input {n}": program.to_numpy(one) for n, one in enumerate(gradients, start=1)}
        else:
            named = zip(kernels.learned(case), gradients, strict=True)
            found[phase] = {name: program.to_canonical(name, one) for name, one in named}
    return program, found


def _numpy_results(workload: str) -> Arrays:
    work = impls.WORKLOADS[workload]
    reference = import_module(f"{work.package.rpartition('.')[0]}.reference")
    inputs, weights = impls.example(workload, "predict"), impls.initial_weights(workload)
    arrays = (*inputs, *weights.values())
    gradients = reference.backward(work.facts, *arrays, *impls.example(workload, "cotangent"))
    by_weight = zip(weights, gradients[len(inputs) :], strict=True)
    return {
        FORWARD: {"output": reference.forward(work.facts, *arrays)},
        BY_INPUT: {f"input {n}": one for n, one in enumerate(gradients[: len(inputs)], start=1)},
        BY_WEIGHT: {name: one for name, one in by_weight if one is not None},
    }


def _save(path: Path, results: Arrays) -> None:
    arrays = {f"{check}|{name}": array for check, found in results.items() for name, array in found.items()}
    np.savez(path, allow_pickle=False, **arrays)


class _Saved:
    """Results in an .npz, a check at a time: those of a large model need not be in memory together."""

    def __init__(self, path: Path) -> None:
        self.archive = np.load(path, allow_pickle=False)

    def __getitem__(self, check: str) -> dict[str, np.ndarray]:
        names = [key.split("|", 1)[1] for key in self.archive.files if key.startswith(f"{check}|")]
        return {name: self.archive[f"{check}|{name}"] for name in names}


def _read(stream: TextIO, requests: "SimpleQueue[dict[str, Any]]") -> None:
    """Hand the requests over; at the end of the input end this process, whatever it is computing."""
    for line in stream:
        requests.put(json.loads(line))
    os._exit(0)


def main(framework: str, threads: int | None) -> NoReturn:
    """Serve requests until the input ends. threads: None leaves every setting as it is installed."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a framework prints must not mix with the answers
    requests: SimpleQueue[dict[str, Any]] = SimpleQueue()
    Thread(target=_read, args=(sys.stdin, requests), daemon=True).start()
    impls.runtime(framework).configure(threads)
    while True:
        request = requests.get()
        workload, mode = request["workload"], request["mode"]
        try:
            sizes = Sizes(**request["sizes"]) if request["sizes"] else None
            reference, write = Path(request["reference"]), request["write"]
            checks = certify(workload, framework, mode, reference, write, sizes, request["precisions"])
            if threads is None:
                checks = [{**check, "name": f"{check['name']} (default settings)"} for check in checks]
            answer: dict[str, Any] = {"checks": checks, "error": None}
        except OSError:
            raise  # no space for the reference: not the program's fault
        except Exception as error:  # a program that cannot be proven must not take the next ones with it
            answer = {"checks": [], "error": f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], None if sys.argv[2] == "as-installed" else int(sys.argv[2]))
