"""What a network starts from, as a user asks for it: a release, a pretrained encoder, a file; and frozen stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from diascope.core.case import Case, Dataset, FileRef
from diascope.core.errors import BadUsage, DataRefused, UnknownName
from diascope.core.plan import Choice, Plan
from diascope.engine.building import build_network
from diascope.engine.foreign import tensors_of
from diascope.engine.starting import Match, file_hash, freeze, take
from diascope.planning.draft import Draft
from diascope.store.releases import ENCODER, open_encoder, open_release
from diascope.store.workspace import Workspace

NETWORK = ("model", "model_options")
"""Plan fields that say what the network is: a release's weights fit no other."""
SHOWN = 20
"""Names in a file that nothing was taken from, of which a plan keeps the first."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Beginning:
    """What `--from` names.

    Args:
        label: Of the release or encoder.
        seal: Its hash.
        file: Its weights; of several networks the first one's.
        plan: It was trained with.
        dataset: It was trained on.
        labelled: Whether it learnt from labels.
        note: What the user should know.
    """

    label: str
    seal: str
    file: Path
    plan: Plan
    dataset: str
    labelled: bool
    note: str = ""


def beginning(workspace: Workspace, name: str) -> Beginning:
    """Open a release, or what `pretrain` made; every byte is verified.

    Raises:
        UnknownName: When there is neither.
        Tampered: When its bytes were changed.
    """
    folder = _place(workspace, name)
    if (folder / ENCODER).is_file():
        encoder = open_encoder(folder)
        found = encoder.encoder
        return Beginning(found.label, found.seal, folder / found.weights, encoder.plan, found.dataset, labelled=False)
    opened = open_release(folder)
    release = opened.release
    note = f"the first of its {len(release.members)} networks" if len(release.members) > 1 else ""
    return Beginning(release.label, release.seal, folder / release.members[0], opened.plan, release.dataset, True, note)


def _place(workspace: Workspace, name: str) -> Path:
    known: list[str] = []
    for family in ("releases", "encoders"):
        try:
            return workspace.find(family, name)
        except UnknownName as error:
            known += error.known
    raise UnknownName("release or pretrained encoder", name, known, todo="Make one: diascope pretrain SOURCE")


def started_from(
    begin: Beginning, workspace: Workspace, dataset: Dataset, by_hand: Mapping[str, Any], say: Say
) -> dict[str, Any]:
    """The fields set by hand with those that a start brings: its network, and where its weights are.

    Args:
        begin: From `beginning`.
        workspace: Where its data set may be.
        dataset: That is to be learnt from.
        by_hand: Plan fields set by the user.
        say: Told what is worth knowing.

    Raises:
        BadUsage: When the user asks for another network, or for another file besides.
        DataRefused: When it learnt the labels of cases that this fit would be tested on.
    """
    if "weights" in by_hand:
        raise BadUsage("weights come from one place", given=f"--from {begin.label} and --set weights=...")
    if by_hand.get("model", begin.plan["model"]) != begin.plan["model"]:
        raise BadUsage(
            f"{begin.label} is a {begin.plan['model']!r}, whose weights fit no other network",
            given=f"model={by_hand['model']}",
            todo="Leave the model out, or start from another release",
        )
    notes = [note for note in (begin.note, _seen_before(begin, workspace, dataset)) if note]
    for note in notes:
        say(f"{begin.label}: {note}")
    start = {"file": str(begin.file), "of": begin.label, "seal": begin.seal, "notes": notes}
    return {**{field: begin.plan[field] for field in NETWORK}, **by_hand, "weights": start}


def _seen_before(begin: Beginning, workspace: Workspace, dataset: Dataset) -> str:
    """Whether cases that will be tested were learnt from, by the bytes of their images."""
    index = workspace.datasets / begin.dataset / "dataset.json"
    if not index.is_file():
        return "its data set is not in this workspace: whether it has seen the cases of this test part is not known"
    learnt = _images(_learnt(Dataset.read(index)))
    tested = (
        dataset.cases if dataset.folds and not dataset.part("test") else (*dataset.part("test"), *dataset.part("val"))
    )
    both = [case for case in tested if _images([case]) & learnt]
    if not both:
        return ""
    words = f"{len(both)} of {len(tested)} cases that are tested or validated on here"
    if not begin.labelled:
        return f"it has seen the images of {words}, without their labels"
    raise DataRefused(
        f"{begin.label} has learnt the labels of {words}: their figures would flatter",
        given=f"it was trained on {begin.dataset}",
        todo="Start from a release of other patients, or give both the same split (a column `split`)",
        cases=[case.id for case in both],
    )


def _learnt(dataset: Dataset) -> tuple[Case, ...]:
    return tuple(case for case in dataset.cases if case.split != "test")


def _images(cases: Iterable[Case]) -> set[tuple[str, str | None]]:
    """What tells images apart whatever they are called: the hash of the bytes, and the part of the file."""
    refs = (ref for case in cases for ref in case.inputs.values() if isinstance(ref, FileRef))
    return {(ref.digest, ref.item) for ref in refs if ref.digest}


def begin_draft(draft: Draft, plan: Plan, say: Say) -> None:
    """Put `weights` and `freeze` into a draft whose network is chosen.

    Args:
        draft: Of a model that learns by gradient.
        plan: The draft so far.
        say: Told what was taken, and what was not.

    Raises:
        BadUsage: When no weight fits, or stages of fresh weights would be frozen.
        UnreadableFile: When the file cannot be read.
    """
    asked = draft.by_hand.get("weights")
    count = draft.put("freeze", 0, "fixed", "every stage is trained")
    if not asked:
        if count:
            raise BadUsage(
                "stages with fresh weights would be frozen, and learn nothing",
                given=f"freeze={count}",
                todo="Start from weights: --from RELEASE, or --set weights=FILE",
            )
        draft.choices["weights"] = Choice(value={}, kind="fixed", reason="fresh weights, drawn with the seed")
        return
    started, words = _started(plan, asked, count)
    draft.choices["weights"] = started
    say(words)
    of = asked.get("of", "") if isinstance(asked, Mapping) else ""
    for field in NETWORK if of else ():
        reason = f"those of {of}: its weights fit no other network"
        draft.choices[field] = draft.choices[field].model_copy(update={"reason": reason})


def _started(plan: Plan, asked: Any, count: int) -> tuple[Choice, str]:
    """The choice `weights`, and what was matched in words."""
    if not isinstance(asked, str | Mapping):
        raise BadUsage("the plan field 'weights' takes the path of a file", given=repr(asked))
    start = dict(asked) if isinstance(asked, Mapping) else {"file": str(Path(asked).resolve()), "of": "", "seal": ""}
    path, notes = Path(start["file"]), start.pop("notes", [])
    torch.manual_seed(plan.seed)
    network = build_network(plan)
    found = take(network, tensors_of(path))
    freeze(network, count)
    source = start["of"] or path.name
    words = "; ".join([f"{source}: {found.words}; the head starts fresh", *notes])
    value = {**start, "sha256": file_hash(path), **_record(found)}
    return Choice(value=value, kind="by hand", reason=f"given; the rule says fresh weights. {words}"), words


def _record(found: Match) -> dict[str, Any]:
    return {
        "taken": len(found.taken),
        "adapted": list(found.adapted),
        "fresh": list(found.left),
        "unused": list(found.unused[:SHOWN]),
    }


def refuse_start(draft: Draft) -> None:
    """Refuse weights for a model that is fitted at once.

    Raises:
        BadUsage: Names the model.
    """
    given = [field for field in ("weights", "freeze") if draft.by_hand.get(field)]
    if given:
        model = draft.choices["model"].value
        raise BadUsage(
            f"the model {model!r} is fitted at once and starts from nothing", given=", ".join(given),
            todo="Leave it out, or choose a network with --set model=NAME",
        )  # fmt: skip


def plan_started_from(begin: Beginning, workspace: Workspace, dataset: Dataset, plan: Plan, say: Say) -> Plan:
    """A plan that was made without a start, with one.

    Raises:
        BadUsage: When it has one, or no weight fits.
        DataRefused: See `started_from`.
    """
    if "weights" not in plan.choices or plan["weights"]:
        raise BadUsage(f"the plan starts from {plan['weights']['of'] or plan['weights']['file']}"
                       if "weights" in plan.choices else f"the model {plan['model']!r} starts from nothing",
                       given=f"--from {begin.label}", todo="Plan again with --from")  # fmt: skip
    fields = started_from(begin, workspace, dataset, {"model": plan["model"]}, say)
    choice, words = _started(plan, fields["weights"], plan["freeze"])
    say(words)
    return plan.model_copy(update={"choices": {**plan.choices, "weights": choice}})
