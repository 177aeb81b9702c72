"""The command line: a thin face of `satisfice.study`."""
