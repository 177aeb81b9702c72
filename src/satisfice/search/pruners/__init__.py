"""Pruners: which trainings are stopped before their end, by all objectives and constraints."""
