"""From columns and images to the numbers that models learn from."""
