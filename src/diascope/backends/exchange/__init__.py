"""Network files that other programs read."""
