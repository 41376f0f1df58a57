"""Texts that say nothing, or whose letters were lost on the way."""

from __future__ import annotations

from diascope.checks import Check
from diascope.checks.judging.texts import looks_of
from diascope.checks.judging.words import are, count, share, some
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

SPOILT = 0.005
"""Share of the characters that show a wrong encoding, above which a text is called spoilt."""


class EmptyText:
    """Texts without a letter, and texts that once were read in another encoding than they were written in."""

    title = "Texts that say nothing, or whose letters were spoilt by a wrong encoding"

    def look(self, survey: Survey) -> list[Problem]:
        found = []
        for name, cases in looks_of(survey, "text").items():
            empty = tuple(case.id for case, facts in cases if facts.get("empty"))
            spoilt = tuple(case.id for case, facts in cases if facts.get("spoilt", 0) > SPOILT * facts["size"])
            if empty:
                found.append(
                    Problem(
                        check="empty_text",
                        severity="warn",
                        title=f"{share(len(empty), len(survey.cases))} without a word in {name!r}",
                        detail=f"{some(empty)}. They are left out: there is nothing to read in them.",
                        cases=empty,
                        exclude=tuple(case.id for case, facts in cases if facts.get("empty") and len(case.inputs) == 1),
                    )
                )
            if spoilt:
                found.append(
                    Problem(
                        check="empty_text",
                        severity="warn",
                        title=f"{count(len(spoilt), 'text')} in {name!r} with letters that show a wrong encoding",
                        detail=f"{some(spoilt)} {are(len(spoilt))} spoilt: characters such as Ã©, â€™ or 锟斤拷 appear "
                        "where a text was read in another encoding than it was written in, and saved so. Export them "
                        "again in UTF-8: lost letters cannot be brought back here.",
                        cases=spoilt,
                    )
                )
        return found


CHECK: Check = EmptyText()
