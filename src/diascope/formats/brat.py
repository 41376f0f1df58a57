"""The text file of a brat standoff pair, to the character: its spans count line ends and blanks."""

from __future__ import annotations

from diascope.formats.annotated.brat import parsed
from diascope.formats.annotated.texts import AnnotatedTexts

FORMAT = AnnotatedTexts(parsed, (".txt",))
