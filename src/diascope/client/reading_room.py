"""What the reading room has beside studies: labellings, uploads, laboratory results and texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from diascope.client.answers import annotations as answered
from diascope.client.answers import documents, jobs, labellings, observations, statements, uploads
from diascope.client.connection import CHUNK, Connection, told
from diascope.client.nouns import Noun
from diascope.core.errors import BadUsage

API = "/api/v1"


class Labellings(Noun[labellings.Labelling, labellings.Labelling]):
    """What readers are asked about series without a release."""

    def next(self, labelling: str, skip: Sequence[str] = ()) -> answered.Next:
        """The series that the caller is asked about next, and why."""
        query = {"skip": list(skip)} if skip else {}
        return cast(answered.Next, self.connection.json("GET", f"{self._at(labelling)}/next", None, **query))

    def answer(self, labelling: str, **said: Any) -> answered.Annotation:
        """Answer about a series: `study`, `series`, `revision`, `answer`, `unsure`, `comment`."""
        return cast(answered.Annotation, self.do(labelling, "annotations", **said))

    def answers(self, labelling: str) -> Iterator[answered.Annotation]:
        """What was answered; of a series that the caller is yet to answer about, not what others said."""
        return cast(Iterator[answered.Annotation], self.connection.items(f"{self._at(labelling)}/annotations"))


class Uploads(Noun[uploads.Upload, Any]):
    """Data sets from one's own machine: the source `uploads`."""

    def send(self, file: Path, project: str = "default") -> uploads.Upload:
        """Send a zip of a data set, or a table.

        Raises:
            BadUsage: When there is no such file.
            ServiceError: What the service told.
        """
        path = Path(file)
        if not path.is_file():
            raise BadUsage("there is no such file", given=path)
        headers = {"Content-Type": "application/octet-stream"}
        query = {"name": path.name, "project": project}
        answer = self.connection.upload(f"{API}{self.path}", lambda: _parts(path), headers, query)
        if answer.status_code >= 400:
            raise told(answer)
        return cast(uploads.Upload, answer.json())


class Beside:
    """Laboratory results and texts of studies.

    Args:
        connection: To the service.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def results(self, study: str) -> Iterator[observations.Observation]:
        """Laboratory results of a study."""
        return cast(Iterator[observations.Observation], self.connection.items(_of(study, "observations")))

    def bring_results(self, study: str, results: Sequence[dict[str, Any]]) -> observations.Brought:
        """Bring in results: `name`, `code` (LOINC), `value` and `unit` (UCUM) or `said`, `low`, `high`, `taken`."""
        body = {"observations": list(results)}
        return cast(observations.Brought, self.connection.json("POST", _of(study, "observations"), body))

    def bring_fhir(self, study: str, resource: dict[str, Any]) -> observations.Brought:
        """Bring in a FHIR R4 Observation, or a Bundle of them; the answer says what was left out, and why."""
        return cast(observations.Brought, self.connection.json("POST", _of(study, "observations/fhir"), resource))

    def texts(self, study: str) -> Iterator[documents.Document]:
        """Texts of a study, without their words."""
        return cast(Iterator[documents.Document], self.connection.items(_of(study, "documents")))

    def text(self, study: str, document: str) -> documents.WholeDocument:
        """A text with its words, and what releases marked in it; it is audited."""
        path = _of(study, f"documents/{quote(document, safe='')}")
        return cast(documents.WholeDocument, self.connection.json("GET", path))

    def bring_text(self, study: str, text: str, **more: Any) -> documents.Document:
        """Bring in a text: `kind`, `language`, `written`."""
        return cast(documents.Document, self.connection.json("POST", _of(study, "documents"), {"text": text, **more}))

    def statements(self, study: str) -> Iterator[statements.Statement]:
        """What releases say of the texts and results of a study, and what led to it."""
        return cast(Iterator[statements.Statement], self.connection.items(_of(study, "statements")))

    def ask(self, study: str, release: str, document: str | None = None) -> jobs.Job:
        """Let a release say something of a text, or of the results as one row."""
        body = {"release": release, "document": document}
        return cast(jobs.Job, self.connection.json("POST", _of(study, "statements"), body))

    def mark(self, study: str, document: str, release: str) -> jobs.Job:
        """Let a release mark the entities of a text."""
        path = _of(study, f"documents/{quote(document, safe='')}/marks")
        return cast(jobs.Job, self.connection.json("POST", path, {"release": release}))


def _of(study: str, what: str) -> str:
    return f"/studies/{quote(study, safe='')}/{what}"


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while part := stream.read(CHUNK):
            yield part
