"""Pairs of images: what one becomes when it is made of the other, and how far it is from the truth."""
