"""Activations: which ones, reduced while the model runs, and a store of them on disk."""
