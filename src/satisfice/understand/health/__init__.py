"""The health of a study: findings about its space, bounds, budget and data, each with a remedy to paste."""
