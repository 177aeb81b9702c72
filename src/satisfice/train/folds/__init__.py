"""Cross-validation of one trial: a training for each fold, and one on all their rows."""
