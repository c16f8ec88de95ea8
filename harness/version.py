"""The version of the harness, for manifests and packaging."""

__version__ = "0.1.0"
