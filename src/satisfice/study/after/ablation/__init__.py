"""One technique at a time: each switched off alone, trained with several seeds, and compared."""
