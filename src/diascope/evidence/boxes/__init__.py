"""How good boxes are: which of them hit, average precision, and sensitivity against false positives an image.

Boxes are rows (start z, y, x, stop z, y, x) of voxel edges; a flat image is one voxel deep.
"""
