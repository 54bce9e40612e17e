"""The work by which hwprobe.ceilings measures TensorFlow: each call ends once the device is done."""

from collections.abc import Callable

import tensorflow as tf


def configure(threads: int) -> None:
    """Set the thread pools; no TF32, which would call a product of 10-bit mantissas float32."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def device() -> str:
    """Where the work runs: the first GPU if TensorFlow sees one."""
    return "cuda:0" if tf.config.list_physical_devices("GPU") else "cpu"


def gemm(dtype: str, size: int) -> Callable[[], tf.Tensor]:
    """The product of two random (size, size) matrices, as a call."""
    left, right = (tf.random.normal((size, size), dtype=dtype) for _ in range(2))
    multiply = tf.function(tf.matmul)
    return lambda: _done(multiply(left, right))


def triad(elements: int) -> Callable[[], tf.Variable]:
    """a = b + 3 c in float32, in place and without temporaries, as a call."""
    b, c = (tf.fill([elements], value) for value in (1.0, 2.0))
    a = tf.Variable(tf.fill([elements], 0.0))

    @tf.function(jit_compile=True)  # XLA writes a variable in its place; without it 3 c would be an array of its own
    def add(a: tf.Variable, b: tf.Tensor, c: tf.Tensor) -> None:
        a.assign(b + 3 * c)

    def call() -> tf.Variable:
        add(a, b, c)
        return _done(a)

    return call


def copy(direction: str, elements: int) -> Callable[[], tf.Tensor]:
    """A copy of float32 between RAM and the GPU, as a call."""
    there, here = ("GPU:0", "CPU:0") if direction == "host to device" else ("CPU:0", "GPU:0")
    with tf.device(here):
        source = tf.fill([elements], 1.0)

    def call() -> tf.Tensor:
        with tf.device(there):
            return _done(tf.identity(source))

    return call


def _done(result: tf.Tensor | tf.Variable) -> tf.Tensor | tf.Variable:
    if device() != "cpu":
        tf.test.experimental.sync_devices()
    return result
