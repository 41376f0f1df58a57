"""check: audit a data set before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diascope.checks.judging.verdict import because, verdict
from diascope.core import registry
from diascope.core.case import Case, FileRef, TableRef, Target
from diascope.core.errors import BadUsage, DataRefused, UnknownName
from diascope.core.plan import Plan
from diascope.core.problem import Problem
from diascope.core.record import write_durably
from diascope.engine.aligning import columns_correspond
from diascope.engine.progress import Tell, silent
from diascope.formats.tables.words import number_of
from diascope.planning.looked import Looked
from diascope.planning.survey import take_survey
from diascope.reports.html import render_check
from diascope.reports.words import choose as choose_words
from diascope.sources import Listing, Request, recognise
from diascope.sources.publicsets.locating import located
from diascope.sources.studies.unlabelled import columns_beside, columns_read
from diascope.sources.tables.columns import likeliest, plain
from diascope.sources.tables.reading import INPUT, completed, only, with_columns, without_images
from diascope.sources.tables.targets import NO_CLASSES
from diascope.store.workspace import Workspace, free_name

OF_TARGET = "target"
"""What tasks call what they find wrong with their target (`Problem.check`), beside the names of the checks."""
MISSING_INPUTS = "missing_inputs"
SAYS_NOTHING = ("mask", "masks", "label", "labels")
"""Names of masks that any data may use, each for another structure (in DRIVE `mask` is the field of view)."""


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

    @property
    def because(self) -> tuple[str, ...]:
        """Why the data would be refused, and what to do, line by line; empty where it can be used."""
        return because(self.refusing, self.cases)

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
        request: Which data; where no target is named and several fit, none is looked at, and that is said loudly.
        tell: Told about progress.
        lang: Language of the page.
    """
    choose_words(lang)  # another language is refused before the work
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


def look(request: Request, tell: Tell = silent, need_target: bool = True, plans: Sequence[Plan] = ()) -> Looked:
    """List a source, read every case once and run every check.

    Args:
        request: Which data.
        tell: Told about progress.
        need_target: Whether a target that cannot be told is an error; it is a warning otherwise.
        plans: Of releases that are to read the data: their inputs are read, and the first one's target is meant.

    Raises:
        BadUsage: When the target or task is ambiguous, or a finding is accepted that no check can make.
        DataRefused: When nothing can be learnt from it.
    """
    _refuse_unknown(request)
    place = located(request.location, tell)
    for note in place.notes:
        tell({"event": "phase", "message": note})
    name = recognise(place.location, request.source)
    tell({"event": "phase", "message": f"listing {request.location} as {name}"})
    ours = plans[0].target if plans else None
    listing = _listing(name, place.location, _reading(request, plans), ours)
    if not listing.cases:
        raise DataRefused(f"no case in {request.location}", todo="See docs/how-to/layouts.md")
    problems = [*listing.problems]
    task, target = None, None
    try:
        task, target = choose_target(listing, request, ours)
    except (BadUsage, DataRefused) as error:
        if need_target:
            raise
        problems.append(_no_target(error))
    asked = without_images(_inputs_of(listing, request, plans), listing.targets, target)
    cases, dropped = _same_inputs([_without_answer(case, target) for case in asked], plans)
    problems += dropped

    def progress(done: int, total: int) -> None:
        tell({"event": "progress", "what": "reading", "done": done, "total": total})

    survey = take_survey(cases, listing.root, target, progress=progress)
    tell({"event": "phase", "message": "checking"})
    for _, check in registry.each("checks"):
        problems += check.look(survey)
    if task is not None and target is not None:
        problems += registry.get("tasks", task).problems(cases, target)
    notes = (*place.notes, *listing.notes, *_on_target(listing, request, target))
    return Looked(name, tuple(cases), notes, task, target, survey, tuple(problems), place.licence or listing.licence)


def _inputs_of(listing: Listing, request: Request, plans: Sequence[Plan]) -> list[Case]:
    """Cases with the inputs that were asked for, or that releases read."""
    cases = with_columns(listing.cases, request.options.reads)
    for plan in plans:
        cases = completed(cases, columns_beside(plan))
    asked, read = request.options.inputs, (INPUT,) if request.options.reads else ()
    return only(cases, tuple(dict.fromkeys((*asked, *read))) if asked else ())


def _refuse_unknown(request: Request) -> None:
    if request.task != "auto":
        registry.get("tasks", request.task)
    known = {*registry.names("checks"), *registry.names("tasks"), OF_TARGET}
    for name in request.accept:
        if name not in known:
            raise UnknownName("check whose finding could be accepted", name, known)


def _reading(request: Request, plans: Sequence[Plan]) -> Request:
    """The request, with the columns that releases read."""
    columns = tuple(dict.fromkeys(column for plan in plans for column in columns_read(plan)))
    return request.model_copy(update={"options": request.options.model_copy(update={"columns": columns})})


def _listing(source: str, location: str, request: Request, ours: Target | None) -> Listing:
    """What a source lists; the target that a release calls its own is looked for first where the user names none.

    By its columns, then by its name, but not by a name that says nothing: where several masks could be meant, the
    source asks.
    """
    plugin, options = registry.get("sources", source), request.options
    says = ours is not None and not (ours.kind == "mask" and plain(ours.name) in SAYS_NOTHING)
    if ours is not None and says and options.target is None:
        for asked in dict.fromkeys(filter(None, (",".join(ours.columns), ours.name))):
            try:
                own: Listing = plugin.list(location, options.model_copy(update={"target": asked}))
                return own
            except UnknownName as error:
                if error.name not in (asked, *ours.columns):
                    raise
    listing: Listing = plugin.list(location, options)
    return listing


def _same_inputs(cases: Sequence[Case], plans: Sequence[Plan]) -> tuple[list[Case], list[Problem]]:
    """Cases with the image inputs that can be meant, and what was left out.

    An input that most cases lack is none: the cases that have it would be learnt without the others. Releases read
    their own inputs, whatever else there is.
    """
    counts = Counter(name for case in cases for name in _images(case))
    wanted = {name for plan in plans for name in plan["image_inputs"]}
    if wanted and wanted <= counts.keys():
        left_out = counts.keys() - wanted
    else:
        left_out = {name for name, number in counts.items() if 2 * number < len(cases)}
    kept = [
        case.model_copy(update={"inputs": {k: ref for k, ref in case.inputs.items() if k not in left_out}})
        for case in cases
    ]
    if plans:
        return kept, []
    return kept, [
        Problem(
            check=MISSING_INPUTS,
            severity="warn",
            title=f"THE INPUT {name!r} IS LEFT OUT: {len(cases) - counts[name]} of {len(cases)} cases lack it",
            detail="A model reads all of its inputs for every case, and most cases do not have this one. Give it to "
            "them, or list those that have it as a data set of their own.",
            cases=tuple(case.id for case in cases if name in case.inputs),
        )
        for name in sorted(left_out)
    ]


def _images(case: Case) -> list[str]:
    return [name for name, ref in case.inputs.items() if isinstance(ref, FileRef) and ref.kind == "image"]


def _without_answer(case: Case, target: Target | None) -> Case:
    """A case whose covariates and rows do not hold the target: else probes, subgroups and models would see it."""
    if target is None:
        return case
    kept = {name: value for name, value in case.covariates.items() if name not in target.columns}
    inputs = {
        name: ref.without(target.columns) if isinstance(ref, TableRef) else ref for name, ref in case.inputs.items()
    }
    targets = dict(case.targets)
    if target.kind == "number" and isinstance(cell := targets.get(target.columns[0]), str):
        targets[target.columns[0]] = number_of(cell)  # listed as a class, as a few counts are
    return case.model_copy(update={"covariates": kept, "inputs": inputs, "targets": targets})


def _no_target(error: Exception) -> Problem:
    return Problem(
        check=OF_TARGET,
        severity="warn",
        title="NO TARGET WAS LOOKED AT: class counts, missing labels and shortcuts are unknown",
        detail=str(error),
    )


def _on_target(listing: Listing, request: Request, target: Target | None) -> list[str]:
    """Which of several targets was taken where the user named none."""
    others = [one.name for one in listing.targets if one != target and one.kind not in NO_CLASSES]
    if target is None or request.options.target is not None or not others:
        return []
    return [f"target: {target.name!r}; --target chooses another: {', '.join(others)}"]


def choose_target(listing: Listing, request: Request, ours: Target | None = None) -> tuple[str, Target]:
    """The one task and target that fit, or a clear question.

    Args:
        listing: Its possible targets.
        request: What the user chose.
        ours: Target of a release of the task that was asked for: the one that corresponds to it is meant.

    Raises:
        BadUsage: When several fit and the user did not choose; names them.
        DataRefused: When none fits.
    """
    wanted = request.options.target
    asked = None if wanted is None else ",".join(part.strip() for part in wanted.split(","))
    targets = tuple(
        target for target in listing.targets if asked is None or asked in (target.name, ",".join(target.columns))
    )
    tasks = registry.names("tasks") if request.task == "auto" else (request.task,)
    fitting = [(task, target) for task in tasks for target in registry.get("tasks", task).claim(targets)]
    if ours is not None:
        found = _corresponding([*targets, *(target for _, target in fitting)], ours)
        fitting = [(request.task, target) for target in found]
    else:
        # A task that learns from the inputs alone, or takes a target for something else than it is listed as, fits
        # everything: it is meant only when it is named.
        fitting = [(task, target) for task, target in fitting if target in targets or request.task != "auto"]
        if wanted is None:
            # A number may be a code of classes: whether it is one to learn, the user says.
            fitting = _meant([pair for pair in fitting if pair[1].kind != "number" or request.task != "auto"], targets)
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise _nothing(listing, request)
    words = "; ".join(f"--task {task} --target {target.name}" for task, target in fitting)
    raise BadUsage(
        f"{len(fitting)} things could be learnt from {request.location}", given=words, todo="Choose one of them"
    )


def _meant(fitting: Sequence[tuple[str, Target]], targets: Sequence[Target]) -> list[tuple[str, Target]]:
    """The target that is named like one. Where that makes no classes, no other column stands in for it."""
    named = next((one for one in targets if one.name == likeliest(target.name for target in targets)), None)
    left = list(fitting)
    if named is not None and named.kind in NO_CLASSES and named not in [target for _, target in fitting]:
        left = [pair for pair in fitting if pair[1].kind != "category"]
    first = likeliest(target.name for _, target in left)
    return [pair for pair in left if pair[1].name == first] or left


def _corresponding(targets: Sequence[Target], ours: Target) -> list[Target]:
    """Targets that a release can be measured on: those of its kind, by its own name, else by their labels.

    A part of the labels is enough: one class alone still has a sensitivity.
    """
    fitting = [one for one in targets if one.kind == ours.kind and columns_correspond(one, ours)]
    # A target that the task claims as something else than it is listed as counts once, as the release's own is.
    fitting.sort(key=lambda one: one.ordered == ours.ordered)
    alike = list({(one.name, one.columns): one for one in fitting}.values())
    named = [one for one in alike if plain(one.name) == plain(ours.name)]
    known = {label.name for label in ours.labels}
    labelled = [one for one in alike if {label.name for label in one.labels} <= known]
    return named or labelled or (alike if len(alike) == 1 else [])


def _nothing(listing: Listing, request: Request) -> DataRefused:
    wanted = request.options.target
    name = wanted or likeliest(target.name for target in listing.targets)
    why = next((NO_CLASSES[one.kind] for one in listing.targets if one.name == name and one.kind in NO_CLASSES), "")
    known = ", ".join(f"{target.name} ({target.kind})" for target in listing.targets) or "none"
    parts = any(target.kind == "mask" for target in listing.targets)
    return DataRefused(
        f"no task can learn {f'the target {name!r}' if wanted or why else 'anything'} from {request.location}"
        + (f": {why}" if why else ""),
        given=f"possible targets: {known}",
        todo="Give labels (docs/how-to/layouts.md), or choose with --target and --task"
        + ("; boxes around what masks mark are listed by --source mask_boxes" if parts else ""),
    )
