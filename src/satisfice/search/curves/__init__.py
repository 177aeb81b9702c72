"""Learning curves: from reports of unfinished trainings to predicted final values."""
