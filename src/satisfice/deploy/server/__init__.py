"""Serving shipped folders over HTTP: Open Inference Protocol, plain rows, metrics."""
