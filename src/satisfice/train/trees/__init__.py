"""What the tree families share: fitted ensembles as flat arrays, and growing in stages."""
