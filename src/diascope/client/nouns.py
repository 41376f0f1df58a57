"""The nouns of the service's API: lists as iterators, objects as typed dictionaries, long work as jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

from diascope.client.answers import (
    datasets,
    feedback,
    findings,
    jobs,
    of_nouns,
    openings,
    predictions,
    readings,
    releases,
    reports,
    runs,
    signatures,
    studies,
)
from diascope.client.connection import Connection

Item = TypeVar("Item")
Whole = TypeVar("Whole")


class Noun(Generic[Item, Whole]):
    """Objects of one kind.

    Args:
        connection: To the service.
        path: Of the kind, below the API.
    """

    def __init__(self, connection: Connection, path: str) -> None:
        self.connection, self.path = connection, path

    def list(self, **query: Any) -> Iterator[Item]:
        """All that one may see; a page is fetched when it is needed.

        Args:
            **query: As the API's description has it.
        """
        return cast(Iterator[Item], self.connection.items(self.path, **query))

    def read(self, name: str, **query: Any) -> Whole:
        """One of them.

        Raises:
            NotFound: When there is none.
        """
        return cast(Whole, self.connection.json("GET", self._at(name), None, **query))

    def delete(self, name: str) -> None:
        """Delete one of them."""
        self.connection.json("DELETE", self._at(name))

    def make(self, **body: Any) -> Whole:
        """Make one: the fields that the API's description has."""
        return cast(Whole, self._post("", **body))

    def change(self, name: str, **body: Any) -> Whole:
        """Put another one in its place."""
        return cast(Whole, self.connection.json("PUT", self._at(name), body))

    def edit(self, name: str, **body: Any) -> Whole:
        """Set some of its fields."""
        return cast(Whole, self.connection.json("PATCH", self._at(name), body))

    def save(self, name: str, to: Path) -> Path:
        """Write what it is as a file: a page of a report, a zip of an export."""
        return self.connection.save(self._at(name), Path(to))

    def do(self, name: str, verb: str, **body: Any) -> Any:
        """Something that is done to one of them: `peers.do(id, "echo")`."""
        return self._post(f"/{quote(name, safe='')}/{verb}", **body)

    def _at(self, name: str) -> str:
        return f"{self.path}/{quote(name, safe='')}"

    def _post(self, tail: str, **body: Any) -> Any:
        return self.connection.json("POST", f"{self.path}{tail}", {k: v for k, v in body.items() if v is not None})


class Studies(Noun[studies.Study, studies.StudyWithSeries]):
    """Studies by pseudonym."""

    def search(self, **wanted: str | bool) -> studies.Found:
        """Studies of people: `name`, `number`, `birth_date`, `accession`; it is audited."""
        return cast(studies.Found, self._post("/search", **wanted))

    def identity(self, study: str) -> studies.Identity:
        """Whose a study is; it is audited."""
        return cast(studies.Identity, self.connection.json("GET", f"{self._at(study)}/identity"))

    def open(self, study: str, still: bool = False) -> openings.Opening:
        """Say that a study is being read; `still`: that it is so still."""
        return cast(openings.Opening, self.do(study, "openings", still=still))

    def report(self, study: str, language: str = "en") -> reports.Report:
        """The draft of the report of a study: `en` or `zh-CN`."""
        return cast(reports.Report, self.connection.json("GET", f"{self._at(study)}/report", None, language=language))

    def signed(self, study: str) -> Iterator[signatures.Signature]:
        """Signed reports of a study, the newest first: that one counts."""
        return cast(Iterator[signatures.Signature], self.connection.items(f"{self._at(study)}/signatures"))

    def sign(self, study: str, report: reports.Report) -> signatures.Signature:
        """Sign a draft whose sections say what they shall say; in a session, for no token signs."""
        sections = [{"name": one["name"], "text": one["text"]} for one in report["sections"]]
        body = {"language": report["language"], "sections": sections, "readings": report["readings"]}
        return cast(signatures.Signature, self.do(study, "signatures", **body))

    def save_signed(self, signature: str, kind: str, to: Path) -> Path:
        """Write a signed report as `pdf`, `sr` or `fhir`, with the identity; it is audited."""
        return self.connection.save(f"/signatures/{signature}/{kind}", Path(to))

    def move(self, study: str, project: str) -> studies.Study:
        """Give a study to another project."""
        return cast(studies.Study, self.do(study, "move", project=project))

    def send(self, study: str, peer: str) -> jobs.Job:
        """Send the originals to a DICOM node."""
        return cast(jobs.Job, self.do(study, "send", peer=peer))

    def export(self, uids: Sequence[str]) -> jobs.Job:
        """Make pseudonymised copies; `save_export` fetches them when the job is done."""
        return cast(jobs.Job, self._post("/export", studies=list(uids)))

    def save_export(self, job: str, to: Path) -> Path:
        """Write the zip that an export made."""
        return self.connection.save(f"{self.path}/exports/{job}", Path(to))


class Findings(Noun[findings.Result, findings.Whole]):
    """Results."""

    def send(self, result: str, peer: str, kinds: Sequence[str]) -> findings.Sent:
        """Send a result to a peer, again or for the first time."""
        return cast(findings.Sent, self.do(result, "send", peer=peer, kinds=[*kinds]))


class Predictions(Noun[predictions.Predictions, predictions.Predictions]):
    """Releases that read now."""

    def study(self, release: str, study: str, series: str | None = None) -> predictions.Predictions:
        """Let a release read a study or a series."""
        said = self._post("", release=release, study=study, series=series)
        return cast(predictions.Predictions, said)

    def files(self, release: str, source: str, path: str = "", **more: Any) -> jobs.Job:
        """Let a release read files of a source."""
        return cast(jobs.Job, self._post("/files", release=release, source=source, path=path, **more))

    def explanations(self, release: str, source: str, path: str = "", **more: Any) -> jobs.Job:
        """Show what in files of a source leads to the answers."""
        return cast(jobs.Job, self._post("/explanations", release=release, source=source, path=path, **more))


class Readings(Noun[readings.Reading, readings.Reading]):
    """What readers decided."""

    def write(self, result: str, verdict: str, shown: dict[str, Any], **more: Any) -> readings.Reading:
        """Decide: `accept`, `reject` with `reason`, `amend` with `amended` or `added`, or `unsure`."""
        said = self._post("", result=result, verdict=verdict, shown=shown, **more)
        return cast(readings.Reading, said)


class Feedback(Noun[feedback.Feedback, feedback.Feedback]):
    """Readings turned into label changes."""

    def write(self, reading: str, labels: dict[str, Any]) -> feedback.Feedback:
        """Say which labels are right."""
        return cast(feedback.Feedback, self._post("", reading=reading, labels=labels))


class Gathered(Noun[of_nouns.Owned, of_nouns.WithRecord]):
    """Answers of readers as folders of label changes: paths of the source `feedback`."""

    def gather(self, **which: Any) -> jobs.Job:
        """Turn answers into label changes: of a `project`, `release` or `labelling`, `since`, with `newest`."""
        return cast(jobs.Job, self._post("", **which))


class Datasets(Noun[of_nouns.Owned, datasets.Dataset]):
    """Data sets, and data before it is one."""

    def sources(self) -> Sequence[str]:
        """Folders of data that may be named."""
        found: dict[str, Any] = self.connection.json("GET", "/sources")
        return cast(Sequence[str], found["items"])

    def ask(self, verb: str, **body: Any) -> jobs.Job:
        """`check`, `radiomics`, `longitudinal`, `search` or `synthesize`."""
        return cast(jobs.Job, self._post(f"/{verb}", **body))


class Plans(Noun[of_nouns.Owned, of_nouns.WithRecord]):
    """Plans."""

    def write(self, source: str, path: str = "", **more: Any) -> jobs.Job:
        """Check data, freeze it, and make a plan."""
        return cast(jobs.Job, self._post("", source=source, path=path, **more))


class Runs(Noun[of_nouns.Owned, of_nouns.WithRecord]):
    """Trainings."""

    def train(self, plan: str, **more: Any) -> jobs.Job:
        """Train what a plan says."""
        return cast(jobs.Job, self._post("", plan=plan, **more))

    def pretrain(self, source: str, path: str = "", **more: Any) -> jobs.Job:
        """Learn from images without labels."""
        return cast(jobs.Job, self._post("/pretrain", source=source, path=path, **more))

    def log(self, run: str, last: int = 200) -> runs.Log:
        """The last lines of a run's log."""
        return cast(runs.Log, self.connection.json("GET", f"{self._at(run)}/log", None, last=last))


class Evaluations(Noun[of_nouns.Owned, of_nouns.WithRecord]):
    """Evaluations."""

    def evaluate(self, release: str, source: str, path: str = "", **more: Any) -> jobs.Job:
        """Measure a release on other labelled data."""
        return cast(jobs.Job, self._post("", release=release, source=source, path=path, **more))

    def compare(self, one: str, other: str, source: str, path: str = "", **more: Any) -> jobs.Job:
        """Compare two releases on the same cases."""
        return cast(jobs.Job, self._post("/compare", one=one, other=other, source=source, path=path, **more))


class Releases(Noun[releases.Release, releases.WholeRelease]):
    """Releases."""

    def fit(self, source: str, path: str = "", **more: Any) -> jobs.Job:
        """From data to a candidate release."""
        return cast(jobs.Job, self._post("", source=source, path=path, **more))

    def adopt(self, source: str, manifest: str, **more: Any) -> jobs.Job:
        """Take a network that others made."""
        said = {"source": source, "manifest_source": source, "manifest": manifest, **more}
        return cast(jobs.Job, self._post("/adopt", **said))

    def sign(self, release: str, licence: str | None = None) -> releases.Release:
        """Sign a candidate with one's own name."""
        return cast(releases.Release, self.do(release, "sign", licence=licence))

    def serve(self, release: str) -> releases.Release:
        """Put a signed release into service again."""
        return cast(releases.Release, self.do(release, "serve"))

    def withdraw(self, release: str, reason: str) -> releases.Release:
        """Take a release out of service."""
        return cast(releases.Release, self.do(release, "withdraw", reason=reason))

    def export(self, release: str, to: str) -> jobs.Job:
        """Write its network as `onnx` or `openvino`."""
        return cast(jobs.Job, self.do(release, "export", to=to))

    def save(self, name: str, to: Path, part: str = "files") -> Path:
        """Write its `files` (a zip), its `report` or its `card`."""
        return self.connection.save(f"{self._at(name)}/{part}", Path(to))
