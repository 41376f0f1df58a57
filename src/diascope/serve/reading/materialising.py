"""The objects that a question is about, in a private folder under names of our own, and nothing else (K1)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from diascope.core.errors import DataRefused, DiascopeError
from diascope.serve.reading.question import Question, Source
from diascope.serve.service import Service


@contextmanager
def materialised(service: Service, question: Question) -> Iterator[Path]:
    """A folder with the sources of a question.

    Raises:
        DataRefused: When an object is missing, or its bytes are not those that arrived.
    """
    with laid_out(service, question.sources) as folder:
        yield folder


@contextmanager
def laid_out(service: Service, sources: Sequence[Source]) -> Iterator[Path]:
    """A private folder with some objects, in their order and under names of our own: `000000.dcm`, ...

    Raises:
        DataRefused: When an object is missing, or its bytes are not those that arrived.
    """
    with tempfile.TemporaryDirectory(prefix="diascope-read-") as name, ExitStack() as stack:
        for number, source in enumerate(sources):
            try:
                path = stack.enter_context(service.archive.local(source.key, source.sha256))
            except DataRefused:
                raise
            except DiascopeError as error:
                raise DataRefused(f"an object of the series can't be read: {error.wrong}") from error
            (Path(name) / f"{number:06d}.dcm").symlink_to(path.resolve())
        yield Path(name)
