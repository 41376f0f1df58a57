"""Workflows: stages in order."""
