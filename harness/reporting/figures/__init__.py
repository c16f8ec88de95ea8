"""Pictures and tables drawn from stored runs, with no model loaded."""
