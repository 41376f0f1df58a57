"""One's own account: who one is, what one may do, the password."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from diascope.reports.markup import Markup, tag
from diascope.serve.access.matrix import decide
from diascope.serve.access.operations import OPERATIONS
from diascope.serve.database.tables import projects
from diascope.serve.room.page import Page, shown
from diascope.serve.room.refusing import password_form
from diascope.serve.room.visiting import Visit, Visitor, page_of

router = APIRouter()


@router.get("/account", **page_of("me.read"))
def account(visit: Visitor) -> HTMLResponse:
    """Who one is, and what one may."""
    words, caller = visit.words, visit.asked.caller
    mine = select(projects.c.name).where(projects.c.id.in_(sorted(caller.projects))).order_by(projects.c.name)
    with visit.asked.service.database.reading() as connection:
        names = connection.execute(mine).scalars().all()
    body = [
        tag("h1", caller.name),
        tag("p", words(f"role.{caller.role}"), class_="lead"),
        tag("h2", words("account.projects")),
        tag("p", ", ".join(names) or words("account.none")),
        tag("h2", words("password.title")),
        password_form(words),
        tag("h2", words("account.rights")),
        rights(visit),
    ]
    return shown(visit, Page(words("account.title"), body, "login", kind="account"))


def rights(visit: Visit) -> Markup:
    """Every operation: whether it is allowed, and why not (the sentences are those of the API, English)."""
    rows = []
    for operation in OPERATIONS.values():
        found = decide(operation.name, visit.asked.caller)
        mark = visit.words("account.may" if found.allowed else "account.may_not")
        rows.append(
            tag(
                "tr",
                tag("td", tag("code", operation.name)),
                tag("td", operation.what, lang="en"),
                tag("td", mark, class_="may" if found.allowed else "may-not"),
                tag("td", "" if found.allowed else found.why, lang="en"),
            )
        )
    heads = [tag("th", visit.words(f"account.{name}"), scope="col") for name in ("operation", "what", "answer", "why")]
    return tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows), class_="rights")
