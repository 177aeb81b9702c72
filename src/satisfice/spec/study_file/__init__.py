"""Reading and writing study files: grammar, parser, JSON schema."""
