"""The shipped folder: what it says of its model, how its rows are read, and the files beside the model."""
