"""Questions to finished trials beside the best and the front: prices, knees, bounds, two trials compared."""
