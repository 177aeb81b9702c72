"""After the search: confirmation, the folder that ships, replay, export and import."""
