"""One SQL database: engines, transactions, URLs, and what its failures mean."""
