"""Who decides a field of a plan: the user before the task, the task before the rules for all tasks."""

from __future__ import annotations

from diascope.planning.draft import Draft


def test_a_rule_does_not_replace_what_the_task_chose():
    draft = Draft({}, {})
    draft.put("betas", [0.5, 0.99], "fixed", "the opponent moves")
    draft.of_task = frozenset(draft.choices)
    assert draft.put("betas", [0.9, 0.99], "fixed", "for all tasks") == [0.5, 0.99]
    assert draft.choices["betas"].reason == "the opponent moves"


def test_the_user_has_the_last_word():
    draft = Draft({}, {"betas": [0.0, 0.9]})
    draft.put("betas", [0.5, 0.99], "fixed", "the opponent moves")
    draft.of_task = frozenset(draft.choices)
    assert draft.put("betas", [0.9, 0.99], "fixed", "for all tasks") == [0.0, 0.9]
    assert draft.choices["betas"].kind == "by hand"
