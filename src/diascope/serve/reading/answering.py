"""From jobs `read` to results: what a release says about each series, or why there is nothing to say.

Not available is never negative (G2): a release that refuses, is missing, changed or withdrawn, and data that can't be
read, give a result that says so. A result is made of the objects of its own series alone, in a folder of its own; what
is written is looked at once more before it is kept (K1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from diascope.core.errors import DataRefused, DiascopeError, UnknownName
from diascope.core.evaluation import Release
from diascope.core.result import Algorithm, Made
from diascope.serve.jobs.queue import Job, LostLease
from diascope.serve.reading.hearing import Said, drawn, hear
from diascope.serve.reading.keeping import Result, discard, keep, unavailable
from diascope.serve.reading.materialising import materialised
from diascope.serve.reading.question import Question, asked
from diascope.serve.reading.writing import objects, printed
from diascope.serve.service import Service
from diascope.stages.predict import Predictor

if TYPE_CHECKING:
    from diascope.serve.jobs.worker import Context

TOGETHER = 8
"""Small pictures that are read together, where so many wait."""


@dataclass(frozen=True)
class Reading:
    """One job and those that are read together with it.

    Args:
        service: Whose.
        context: Of the jobs.
    """

    service: Service
    context: Context

    def answer(self, job: Job) -> None:
        """Ask the release of a job about its series, and about those of other jobs where they are small pictures.

        Raises:
            DiascopeError: When another try may help.
        """
        try:
            with ExitStack() as stack:
                self._answered(job, stack)
        except (DataRefused, UnknownName) as error:
            for question in self._questions(list(self.context.held.values())):
                self.not_available(question, error)

    def not_available(self, question: Question, error: DiascopeError, release: Release | None = None) -> None:
        """Keep a result that says why there is none; `release` where it could be opened."""
        reason, seal = error.wrong, release.seal if release is not None else ""
        said = unavailable(question, reason, self._now().isoformat(timespec="seconds"), release)
        self._end(question, Result(question.result_id(seal), seal, "unavailable", said, reason))

    def give_up(self, job: Job, error: DiascopeError) -> None:
        """The same after the last try."""
        for question in self._questions([job]):
            self.not_available(question, error)

    def _questions(self, jobs: Sequence[Job]) -> list[Question]:
        found = []
        for job in jobs:
            with self.service.database.reading() as connection:
                question = asked(connection, job)
            if isinstance(question, Question):
                found.append(question)
            else:
                self._done(job, question)
        return found

    def _done(self, job: Job, why: str) -> None:
        try:
            self.context.done(job, {"skipped": why})
        except LostLease:
            self.context.lost(job)

    def _answered(self, job: Job, stack: ExitStack) -> None:
        with self.context.warm.open(job.payload["release"]) as predictor:
            jobs = [job, *(self.context.more("release", TOGETHER - 1) if _small(predictor) else ())]
            questions = self._questions(jobs)
            folders = self._folders(predictor, questions, stack)
            self.context.check()
            said = hear(predictor, folders)
        self.context.check()
        for question in questions:  # another thread may ask the release meanwhile
            if question.job.id in folders:
                self._conclude(predictor, question, said[question.job.id], folders[question.job.id])

    def _folders(self, predictor: Predictor, questions: Sequence[Question], stack: ExitStack) -> dict[str, Path]:
        """A folder for each question whose data can be read; of the others it is said that they are not available."""
        folders: dict[str, Path] = {}
        for question in questions:
            try:
                folders[question.job.id] = stack.enter_context(materialised(self.service, question))
            except DataRefused as error:
                self.not_available(question, error, predictor.opened.release)
        return folders

    def _conclude(self, predictor: Predictor, question: Question, said: Said | DiascopeError, folder: Path) -> None:
        release = predictor.opened.release
        if isinstance(said, DiascopeError):
            self.not_available(question, said, release)
            return
        name = question.result_id(release.seal)
        if said.why:
            self._end(question, Result(name, release.seal, "unavailable", said.findings, said.why))
            return
        try:
            made = self._made(predictor, question, said, name)
            written = objects(self.service, question, said.findings, made, folder)
            result = Result(name, release.seal, "answered", written.findings, "", written.arrivals)
            if (one := said.prediction) is not None:
                result = replace(result, features=one.features, distance=one.distance)
            self._end(question, result)
        except DataRefused as error:
            self.not_available(question, error, release)

    def _made(self, predictor: Predictor, question: Question, said: Said, name: str) -> Made:
        sent = {kind for kinds in question.sends.values() for kind in kinds}
        made = Made(
            result=name,
            at=self._now(),
            algorithm=Algorithm.of(predictor.opened.release),
            mask=said.prediction.mask if said.prediction else None,
            picture=drawn(predictor, said) if sent & {"sc", "pdf"} else None,
        )
        return replace(made, report=printed(self.service, question, said.findings, made)) if "pdf" in sent else made

    def _end(self, question: Question, result: Result) -> None:
        """Keep a result and end its job; a job that is another's now leaves nothing behind."""
        kept: dict[str, Any] = {}

        def work(connection: Connection) -> Mapping[str, Any]:
            kept.clear()  # it may run twice
            kept.update(keep(self.service, connection, question, result))
            return kept

        try:
            self.context.done(question.job, {}, work)
        except LostLease:
            kept.clear()
            self.context.lost(question.job)
        except DiascopeError:
            discard(self.service, result.objects)
            raise
        if kept.get("result") != result.id or kept.get("again"):
            discard(self.service, result.objects)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.service.clock(), UTC)


def _small(predictor: Predictor) -> bool:
    return bool(predictor.opened.plan.choices.get("patch")) and predictor.opened.plan["patch"][0] == 1
