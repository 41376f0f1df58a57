"""Which row came before which, and what changed since."""

from __future__ import annotations

import pytest

from diascope.core.errors import DataRefused
from diascope.sources.tables.visits import before_of, change_of, earlier_of, followed, since, visits_of


def rows(*times: str | None) -> list[dict[str, str | None]]:
    return [{"patient": "p", "date": time} for time in times]


@pytest.mark.parametrize(
    ("cells", "apart"),
    [
        (("2024-01-01", "2024-12-31"), 365.0),
        (("20240101", "20240111"), 10.0),
        (("2024-01-01T08:00", "2024-01-01T20:00"), 0.5),
    ],
)
def test_dates_are_days(cells: tuple[str, str], apart: float) -> None:
    found = visits_of(rows(*cells), ["patient", "date"])
    assert found.in_days
    assert since(1, 0, found) == pytest.approx(apart)


@pytest.mark.parametrize(
    ("column", "days"), [("months", 30.4375), ("visit_day", 1.0), ("time [wk]", 7.0), ("visit", None)]
)
def test_numbers_are_in_the_unit_of_their_column(column: str, days: float | None) -> None:
    found = visits_of([{column: "1"}, {column: "3"}], [column], column)
    assert since(1, 0, found) == (None if days is None else pytest.approx(2 * days))
    assert earlier_of(["p", "p"], found) == [None, 0]


def test_the_last_one_before_is_taken_whatever_the_order_of_the_rows() -> None:
    found = visits_of(rows("2024-03-01", "2024-01-01", "2024-02-01", None, "2024-04-01"), ["patient", "date"])
    assert earlier_of(["a", "a", "a", "a", "b"], found) == [2, None, 1, None, None]


def test_what_cannot_be_ordered_is_refused() -> None:
    with pytest.raises(DataRefused, match="no column says when"):
        visits_of([{"patient": "p"}], ["patient"])
    with pytest.raises(DataRefused, match=r"row 2 of the column .date. is no date"):
        visits_of(rows("2024-01-01", "last spring"), ["patient", "date"])
    with pytest.raises(DataRefused, match="same time"):
        earlier_of(["p", "p"], visits_of(rows("2024-01-01", "2024-01-01"), ["patient", "date"]))


def test_numbers_have_a_change_a_year_and_words_have_none() -> None:
    now, then = {"size [mm]": "14", "side": "left", "new": "3"}, {"size [mm]": "<10", "side": "right", "new": None}
    found = followed(now, then, 365.25 / 2, ("size [mm]", "side", "new"))
    assert found == {
        "size before [mm]": "<10",
        "size change [mm/a]": "8",
        "side before": "right",
        "new before": "",
    }
    assert "size change [mm/a]" not in followed(now, then, None, ("size [mm]",))
    assert "size change [mm/a]" not in followed(now, then, 0.1, ("size [mm]",))
    assert followed(now, None, None, ("side",)) == {"side before": ""}


def test_units_stay_where_they_are_read() -> None:
    assert before_of("glucose [mg/dL]") == "glucose before [mg/dL]"
    assert change_of("glucose [mg/dL]") == "glucose change [mg/dL/a]"
    assert change_of("score") == "score change [/a]"
