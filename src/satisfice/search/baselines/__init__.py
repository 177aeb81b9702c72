"""Optuna's own samplers, random search and low-discrepancy sequences, each with screening."""
