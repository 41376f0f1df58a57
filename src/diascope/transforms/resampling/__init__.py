"""Resampling as matrix products: weights of one axis, and their application to the axes of a volume."""
