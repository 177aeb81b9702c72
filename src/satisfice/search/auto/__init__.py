"""The sampler ``auto``: expected hypervolume improvement over exactly screened candidates."""
