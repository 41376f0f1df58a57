"""Diascope: an open second reader for medical images."""

__version__ = "0.1.0"
