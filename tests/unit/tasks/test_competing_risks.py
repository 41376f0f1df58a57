"""Competing risks as a task: what it claims, refuses, learns and says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diascope.core import registry
from diascope.core.case import Case, Label, Target
from diascope.core.errors import DataRefused
from diascope.core.plan import Choice, Plan
from diascope.sources import SourceOptions
from diascope.sources.tables.survival import outcome_of as columns_of
from diascope.tasks.competing_risks import KIND, TASK, CauseNetwork, outcome_of

LABELS = (Label(name="relapse", value=1), Label(name="death", value=2))
TARGET = Target(name="time_to_event", kind=KIND, columns=("time", "event"), labels=LABELS, unit="mo")


def a_case(number: int, time: object = 3.0, event: object = 1) -> Case:
    return Case(id=f"c{number}", patient=f"p{number}", inputs={}, targets={"time": time, "event": event})


def rows_of(cells: list[str]) -> list[dict[str, str]]:
    return [{"time": "3", "event": cell} for cell in cells]


@pytest.mark.parametrize(
    ("cells", "causes"),
    [
        (["0", "1", "2", "1"], ("event 1", "event 2")),
        (["0.0", "1.0", "2.0", "3.0"], ("event 1", "event 2", "event 3")),
        (["censored", "relapse", "Death"], ("Death", "relapse")),
        (["censored", "relapse", "Death", "Relapse", "death", "Censored"], ("Death", "relapse")),
        (["0", "1"], ()),
        (["1", "2"], ()),
        (["alive", "dead"], ()),
        (["no", "died", "deceased"], ()),
        (["0", "1", "3"], ()),
        (["censored", "yes", "relapse"], ()),
    ],
)
def test_a_column_says_which_event_came_first(cells: list[str], causes: tuple[str, ...]) -> None:
    found = columns_of(("time", "event"), rows_of(cells), "time,event")
    assert found is not None
    assert found.causes == causes
    assert found.target.kind == (KIND if causes else "time_to_event")
    assert [label.name for label in found.target.labels] == list(causes)


def test_a_table_gives_codes(tmp_path) -> None:
    words = ["censored", "relapse", "death", ""]
    lines = [f"p{n},{n % 7},{n + 1},{words[n % 4]}" for n in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["patient,marker,os_months,event", *lines]) + "\n")
    listing = registry.get("sources", "table").list(str(tmp_path / "t.csv"), SourceOptions())
    target = listing.targets[0]
    assert (target.kind, target.unit) == (KIND, "mo")
    codes = [case.targets["event"] for case in listing.cases[:4]]
    names = {label.name: label.value for label in target.labels}
    assert codes == [0, names["relapse"], names["death"], None]
    assert TASK.claim(listing.targets) == (target,)


def test_a_word_that_is_no_event_is_refused(tmp_path) -> None:
    lines = [f"p{n},{n % 7},{n + 1},{('0', '1', 'x')[n % 3]}" for n in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["patient,marker,time,event", *lines]) + "\n")
    with pytest.raises(DataRefused, match="does not say whether"):
        registry.get("sources", "table").list(str(tmp_path / "t.csv"), SourceOptions(target="time,event"))


@pytest.mark.parametrize(
    ("time", "event", "outcome"),
    [(3.0, 2, (3.0, 2)), (3, 0, (3.0, 0)), (0, 1, None), (-1.0, 1, None), (3.0, 3, None), (3.0, None, None)],
)
def test_what_is_known_of_a_case(time: object, event: object, outcome: object) -> None:
    assert outcome_of(a_case(0, time, event), TARGET) == outcome


def test_too_few_events_of_a_kind_are_refused() -> None:
    cases = [a_case(n, event=(0, 1, 2)[n % 3] if n < 30 else 1) for n in range(60)]
    found = TASK.problems([*cases, a_case(99, time=0)], TARGET)
    assert [one.severity for one in found] == ["warn", "refuse"]
    assert "only 10 events of 'death'" in found[1].title


def test_the_rule_of_the_groups_says_until_when() -> None:
    choices = {"edges": [0.0, 1.0, 12.5], "causes": ["relapse", "death"]}
    fixed = {name: Choice(value=value, kind="fixed", reason="test") for name, value in choices.items()}
    plan = Plan(dataset="d@1", task="competing_risks", target=TARGET, seed=0, choices=fixed)
    some = [{"logits": [0.0] * 4, "time": 1.0 + n, "event": n % 3} for n in range(9)]
    assert TASK.fit_decision(some, plan)["rule"].startswith("risk until 12.5 mo in thirds")


def test_the_network_gives_each_event_a_hazard_in_each_interval() -> None:
    encoder = torch.nn.Linear(4, 6)
    encoder.channels = (6,)
    network = CauseNetwork({"table": encoder}, 2, 5)
    said = network({"table": torch.randn(3, 4)})
    assert said.shape == (3, 10)
    shaped = said.reshape(3, 2, 5)
    # One score an event: what tells two cases apart is the same in each interval.
    apart = (shaped[0] - shaped[1]).detach()
    assert torch.allclose(apart, apart[:, :1].expand(2, 5), atol=1e-5)
    assert not np.allclose(apart[0, 0], apart[1, 0])
