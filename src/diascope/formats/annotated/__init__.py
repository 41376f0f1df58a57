"""Texts with marked spans: records of JSON, tagged tokens, standoff files. The texts are inputs, the spans targets."""
