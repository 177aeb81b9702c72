"""Columns of text: cut into tokens, counted, and the n-grams chosen that become features."""
