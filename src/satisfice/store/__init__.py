"""Storage: Optuna's tables and ours, in one database."""
