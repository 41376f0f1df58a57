"""Tagged tokens (CoNLL, BIO, BIOES): the text of one block of them."""

from __future__ import annotations

from diascope.formats.annotated.bio import parsed
from diascope.formats.annotated.texts import AnnotatedTexts

FORMAT = AnnotatedTexts(parsed, (".conll", ".bio", ".bioes", ".bmes", ".iob"))
