"""What users of other tools write, and what a study file says instead."""
