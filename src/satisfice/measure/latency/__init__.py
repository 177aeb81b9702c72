"""Timing calls on a busy host: blocks of calls, a reference model, exclusive use of the host."""
