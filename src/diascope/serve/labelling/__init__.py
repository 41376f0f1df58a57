"""Labelling: readers are asked about series that no release has learnt from; which one next, and how well two agree."""
