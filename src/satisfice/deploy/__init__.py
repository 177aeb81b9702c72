"""What is done with a shipped folder alone: loaded, verified, applied to files, served."""
