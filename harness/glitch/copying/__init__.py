"""Asking for tokens without words: random sequences that occur twice. Begin with `reading.CopyReader`."""
