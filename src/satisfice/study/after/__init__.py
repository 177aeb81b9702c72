"""After the search: confirmation, replay, export and import."""
