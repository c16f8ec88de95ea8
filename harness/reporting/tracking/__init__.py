"""Telling an experiment tracker about a finished run, from its stored files."""

from harness.reporting.tracking._tracker import NullTracker, Tracker, make_tracker

__all__ = ["NullTracker", "Tracker", "make_tracker"]
