"""Kernels: each folder holds one kernel's cases, its readable NumPy reference and its twins."""
