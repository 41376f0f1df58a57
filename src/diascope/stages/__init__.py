"""Stages: one verb a file. Each reads nouns from disk and writes one noun; none imports another."""
