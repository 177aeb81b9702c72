"""Workers: the loop of one, and several at once."""
