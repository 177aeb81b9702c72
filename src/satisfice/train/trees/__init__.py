"""What the tree families share."""
