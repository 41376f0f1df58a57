"""Pseudonyms and, later, de-identification."""
