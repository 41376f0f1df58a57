"""What may be done on the pages of trainings: forms that the page's script sends to the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from diascope.core import registry
from diascope.reports.markup import Child, Markup, tag
from diascope.serve.http.routes.jobs import Job
from diascope.serve.room.training import Upload, again, place_of, refused_by, said_of
from diascope.serve.room.words import Words
from diascope.serve.settings import WORKSPACE_SOURCES

MINUTES = 15.0
CHOICES = (5.0, 15.0, 60.0, 240.0)
"""Minutes that are offered."""


@dataclass(frozen=True)
class Form:
    """A form and what is sent beside its fields.

    Args:
        name: Of the form in the page.
        path: Of the API.
        content: Its fields.
        body: What is sent with them.
        method: Of the request.
        main: Whether its button stands out.
    """

    name: str
    path: str
    content: Child
    body: Mapping[str, Any] = field(default_factory=dict)
    method: str = "POST"
    main: bool = True

    def markup(self, words: Words, **said: str) -> Markup:
        """The form; its button says `training.<kind>.do`."""
        kind = self.name.partition("-")[0]
        do = tag("button", words(f"training.{kind}.do", **said), type="submit", class_="main" if self.main else None)
        return tag(
            "form", self.content, do, id=self.name, data_path=self.path, data_method=self.method, class_=f"ask {kind}"
        )


def bodies(forms: Sequence[Form]) -> dict[str, Any]:
    """What the script sends beside the fields, by the name of the form."""
    return {one.name: dict(one.body) for one in forms}


def checking(
    words: Words, places: tuple[Sequence[str], Sequence[Upload]], own: Sequence[tuple[str, str]], like: Job | None
) -> Form:
    """The first step: which data, and what is said about it.

    Args:
        words: Of the visitor.
        places: Sources of the settings, and uploads.
        own: Id and name of the projects that what is made may belong to.
        like: A job whose data is meant again.
    """
    before = said_of(like) if like else {}
    body = {} if len(own) != 1 else {"project": own[0][0]}
    content: list[Markup | None] = [
        _project(words, own, str(before.get("project", ""))) if len(own) > 1 else None,
        _where(words, *places, place_of(like) if like else ("", "")),
        tag(
            "details",
            tag("summary", words("training.more")),
            tag("p", words("training.more.lead"), class_="quiet"),
            entry(words, "target", value=str(before.get("target", ""))),
            entry(words, "patient", value=str(before.get("patient", ""))),
            _task(words, str(before.get("task", "auto"))),
            entry(words, "without", value=", ".join(before.get("without", [])), kind="list"),
            open=bool(before.keys() & {"target", "patient", "without"}) or None,
        ),
    ]
    return Form("check", "/datasets/check", content, {**body, "lang": words.lang})


def planning(words: Words, job: Job) -> Form:
    """After the check: what may be spent; what the check refuses is accepted one by one."""
    refused = refused_by(job)
    said = {name: value for name, value in said_of(job).items() if name != "minutes"}
    asked = tag("fieldset", tag("legend", words("training.accept")), [_accepted(words, one) for one in refused])
    content: list[Markup | None] = [asked if refused else None, _budget(words, "plan")]
    accepted = list(job.payload.get("options", {}).get("accept", []))
    return Form("plan", "/plans", content, {**said, "accept": accepted})


def replanning(words: Words, job: Job) -> Form:
    """Another budget for the same data."""
    options = job.payload.get("options", {})
    body = {**said_of(job), "accept": list(options.get("accept", []))}
    given = float(body.pop("minutes", MINUTES))
    return Form("replan", "/plans", _budget(words, "replan", given), body, main=False)


def starting(words: Words, plan: str) -> Form:
    """Training by a plan."""
    return Form("start", "/runs", None, {"plan": plan, "lang": words.lang})


def cancelling(job: Job) -> Form:
    """Stop a job."""
    return Form("cancel", f"/jobs/{job.id}/cancel", None, main=False)


def retrying(job: Job) -> Form:
    """Try a job again."""
    return Form("retry", f"/jobs/{job.id}/retry", None)


def comparing(words: Words, job: Job, release: str, others: Sequence[str], places: tuple[Any, Any]) -> Form:
    """Two releases on data that neither has learnt from."""
    options = [tag("option", one, value=one) for one in others]
    select = tag("select", options, id="compare-other", name="other")
    content: list[Markup | None] = [
        tag("p", words("training.compare.means"), class_="quiet"),
        tag("p", tag("label", words("training.other"), for_="compare-other"), select, class_="field"),
        *_places(words, "compare", *places, ("", "")),
    ]
    return Form("compare", "/evaluations/compare", content, {"one": release, "project": job.project}, main=False)


def signing(words: Words, release: str, name: str) -> Form:
    """A name under a candidate."""
    content: list[Markup | None] = [
        tag("p", words("training.sign.lead", name=name)),
        entry(words, "name", required=True, hint=name),
        entry(words, "reason", required=True),
        entry(words, "licence"),
    ]
    return Form("sign", f"/releases/{release}/sign", content)


def removing(number: int, one: Upload) -> Form:
    """Delete an upload, or gathered feedback."""
    of = "uploads" if one.source == "uploads" else "gathered"
    return Form(f"remove-{number}", f"/{of}/{one.noun.name}", None, method="DELETE", main=False)


def gathering(words: Words, own: Sequence[tuple[str, str]]) -> Form:
    """Turn what readers answered into labels."""
    box = tag("input", type="checkbox", name="newest", id="gather-newest", data_kind="flag")
    content: list[Markup | None] = [
        _project(words, own, "", "gather") if len(own) > 1 else None,
        tag("p", box, " ", tag("label", words("training.newest"), for_="gather-newest")),
    ]
    return Form("gather", "/gathered", content, {} if len(own) != 1 else {"project": own[0][0]}, main=False)


def entry(
    words: Words, name: str, value: str = "", kind: str = "text", required: bool = False, hint: str = ""
) -> Markup:
    """A line of text."""
    made = tag(
        "input", id=f"ask-{name}", name=name, type="text", value=value or None, maxlength=256, required=required,
        data_kind=kind, autocomplete="off", placeholder=hint or None,
        aria_describedby=f"ask-{name}-means" if kind == "list" or name in MEANT else None,
    )  # fmt: skip
    means = tag("small", words(f"training.{name}.means"), id=f"ask-{name}-means") if name in MEANT else None
    return tag("p", tag("label", words(f"training.{name}"), for_=f"ask-{name}"), made, means, class_="field")


MEANT = frozenset({"target", "patient", "without"})
"""Fields that need a word more."""


def _project(words: Words, own: Sequence[tuple[str, str]], chosen: str, of: str = "ask") -> Markup:
    options = [tag("option", name, value=made, selected=made == chosen) for made, name in own]
    select = tag("select", options, id=f"{of}-project", name="project")
    return tag("p", tag("label", words("training.project"), for_=f"{of}-project"), select, class_="field")


def _where(words: Words, named: Sequence[str], there: Sequence[Upload], chosen: tuple[str, str]) -> Markup:
    """A file of one's own, or what is there already."""
    here = bool(chosen[0])
    radio = [
        tag(
            "label",
            tag("input", type="radio", name="from", value=name, id=f"from-{name}", checked=(name == "there") == here),
            words(f"training.from.{name}"),
        )
        for name in ("file", "there")
    ]
    file = tag(
        "input", type="file", id="ask-file", accept=".zip,.csv,.tsv,.parquet,.arff", aria_describedby="ask-file-means"
    )
    own = tag(
        "div",
        tag("label", words("training.file"), for_="ask-file"),
        file,
        tag("small", words("training.file.means"), id="ask-file-means"),
        class_="field of-file",
    )
    known = tag("div", _places(words, "ask", named, there, chosen), class_="of-there")
    sent = tag("progress", id="sent", max=1, value=0, hidden=True, aria_label=words("training.sent"))
    return tag("fieldset", tag("legend", words("training.where")), tag("p", radio, class_="radio"), own, known, sent)


def _places(
    words: Words, of: str, named: Sequence[str], there: Sequence[Upload], chosen: tuple[str, str]
) -> list[Markup]:
    """A source and a path in it; an upload is chosen as one of them."""
    source, path = chosen
    kept = {
        name: [
            tag("option", one.path, value=f"{name}/{one.path}", selected=(source, path) == (name, one.path))
            for one in there
            if one.source == name
        ]
        for name in WORKSPACE_SOURCES
    }
    folders = [tag("option", name, value=name, selected=name == source) for name in named]
    groups = [
        tag("optgroup", folders, label=words("training.sources")) if folders else None,
        *(tag("optgroup", some, label=words(f"training.{name}")) for name, some in kept.items() if some),
    ]
    select = tag("select", groups, id=f"{of}-place", name="place")
    inside = "" if source in WORKSPACE_SOURCES else path
    written = tag(
        "input", id=f"{of}-path", name="path", type="text", value=inside or None, maxlength=4096, autocomplete="off",
        aria_describedby=f"{of}-path-means",
    )  # fmt: skip
    return [
        tag("p", tag("label", words("training.place"), for_=f"{of}-place"), select, class_="field"),
        tag(
            "p",
            tag("label", words("training.path"), for_=f"{of}-path"),
            written,
            tag("small", words("training.path.means"), id=f"{of}-path-means"),
            class_="field",
        ),
    ]


def _task(words: Words, chosen: str) -> Markup:
    said = words.of_script("training.task")
    names = ["auto", *registry.names("tasks")]
    options = [tag("option", said.get(one, one), value=one, selected=one == chosen) for one in names]
    select = tag("select", options, id="ask-task", name="task")
    return tag("p", tag("label", words("training.task"), for_="ask-task"), select, class_="field")


def _accepted(words: Words, check: str) -> Markup:
    box = tag("input", type="checkbox", name="accept", value=check, id=f"accept-{check}", required=True)
    return tag("p", box, tag("label", words("training.accept.one"), " ", tag("code", check), for_=f"accept-{check}"))


def _budget(words: Words, of: str, minutes: float = MINUTES) -> Markup:
    made = tag(
        "input", id=f"{of}-minutes", name="minutes", type="number", min="0.5", max="100000", step="0.5", required=True,
        value=f"{minutes:g}", data_kind="number", list=f"{of}-offered", aria_describedby=f"{of}-minutes-means",
    )  # fmt: skip
    offered = tag("datalist", [tag("option", value=f"{one:g}") for one in CHOICES], id=f"{of}-offered")
    means = tag("small", words("training.minutes.means"), id=f"{of}-minutes-means")
    label = tag("label", words("training.minutes"), for_=f"{of}-minutes")
    return tag("div", tag("p", label, made, offered, means, class_="field short"), _by_hand(words, of))


def _by_hand(words: Words, of: str) -> Markup:
    """Fields of the plan for those who know them; folded, for nobody needs them."""
    name = f"{of}-settings"
    written = tag(
        "textarea", id=name, name="settings", data_kind="json", spellcheck="false", aria_describedby=f"{name}-means"
    )
    means = tag("small", words("training.settings.means"), id=f"{name}-means")
    label = tag("label", words("training.settings"), for_=name)
    return tag("details", tag("summary", words("training.experts")), tag("p", label, written, means, class_="field"))


def change(words: Words, job: Job) -> Markup:
    """The way back to the first step."""
    return tag("p", tag("a", words("training.change"), href=again(job)))
