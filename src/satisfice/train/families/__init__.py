"""The built-in model families. Imported without torch."""
