"""Two sets of pictures as points of a feature space: how far apart they are, and whether one was copied from the other.

Everything here takes features (N, D); which space they live in is for the caller to state beside every figure.
"""
