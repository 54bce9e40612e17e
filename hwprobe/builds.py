"""What each installed framework was built for - "CPU", "CUDA 12.6", "ROCm 6.4" - read from its files, not imported."""

import re
from importlib import metadata

from hwprobe.facts import Fact, Room, known, unknown
from hwprobe.files import clean, names_in, read_text


def collect() -> Room:
    """`torch_build`, `tensorflow_build` and `jax_build`, of the Python that runs this."""
    return {
        "torch_build": _torch(_file("torch", "torch/version.py")),
        "tensorflow_build": _tensorflow(_file("tensorflow", "tensorflow/python/platform/build_info.py")),
        "jax_build": _jax(_file("jax", "jax_plugins")),
    }


def _file(distribution: str, path: str) -> str | None:
    """Where a file or folder of an installed package is; None if the package is not."""
    try:
        return str(metadata.distribution(distribution).locate_file(path))
    except Exception:  # not installed, or half removed
        return None


def _torch(path: str | None) -> Fact:
    """A release without a suffix in its version may be any build: only version.py tells."""
    import platform

    source = "torch/version.py"
    text = None if path is None else read_text(path)
    if text is None:
        return unknown("not installed", source)
    for name, words in (("cuda", "CUDA"), ("hip", "ROCm"), ("xpu", "XPU")):
        if found := re.search(rf"^{name}\b.*= *['\"]([^'\"]+)['\"]", text, re.M):
            return known(clean(f"{words} {found[1]}"), source)
    return known("Metal" if platform.system() == "Darwin" else "CPU", source)


def _tensorflow(path: str | None) -> Fact:
    source = "metadata of tensorflow-cpu"
    if _file("tensorflow-cpu", "") is not None:
        return known("CPU", source)
    source = "tensorflow/python/platform/build_info.py"
    text = None if path is None else read_text(path)
    if text is None:
        return unknown("not installed", source)
    if re.search(r"'is_rocm_build', True", text):
        return known("ROCm", source)
    if not re.search(r"'is_cuda_build', True", text):
        return known("CPU", source)
    version = re.search(r"'cuda_version', '([^']+)'", text)
    return known(clean(f"CUDA {version[1]}") if version else "CUDA", source)


def _jax(folder: str | None) -> Fact:
    """JAX computes on CPUs; each other device is a plugin beside it: xla_cuda12, xla_rocm7, metal_plugin."""
    if folder is None:
        return unknown("not installed", "metadata of jax")
    for name in names_in(folder):
        if found := re.fullmatch(r"xla_(cuda|rocm)(\d*)", name):
            words = {"cuda": "CUDA", "rocm": "ROCm"}[found[1]]
            return known(f"{words} {found[2]}".strip(), "jax_plugins")
        if name == "metal_plugin":
            return known("Metal", "jax_plugins")
    return known("CPU", "jax_plugins")
