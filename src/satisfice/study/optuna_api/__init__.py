"""Optuna's names on our studies and trials."""
