"""Copies of pictures: which look alike (`likeness`), and what is done about them (`repair`)."""
