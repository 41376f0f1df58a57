"""Images with nothing in them, or with values that are not numbers."""

from __future__ import annotations

from diascope.checks import Check
from diascope.checks.judging.seen import images, target_images
from diascope.checks.judging.words import count, some
from diascope.core.problem import Problem
from diascope.planning.survey import Survey


class EmptyImage:
    """Constant images, all-zero ones among them, and images with NaN or infinite voxels, targets included."""

    title = "Constant, all-zero and NaN images"

    def look(self, survey: Survey) -> list[Problem]:
        problems: list[Problem] = []
        for name, seen in {**images(survey), **target_images(survey)}.items():
            constant = [case.id for case, facts in seen if facts.minimum == facts.maximum]
            zero = sum(facts.minimum == facts.maximum == 0 for _, facts in seen)
            if constant:
                problems.append(
                    _left_out(
                        f"{count(len(constant), 'image')} of {name!r} with one value everywhere ({zero:,} all zero)",
                        f"There is nothing to see in {some(constant)}. They are left out.",
                        constant,
                    )
                )
            bad = {case.id: facts.bad for case, facts in seen if facts.bad}
            if bad:
                shown = some(f"{key} ({number:,})" for key, number in bad.items())
                problems.append(
                    _left_out(
                        f"{count(len(bad), 'image')} of {name!r} with NaN or infinite voxels",
                        f"{shown} (number of such voxels). One of them "
                        "spoils a whole training step, so they are left out. Write a number in these voxels to have "
                        "them back.",
                        list(bad),
                    )
                )
        return problems


def _left_out(title: str, detail: str, cases: list[str]) -> Problem:
    ids = tuple(cases)
    return Problem(check="empty_image", severity="warn", title=title, detail=detail, cases=ids, exclude=ids)


CHECK: Check = EmptyImage()
