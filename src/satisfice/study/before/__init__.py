"""Before the search: the space against its bounds, a short training, bounds that can never be known."""
