"""check: audit a data set before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diascope.checks.judging.verdict import verdict
from diascope.core import registry
from diascope.core.case import Case, Target
from diascope.core.errors import BadUsage, DataRefused
from diascope.core.problem import Problem
from diascope.core.record import write_durably
from diascope.engine.progress import Tell, silent
from diascope.planning.looked import Looked
from diascope.planning.survey import take_survey
from diascope.reports.html import render_check
from diascope.sources import Listing, Request, recognise
from diascope.sources.publicsets.locating import located
from diascope.store.workspace import Workspace, free_name

PRIMARY = ("label", "class", "target", "diagnosis", "mask", "organs")
"""Of several possible targets, one with such a name is meant where the user names none."""


@dataclass(frozen=True)
class Checked:
    """What an audit found."""

    source: str
    cases: int
    patients: int
    problems: tuple[Problem, ...]
    refusing: tuple[Problem, ...]
    notes: tuple[str, ...]
    report: Path

    def to_json(self) -> dict[str, Any]:
        """What `diascope check --json` prints."""
        return {
            "source": self.source,
            "cases": self.cases,
            "patients": self.patients,
            "refused": [one.check for one in self.refusing],
            "problems": [one.model_dump(mode="json", exclude={"figure"}) for one in self.problems],
            "notes": list(self.notes),
            "report": str(self.report),
        }


def check(workspace: Workspace, request: Request, tell: Tell = silent, lang: str = "en") -> Checked:
    """Audit a data set and write `check.html`.

    Args:
        workspace: Where `reports/` is.
        request: Which data; a target is looked at where one is named or the only one.
        tell: Told about progress.
        lang: Language of the page.
    """
    looked = look(request, tell, need_target=request.options.target is not None)
    refusing = verdict(looked.problems, len(looked.cases), request.accept)
    patients = len({case.patient for case in looked.cases})
    title = Path(request.location).name or request.location
    page = render_check(title, request.location, len(looked.cases), patients, looked.problems, looked.notes, lang)
    path = workspace.reports / f"{free_name(workspace.reports, f'check-{_plain(title)}', '.html')}.html"
    write_durably(path, page.encode())
    return Checked(looked.source, len(looked.cases), patients, looked.problems, refusing, looked.notes, path)


def _plain(title: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in title)


def look(request: Request, tell: Tell = silent, need_target: bool = True) -> Looked:
    """List a source, read every case once and run every check.

    Raises:
        BadUsage: When the target or task is ambiguous.
        DataRefused: When nothing can be learnt from it.
    """
    place = located(request.location, tell)
    for note in place.notes:
        tell({"event": "phase", "message": note})
    name = recognise(place.location, request.source)
    tell({"event": "phase", "message": f"listing {request.location} as {name}"})
    listing: Listing = registry.get("sources", name).list(place.location, request.options)
    if not listing.cases:
        raise DataRefused(f"no case in {request.location}", todo="See docs/how-to/layouts.md")
    task, target = choose_target(listing, request, need_target)

    def progress(done: int, total: int) -> None:
        tell({"event": "progress", "what": "reading", "done": done, "total": total})

    cases = tuple(_without_answer(case, target) for case in listing.cases)
    survey = take_survey(cases, listing.root, target, progress=progress)
    tell({"event": "phase", "message": "checking"})
    problems = [*listing.problems]
    for _, check in registry.each("checks"):
        problems += check.look(survey)
    if task is not None and target is not None:
        problems += registry.get("tasks", task).problems(cases, target)
    notes = (*place.notes, *listing.notes)
    return Looked(name, cases, notes, task, target, survey, tuple(problems))


def _without_answer(case: Case, target: Target | None) -> Case:
    """A case whose covariates do not hold the target: else probes and subgroups would see the answer."""
    if target is None:
        return case
    kept = {name: value for name, value in case.covariates.items() if name not in target.columns}
    return case.model_copy(update={"covariates": kept})


def choose_target(listing: Listing, request: Request, need: bool) -> tuple[str | None, Target | None]:
    """The one task and target that fit, or a clear question.

    Raises:
        BadUsage: When several fit and the user did not choose; names them.
        DataRefused: When none fits.
    """
    wanted = request.options.target
    targets = tuple(target for target in listing.targets if wanted is None or target.name == wanted)
    tasks = registry.names("tasks") if request.task == "auto" else (request.task,)
    fitting = [(task, target) for task in tasks for target in registry.get("tasks", task).claim(targets)]
    if request.task == "auto":
        # A task that learns from the inputs alone fits everything: it is meant only when it is named.
        fitting = [(task, target) for task, target in fitting if target.columns]
    if len(fitting) > 1 and wanted is None:
        fitting = _primary(fitting)
    if len(fitting) == 1:
        return fitting[0]
    if not need:
        return None, None
    if not fitting:
        known = ", ".join(f"{target.name} ({target.kind})" for target in listing.targets) or "none"
        raise DataRefused(
            f"no task can learn {'the target ' + repr(wanted) if wanted else 'anything'} from {request.location}",
            given=f"possible targets: {known}",
            todo="Give labels (docs/how-to/layouts.md), or choose with --target and --task",
        )
    words = "; ".join(f"--task {task} --target {target.name}" for task, target in fitting)
    raise BadUsage(
        f"{len(fitting)} things could be learnt from {request.location}", given=words, todo="Choose one of them"
    )


def _primary(fitting: Sequence[tuple[str, Target]]) -> list[tuple[str, Target]]:
    for name in PRIMARY:
        chosen = [pair for pair in fitting if pair[1].name == name]
        if chosen:
            return chosen
    return list(fitting)
