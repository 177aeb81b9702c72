"""The life of one trial, from claim to tell."""
