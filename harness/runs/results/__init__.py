"""Runs on disk: loading, listing, comparing."""
