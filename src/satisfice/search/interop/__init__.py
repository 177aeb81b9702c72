"""Sampler and pruner for people with an Optuna study of their own."""
