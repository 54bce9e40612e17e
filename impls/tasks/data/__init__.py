"""Loaders: each gives NumPy arrays and a fixed split."""
