"""An anchor server for the Stellar network."""

__version__ = "0.1.0"
