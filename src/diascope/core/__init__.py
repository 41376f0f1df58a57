"""Nouns, registry and errors: no torch, no file formats, no web."""
