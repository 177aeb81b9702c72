"""The methods of `Study`, by topic."""
