"""Routing rules: what matches, and why the others do not."""

from __future__ import annotations

import time

import pytest
from pydantic import ValidationError

from diascope.core.errors import BadUsage, Conflict, UnknownName
from diascope.serve.rules.asking import DAY, dry_run, dry_runs, facts_of
from diascope.serve.rules.keeping import add, change, in_force, read_rules, remove, rules_in
from diascope.serve.rules.matching import Facts, explain
from diascope.serve.rules.rule import Rule, Send, When
from diascope.testing.objects import uids
from diascope.testing.reading import a_rule, a_volume, arrive, series_of
from diascope.testing.service import a_service

CHEST = Facts(
    modality="CT", body_part="CHEST", description="Thorax 1.0 B70 (Lung)", study_description="Staging", thickness=5.0,
    count=60, sop_classes=("1.2.840.10008.5.1.4.1.1.2",), peer="CT1", image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
    project="default", manufacturer="SIEMENS Healthineers",
)  # fmt: skip

KEPT = {
    "modality": ("MR", "ct"), "body_part": ("chest",), "contains": ("lung", "liver"), "contains_not": ("scout",),
    "matches": ("thorax*(lung)",), "thinnest": 5, "thickest": 5, "fewest": 60, "most": 60, "project": ("default",),
    "sop_class": ("1.2.840.10008.5.1.4.1.1.2",), "peer": ("CT1",), "image_type": ("AXIAL", "original"),
    "image_type_not": ("LOCALIZER",), "manufacturer": ("siemens*",),
}  # fmt: skip

BROKEN = {
    "modality": (("MR",), "modality 'CT', wanted 'MR'"),
    "body_part": (("HEAD", "NECK"), "body part 'CHEST', wanted 'HEAD' or 'NECK'"),
    "contains": (("liver",), "description 'Thorax 1.0 B70 (Lung)' (study 'Staging'), wanted 'liver' in it"),
    "contains_not": (("staging",), "description 'Thorax 1.0 B70 (Lung)' (study 'Staging'), wanted no 'staging' in it"),
    "matches": (("thorax",), "description 'Thorax 1.0 B70 (Lung)', wanted 'thorax'"),
    "thinnest": (6, "slice thickness 5 mm, wanted at least 6"),
    "thickest": (1.5, "slice thickness 5 mm, wanted at most 1.5"),
    "fewest": (61, "number of instances 60, wanted at least 61"),
    "most": (59, "number of instances 60, wanted at most 59"),
    "project": (("other",), "project 'default', wanted 'other'"),
    "sop_class": (("1.2",), "SOP class '1.2.840.10008.5.1.4.1.1.2', wanted '1.2'"),
    "peer": (("CT2",), "peer 'CT1', wanted 'CT2'"),
    "image_type": (("MIP",), "image type 'ORIGINAL, PRIMARY, AXIAL', wanted 'MIP' in it"),
    "image_type_not": (("axial",), "image type 'ORIGINAL, PRIMARY, AXIAL', wanted no 'axial' in it"),
    "manufacturer": (("GE*",), "manufacturer 'SIEMENS Healthineers', wanted 'GE*'"),
}


def a_plain_rule(**fields: object) -> Rule:
    return Rule.model_validate({"name": "lungs", "release": "lung@3", **fields})


def test_every_condition_of_a_rule_is_tried_here():
    assert set(KEPT) == set(BROKEN) == set(When.model_fields)


@pytest.mark.parametrize("name", KEPT)
def test_a_condition_that_is_kept(name):
    (said,) = explain(CHEST, [a_plain_rule(when={name: KEPT[name]})])
    assert said.matches
    assert said.failed == ()


@pytest.mark.parametrize("name", BROKEN)
def test_a_condition_that_is_not_kept_says_what_was_there(name):
    wanted, words = BROKEN[name]
    (said,) = explain(CHEST, [a_plain_rule(when={name: wanted})])
    assert not said.matches
    assert said.failed == (words,)


def test_all_conditions_that_fail_are_named():
    (said,) = explain(CHEST, [a_plain_rule(when={"modality": ["MR"], "thickest": 1.5, "most": 100})])
    assert said.failed == ("modality 'CT', wanted 'MR'", "slice thickness 5 mm, wanted at most 1.5")
    assert said.to_json()["matches"] is False


def test_what_nobody_stated_keeps_no_condition():
    """No silent fallback: a series without a slice thickness is no thin series."""
    asked = {"thickest": 1.5, "modality": ["CT"], "manufacturer": ["*"], "matches": ["?*"]}
    (said,) = explain(Facts(), [a_plain_rule(when=asked)])
    assert "slice thickness is not stated, wanted at most 1.5 mm" in said.failed
    assert "modality is not stated, wanted 'CT'" in said.failed
    assert len(said.failed) == 3, "`*` fits nothing too"


def test_a_rule_that_is_switched_off_matches_nothing_and_says_why_it_would():
    (said,) = explain(CHEST, [a_plain_rule(enabled=False)])
    assert not said.matches
    assert said.failed == ()


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [("*", True), ("a*c*e", True), ("a?c*", True), ("a*d", False), ("", False), ("abcde", True), ("[a]*", False)],
)
def test_patterns_know_stars_and_question_marks_only(pattern, fits):
    if not pattern:
        with pytest.raises(ValidationError):
            When(matches=(pattern,))
        return
    (said,) = explain(Facts(description="ABCDE"), [a_plain_rule(when={"matches": [pattern]})])
    assert said.matches is fits


def test_no_pattern_takes_long():
    """A pattern that would keep a regular expression busy for ever."""
    began = time.perf_counter()
    explain(Facts(description="a" * 10_000), [a_plain_rule(when={"matches": ["*a" * 100 + "*b"]})])
    assert time.perf_counter() - began < 2.0


@pytest.mark.parametrize(
    "fields",
    [
        {"release": "../../etc/passwd"}, {"release": "lung"}, {"release": "lung@../x"}, {"when": {"thinest": 1}},
        {"when": {"thinnest": 3, "thickest": 2}}, {"send": [{"peer": "PACS", "kinds": ["zip"]}]}, {"name": ""},
        {"when": {"contains": [""]}}, {"send": [{"peer": "PACS", "kinds": []}]},
    ],
)  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused(fields):
    with pytest.raises(ValidationError):
        a_plain_rule(**fields)


def test_rules_of_a_file(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(
        '[[rule]]\nname = "lungs"\nrelease = "lung@3"\nwhen = { modality = ["CT"], thickest = 1.5 }\n'
        'send = [{ peer = "PACS", kinds = ["seg", "sr"] }]\n[[rule]]\nname = "off"\nrelease = "x@1"\nenabled = false\n'
    )
    first, second = read_rules(path)
    assert first.when == When(modality=("CT",), thickest=1.5)
    assert first.send == (Send(peer="PACS", kinds=("seg", "sr")),)
    assert not second.enabled


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[rule]]\nname = 'a'\n", "rule 1 of rules.toml: release"),
        ("[[rule]]\nname = 'a'\nrelease = 'x@1'\nwhen = { modalty = ['CT'] }", "when.modalty"),
        ("[[rule]]\nname='a'\nrelease='x@1'\n[[rule]]\nname='a'\nrelease='x@1'", "two rules of one name"),
        ("[[", "cannot read the rules"),
        ("[rules]\na = 1", "something else than rules"),
    ],
)
def test_a_broken_file_names_the_place(tmp_path, text, words):
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(BadUsage, match=words):
        read_rules(path)


def test_rules_of_the_table_keep_their_order_and_come_after_those_of_the_file(tmp_path):
    service = a_service(tmp_path)
    (tmp_path / "rules.toml").write_text("[[rule]]\nname = 'of file'\nrelease = 'x@1'\n")
    first, second = a_rule(service, name="first"), a_rule(service, name="second")

    def work(connection):
        change(connection, first, a_plain_rule(name="first", enabled=False), 1.0, position=7)
        with pytest.raises(Conflict):
            add(connection, a_plain_rule(name="second"), 1.0)
        with pytest.raises(Conflict):
            change(connection, first, a_plain_rule(name="second"), 1.0)
        with pytest.raises(UnknownName):
            change(connection, "none", a_plain_rule(name="new"), 1.0)
        assert [kept.id for kept in rules_in(connection)] == [second, first]
        assert [one.name for one in in_force(connection, tmp_path / "rules.toml")] == ["of file", "second", "first"]
        remove(connection, second)
        with pytest.raises(UnknownName):
            remove(connection, second)
        assert [kept.rule.enabled for kept in rules_in(connection)] == [False]

    service.database.change(work)


def test_a_dry_run_asks_what_arrived_and_changes_nothing(tmp_path):
    service = a_service(tmp_path)
    arrive(service, a_volume(1, range(2), SliceThickness="5.0", ImageType=["ORIGINAL", "AXIAL"], Manufacturer="Acme"))
    service.clock.forward(10 * DAY)
    arrive(service, a_volume(2, range(2)))
    thin = a_plain_rule(when={"thickest": 1.5, "modality": ["CT"]})
    with service.database.reading() as connection:
        facts = facts_of(connection, series_of(service, 1).id)
        assert (facts.thickness, facts.count, facts.image_type) == (5.0, 2, ("ORIGINAL", "AXIAL"))
        assert (facts.manufacturer, facts.body_part, facts.study_description) == ("Acme", "CHEST", "chest")
        said = dry_run(connection, [thin], series_of(service, 1).id)
        assert said.explained[0].failed == ("slice thickness 5 mm, wanted at most 1.5",)
        assert said.to_json()["series"] == uids(1)[1]
        with pytest.raises(UnknownName):
            dry_run(connection, [thin], 999)
        seen = list(dry_runs(connection, [thin], service.clock(), 30))
        assert [(one.series_uid, one.explained[0].matches) for one in seen] == [
            (uids(2)[1], True), (uids(1)[1], False),
        ]  # fmt: skip
        assert len(list(dry_runs(connection, [thin], service.clock(), 5))) == 1
        assert list(dry_runs(connection, [thin], service.clock(), 30, projects=["other"])) == []
