"""A treatment that stands in a column: rows as they are, and as they would be under each of its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from diascope.core.errors import BadUsage
from diascope.core.plan import Plan


@dataclass(frozen=True)
class Arms:
    """Where a treatment stands in a row, and what its values are there.

    Args:
        input: Name of the table input.
        place: Of the column.
        codes: Each value, as a word, and the number that stands for it in a row.
    """

    input: str
    place: int
    codes: Mapping[str, float]

    def under(self, inputs: Mapping[str, Tensor], code: float) -> dict[str, Tensor]:
        """The same rows with one value of the treatment."""
        changed = inputs[self.input].clone()
        changed[:, self.place] = code
        return {**inputs, self.input: changed}

    def number_of(self, code: float) -> int | None:
        """The number of the arm that a value in a row is of; None where it is missing."""
        return next((place for place, known in enumerate(self.codes.values()) if known == code), None)


def arms_of(plan: Plan) -> Arms | None:
    """The treatment of the plan field `treatment`; None where it names none.

    Raises:
        BadUsage: When it is no column that is read, or has not few values.
    """
    column = plan["treatment"] if "treatment" in plan.choices else ""
    if not column:
        return None
    values = plan["treatment_values"].get(column)
    name = next((name for name, one in plan["readings"].items() if column in one.get("columns", ())), None)
    if name is None or values is None:
        could = ", ".join(plan["treatment_values"]) or "none"
        raise BadUsage(
            f"the column {column!r} cannot be the treatment: it is not read, or has not two to four values",
            given=f"columns that could be: {could}",
            todo="Choose one with --set treatment=COLUMN, or none with --set treatment=",
        )
    settings = plan["readings"][name]
    words = settings["categories"].get(column)
    codes = {str(one): float(one) if words is None else float(words.index(one)) for one in values}
    return Arms(name, settings["columns"].index(column), codes)
