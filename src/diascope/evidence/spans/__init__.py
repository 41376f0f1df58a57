"""Evidence on spans of a text: what was found and what was not, and from which probability on a span is said."""
