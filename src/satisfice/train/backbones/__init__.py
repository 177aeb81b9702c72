"""Pretrained networks to build on: their layers, their weights and what their stages make of images."""
