"""Rows of tables: what their columns hold, and how a row becomes numbers."""
