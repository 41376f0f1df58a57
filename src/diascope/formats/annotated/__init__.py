"""Texts with marked spans: records of JSON, tagged tokens, standoff files. Their texts are inputs, their spans targets."""
