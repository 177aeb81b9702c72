"""The optimization lab: a page to move one technique at a time on, and watch what it does."""
