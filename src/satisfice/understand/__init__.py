"""Understanding a study: what went wrong in a training, and what is wrong with the study. Pure functions."""
