"""Invented patients: anatomy in millimetres, a scanner that looks at it, DICOM files of what it saw."""

from diascope.sources.phantoms.generate import generate

__all__ = ["generate"]
