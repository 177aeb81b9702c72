"""Surrogate models of metrics over a search space: encodings, Gaussian processes, transforms."""
