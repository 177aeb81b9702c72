"""How much of a difference between trials is luck: errors, paired differences, ties, the expected score."""
