"""The token embedding graph: nearest neighbours, edge weights, communities, a flat picture."""
