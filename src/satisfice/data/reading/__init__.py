"""From files and cells to numbers, moments and categories, by rules that are data."""
