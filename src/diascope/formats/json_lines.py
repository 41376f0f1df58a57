"""Records of JSON with a text and its entities (CCKS, CMeEE, doccano): the text of one of them."""

from __future__ import annotations

from diascope.formats.annotated.json_lines import parsed
from diascope.formats.annotated.texts import AnnotatedTexts

FORMAT = AnnotatedTexts(parsed, (".jsonl", ".ndjson"))
