"""The file that ships: its format, and the model read back from it."""
