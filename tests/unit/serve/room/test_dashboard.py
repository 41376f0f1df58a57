"""The dashboard: whose readings it counts and how, when it calls something changed, who sees how the service does."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from sqlalchemy import select, update

from diascope.core.evaluation import Gate, Release
from diascope.core.figure import Grid
from diascope.serve.database import room_tables, tables
from diascope.serve.reporting.corrections import Reason
from diascope.serve.room.models_evidence import Evidence
from diascope.serve.room.watching import (
    DAY,
    Decision,
    agreement,
    by_finding,
    decisions,
    over_time,
    reasons,
    stayed,
    time_to_read,
    truth_of,
)
from diascope.serve.room.watching_calibration import calibrations, compared
from diascope.serve.room.watching_drift import UNLIKE, Given, judged, watched
from diascope.testing.calls import a_job, a_peer, row
from diascope.testing.models_calls import a_measured, an_evaluation
from diascope.testing.web import ORIGIN, OTHER, OWN, Browser, Site, a_site
from diascope.testing.work_calls import A_RELEASE, a_result

FOREIGN = '"><img src=x onerror=alert(1)>'


def page(who: Browser, status: int = 200, **query: str) -> str:
    answer = who.get(f"{ORIGIN}/dashboard", params=query)
    assert answer.status_code == status, answer.text[:300]
    return answer.text.partition('<script type="application/json"')[0]


def part(text: str, name: str) -> str:
    """A section of the page as plain text."""
    found = re.search(rf'<section id="{name}">(.*?)</section>', text, re.DOTALL)
    assert found, name
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[1]))


def finding(concept: str = "nodule", status: str = "present", probability: float | None = 0.9, **more: Any) -> dict:
    measures = {} if probability is None else {"probability": {"value": probability}}
    point = {"of": more.pop("of", concept), "rule": more.pop("rule", "youden")}
    return {"concept": concept, "status": status, "measures": measures, "operating_point": point, **more}


def decision(verdict: str = "accept", *findings: dict, **more: Any) -> Decision:
    made = secrets.token_hex(4)
    plain = {
        "id": made, "result": made, "release": "lung@1", "findings": list(findings or (finding(),)), "patient": made,
        "reader": "li", "verdict": verdict, "reason": "", "seconds": None, "shown": {}, "amended": {}, "at": 0.0,
    }  # fmt: skip
    return Decision(**{**plain, **more})


def decided(site: Site, verdict: str, project: str = OWN, **more: Any) -> str:
    """A reading of a new result of a patient of its own; its id."""
    of = {key: more.pop(key) for key in ("release", "findings") if key in more}
    result, made = a_result(site, project, **of), secrets.token_hex(16)
    values = {"reader": "nobody", "verdict": verdict, "shown": {}, "at": site.service.clock(), **more}
    row(site, tables.readings, id=made, result_id=result, **values)
    return made


# Agreement.


def test_the_later_decision_of_a_reader_counts(tmp_path) -> None:
    site = a_site(tmp_path)
    result, now = a_result(site, OWN), site.service.clock()
    for at, reader, verdict in ((1, "li", "reject"), (2, "li", "accept"), (3, "wang", "unsure")):
        values = {"id": secrets.token_hex(8), "reader": reader, "verdict": verdict, "shown": {}, "at": now + at}
        row(site, tables.readings, result_id=result, **values)
    with site.service.database.reading() as connection:
        found = decisions(connection, tables.studies.c.project_id == OWN)
        newer = decisions(connection, tables.studies.c.project_id == OWN, since=now + 3)
    assert sorted((one.reader, one.verdict) for one in found) == [("li", "accept"), ("wang", "unsure")]
    assert [one.reader for one in newer] == ["wang"]


def test_agreement_has_an_interval_by_patient() -> None:
    assert agreement([]) is None
    many = [decision("accept") for _ in range(30)] + [decision("reject") for _ in range(10)]
    few = [decision(one.verdict, patient="a" if one.verdict == "accept" else "b") for one in many]
    wide, narrow = agreement(few), agreement(many)
    assert wide is not None
    assert narrow is not None
    assert wide.value == narrow.value == 0.75
    assert narrow.low == pytest.approx(0.598, abs=3e-3)  # Wilson, 30 of 40
    assert narrow.high == pytest.approx(0.858, abs=3e-3)
    assert (wide.high or 0) - (wide.low or 0) > (narrow.high or 0) - (narrow.low or 0), "two patients tell little"


def test_parts_of_the_time_hold_every_decision_once() -> None:
    now = 100 * DAY
    said = [decision("accept", at=now - age * DAY) for age in (0, 0.5, 6.9, 7)]
    parts = over_time(said, 7, now)
    assert len(parts) == 7
    assert [sum(one.verdicts.values()) for one in parts] == [2, 0, 0, 0, 0, 0, 2]
    assert parts[1].shares == {}
    assert sum(sum(one.verdicts.values()) for one in over_time(said, None, now)) == 4
    assert over_time([], 7, now) == []


def test_a_finding_beside_which_another_was_amended_stayed_as_it_was() -> None:
    two = finding("nodule"), finding("effusion", "absent", 0.1)
    found = {
        one.concept: one
        for one in by_finding(
            [
                decision("accept", *two),
                decision("amend", *two, amended={"effusion": {"status": "present"}}),
                decision("reject", *two, reason="false_finding"),
                decision("unsure", *two),
            ]
        )
    }
    nodule, effusion = found["nodule"], found["effusion"]
    assert (nodule.cases, nodule.kept and nodule.kept.value) == (3, pytest.approx(2 / 3))
    assert nodule.verdicts == {"accept": 1, "amend": 1, "reject": 1, "unsure": 1}
    assert (effusion.cases, effusion.kept and effusion.kept.value) == (2, 0.5), "a rejection is of what was called"


# What readers say is true.


@pytest.mark.parametrize(
    ("verdict", "status", "more", "truth"),
    [
        ("accept", "present", {}, True),
        ("accept", "absent", {}, False),
        ("accept", "abstained", {}, None),
        ("accept", "measured", {}, None),
        ("unsure", "present", {}, None),
        ("amend", "present", {"amended": {"nodule": {"status": "absent"}}}, False),
        ("amend", "absent", {"amended": {"nodule": {"status": "present"}}}, True),
        ("amend", "present", {"amended": {"nodule": {"boxes": []}}}, True),
        ("amend", "present", {"amended": {"mass": {"status": "absent"}}}, True),
        ("reject", "present", {"reason": "false_finding"}, False),
        ("reject", "present", {"reason": "poor_image"}, None),
        ("reject", "absent", {"reason": "false_finding"}, None),
    ],
)
def test_the_truth_is_what_the_decision_says(verdict: str, status: str, more: dict, truth: bool | None) -> None:
    one = finding("nodule", status)
    assert truth_of(decision(verdict, one, **more), one) is truth


def test_what_the_release_missed_amends_its_answer(tmp_path) -> None:
    site = a_site(tmp_path)
    said = {"findings": [finding("nodule", "absent", 0.2), finding("mass", "present", 0.9)]}
    decided(site, "accept", findings=said, added=[{"concept": "nodule"}, {"concept": "rib fracture"}])
    decided(site, "accept", findings=said, added=[])
    with site.service.database.reading() as connection:
        found = decisions(connection, tables.studies.c.project_id == OWN)
    assert sorted(one.verdict for one in found) == ["accept", "amend"]
    (one,) = [one for one in found if one.verdict == "amend"]
    assert [truth_of(one, each) for each in one.findings] == [True, True]
    assert {each.concept: each.kept and each.kept.value for each in by_finding([one])} == {"nodule": 0, "mass": 1}


def test_of_two_classes_the_one_is_what_the_other_is_not() -> None:
    normal = finding("normal", "present", 0.8, of="pneumonia")
    ill = finding("pneumonia", "absent", 0.2, of="pneumonia")
    one = decision("amend", normal, ill, amended={"normal": {"status": "absent"}})
    assert truth_of(one, ill) is True
    assert stayed(one, ill) is False
    assert [concept for concept, _, _ in compared(one)] == ["pneumonia"]
    assert [each.concept for each in by_finding([one])] == ["pneumonia"]


def test_of_several_classes_one_is_there() -> None:
    names = ("normal", "benign", "malignant")
    all_ = [finding(name, "present" if name == "benign" else "absent", rule="largest") for name in names]
    other = decision("amend", *all_, amended={"malignant": {"status": "present"}})
    assert [truth_of(other, one) for one in all_] == [False, False, True]
    open_ = decision("amend", *all_, amended={"benign": {"status": "absent"}})
    assert [truth_of(open_, one) for one in all_] == [None, False, None]


# Calibration.


def some_signed(number: int, present: int, said: float = 0.5) -> list[Decision]:
    amended = {"nodule": {"status": "absent"}}
    return [
        decision("accept", finding(probability=said))
        if place < present
        else decision("amend", finding(probability=said), amended=amended)
        for place in range(number)
    ]


def test_calibration_is_measured_where_there_are_enough() -> None:
    (found,) = calibrations(some_signed(100, 30, 0.5))
    assert (found.cases, found.present, found.patients) == (100, 30, 100)
    assert found.error.value == pytest.approx(0.2)
    assert found.error.low is not None
    assert found.error.low < 0.2 < (found.error.high or 0)
    assert sum(one.cases for one in found.bins) == 100


@pytest.mark.parametrize(("number", "present"), [(19, 9), (40, 4), (40, 37), (40, 40), (40, 0)])
def test_too_few_are_said_to_be(number: int, present: int) -> None:
    (found,) = calibrations(some_signed(number, present))
    assert found.error.note.startswith("too few")
    assert found.error.low is None
    assert found.bins == ()


def test_boxes_and_what_is_open_take_no_part() -> None:
    box = finding(place={"start": [0, 0, 0], "stop": [1, 1, 1]})
    assert compared(decision("accept", box)) == []
    assert compared(decision("reject", finding(), reason="poor_image")) == []
    assert compared(decision("accept", finding(probability=None))) == []
    twice = decision("accept")
    assert calibrations([twice, twice])[0].cases == 1


def test_only_what_was_signed_counts(tmp_path) -> None:
    site = a_site(tmp_path)
    ids = [decided(site, "accept", findings={"findings": [finding()]}) for _ in range(3)]
    who = site.someone("reader")
    assert "n = 0" in part(page(who), "calibration")
    with site.service.database.reading() as connection:
        query = select(tables.results.c.study_id).join(
            tables.readings, tables.readings.c.result_id == tables.results.c.id
        )
        study = connection.execute(query.where(tables.readings.c.id == ids[0])).scalar()
    signed = {"reader": "nobody", "language": "en", "report": {}, "readings": ids[:2], "at": site.service.clock()}
    row(site, room_tables.signatures, id="s", study_id=study, **signed)
    shown = part(page(who), "calibration")
    assert re.search(r"nodule lung@1 0\.10 too few: 1 patient 2 2 1", shown), shown


# Time and reasons.


def test_time_to_read_is_told_in_quartiles() -> None:
    assert time_to_read([decision()]) is None
    found = time_to_read([decision(seconds=float(value)) for value in (10, 20, 30, 40, 50)] + [decision()])
    assert found is not None
    assert (found.quartiles, found.cases) == ((20.0, 30.0, 40.0), 5)


def test_the_commonest_reason_comes_first() -> None:
    said = [decision("reject", reason="wrong_place"), *(decision("reject", reason="") for _ in range(2)), decision()]
    assert list(reasons(said).items()) == [("", 2), ("wrong_place", 1)]


# Drift.


GRID = Grid(title="Cases of each class", columns=("class", "true", "said"), rows=(("nodule", 80, 80), ("no", 20, 20)))
LABELS = Grid(
    title="Cases of each label",
    columns=("label", "present", "absent", "uncertain", "not said", "called present", "from probability", "note"),
    rows=(("nodule", 50, 150, 0, 0, 40, 0.5, ""), ("rare", 0, 200, 0, 0, None, None, "nothing is said of it")),
)


def known(*figures: Grid, **gate: Any) -> Evidence:
    index = {name: value for name, value in A_RELEASE.items() if name != "schema_version"}
    release = Release.model_validate({**index, "gate": Gate(rules=(), **gate)})
    return Evidence("lung@1", release, an_evaluation(figures=figures))


def answers(number: int, share: float = 0.8, middle: float = 0.5, seed: int = 0) -> list[Given]:
    rng = np.random.default_rng(seed)
    found = []
    for place in range(number):
        said = float(np.clip(rng.normal(middle, 0.1), 0, 1))
        there = place < share * number
        no = finding("no", "absent" if there else "present", None)
        found.append(Given(True, False, [finding("nodule", "present" if there else "absent", said), no], -place))
    return found


def test_what_stays_is_calm_and_what_changes_is_an_alarm() -> None:
    calm, least = judged(watched([*answers(100), *answers(100, seed=1)], known(GRID)))
    assert least == pytest.approx(0.01 / 2)
    assert {one.key: one.alarm for one in calm} == {"calls": False, "probability": False}
    loud, _ = judged(watched([*answers(100, 0.3, 0.7), *answers(100, seed=1)], known(GRID)))
    found = {one.key: one for one in loud}
    assert found["calls"].alarm
    assert found["calls"].classes == (("nodule", 0.3, 0.8), ("no", 0.7, 0.2))
    assert found["probability"].alarm
    assert found["probability"].middles == (pytest.approx(0.7, abs=0.05), pytest.approx(0.5, abs=0.05))


def test_each_label_is_held_against_how_often_it_was_called() -> None:
    (one, *_) = watched(answers(100, 0.2), known(LABELS))
    assert (one.key, one.concept, one.recent, one.reference, one.expected) == ("called", "nodule", 100, 200, 0.2)
    assert one.share is not None
    assert one.share.value == 0.2
    assert (one.p or 0) > 0.5


def test_with_few_patients_nothing_is_tested() -> None:
    tests, least = judged(watched([*answers(19), *[]], known(GRID, distance_limit=1.0, false_refusal_rate=0.05)))
    assert least is None
    assert [one.p for one in tests] == [None] * len(tests)
    assert [one.key for one in tests] == ["refused", "calls", "probability"]


def test_refusals_are_held_against_the_stated_rate() -> None:
    gate = {"distance_limit": 2.0, "false_refusal_rate": 0.02, "false_refusal_high": 0.05, "fitted_on": 120}
    strange, other = Given(False, True, (), 0), Given(False, False, (), 0)
    some = [*[strange] * 3, *[other] * 40, *answers(57)]
    (calm,) = [one for one in watched(some, known(**gate)) if one.key == "refused"]
    assert (calm.recent, calm.reference, calm.expected) == (60, 120, 0.02), "what was never asked does not count"
    assert (calm.p or 0) > 0.01
    (loud,) = [one for one in watched([*[strange] * 20, *answers(60)], known(**gate)) if one.key == "refused"]
    assert (loud.p or 1) < 1e-6
    assert not [one for one in watched(some, known()) if one.key == "refused"], "it has no limit"


def apart(some: list[Given], middle: float, seed: int = 0) -> list[Given]:
    """The same, with inputs this far from the training cases."""
    random = np.random.default_rng(seed)
    return [replace(one, distance=float(random.normal(middle, 1.0))) for one in some]


def test_inputs_that_were_read_are_held_against_those_before() -> None:
    before = apart(answers(100, seed=1), 10.0, 1)
    (calm,) = [one for one in watched([*apart(answers(100), 10.0), *before], known()) if one.key == "distance"]
    assert (calm.recent, calm.reference) == (100, 100)
    assert (calm.p or 0) > 0.01
    tests, least = judged(watched([*apart(answers(100), 11.5), *before], known()))
    (loud,) = [one for one in tests if one.key == "distance"]
    assert loud.alarm
    assert loud.middles == (pytest.approx(11.5, abs=0.4), pytest.approx(10.0, abs=0.4))
    assert least == pytest.approx(0.01 / 2), "the level of each test allows for this one"
    unknown = watched([*answers(100), *before], known())
    assert not [one for one in unknown if one.key == "distance"], "of late no distance was measured"
    few = watched([*apart(answers(100), 10.0), *before[:19]], known())
    assert [(one.reference, one.p) for one in few if one.key == "distance"] == [(19, None)]


def test_of_each_patient_the_newest_result_counts(tmp_path) -> None:
    site = a_site(tmp_path)
    a_measured(site, "lung@1", an_evaluation(figures=(GRID,)))
    for _ in range(3):
        a_result(site, OWN, findings={"findings": [finding()]})  # all of patient-1
    assert re.search(r"against the evaluation lung@1 1 100", part(page(site.someone("reader")), "drift"))


# The page.


def test_readers_see_their_own_projects_only(tmp_path) -> None:
    site = a_site(tmp_path)
    decided(site, "accept", release="mine@1")
    for _ in range(2):
        decided(site, "reject", OTHER, release="theirs@1", reason="wrong_place")
    mine, theirs = page(site.someone("reader")), page(site.someone("reader", places=(OTHER,)))
    assert "1 of 1 decisions" in part(mine, "agreement")
    assert "theirs@1" not in mine
    assert "n = 0" in part(mine, "reasons")
    assert "2 of 2 decisions" in part(theirs, "agreement")
    assert "wrong place" in part(theirs, "reasons")
    assert "Nobody has decided" in page(site.someone("reader", places=()))
    narrowed = page(site.someone("reader", places=(OWN, OTHER)), release="theirs@1")
    assert "2 of 2 decisions" in part(narrowed, "agreement")


def test_a_span_leaves_out_what_is_older(tmp_path) -> None:
    site = a_site(tmp_path)
    decided(site, "accept")
    site.clock.forward(20 * DAY)
    decided(site, "reject", reason="other")
    who = site.someone("reader")
    assert "1 of 1 decisions" in part(page(who, span="7"), "agreement")
    assert "1 of 2 decisions" in part(page(who, span="30"), "agreement")
    assert "1 of 2 decisions" in part(page(who, span="all"), "agreement")
    page(who, 400, span="31")


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_every_part_stands_there_in_each_language(tmp_path, lang: str) -> None:
    site = a_site(tmp_path)
    for verdict, more in (("accept", {"shown": {"ai_first": True}, "seconds": 60.0}), ("unsure", {}), ("amend", {})):
        decided(site, verdict, findings={"findings": [finding()]}, **more)
    for reason in (*get_args(Reason), ""):
        decided(site, "reject", reason=reason)
    a_measured(site, "lung@1", an_evaluation(figures=(GRID, LABELS)))
    who = site.someone("administrator")
    who.cookies["diascope-language"] = lang
    text = page(who)
    for name in ("agreement", "reasons", "time", "calibration", "drift", "queue", "disk", "peers"):
        assert len(part(text, name)) > 10


def test_how_the_service_does_is_for_those_who_may_know(tmp_path) -> None:
    site = a_site(tmp_path)
    a_job(site, OWN, "queued")
    a_job(site, OTHER, "failed", kind="send")
    peer = a_peer(site, OWN)
    result = a_result(site, OWN)
    told = {"kind": "sr", "peer_id": peer, "state": "failed", "reason": "192.0.2.9 does not answer", "at": 1.0}
    row(site, tables.deliveries, result_id=result, **told)
    reader, steward, administrator = (page(site.someone(role)) for role in ("reader", "steward", "administrator"))
    assert 'id="disk"' not in reader + steward
    assert "are free" in part(administrator, "disk")
    assert "waiting 1" in part(reader, "queue")
    assert "failed 0" in part(reader, "queue"), "of another project"
    assert "failed 1" in part(administrator, "queue")
    assert "192.0.2.9" not in reader, "where machines are is for those who may read peers"
    assert "192.0.2.9 does not answer" in part(steward, "peers")
    assert "sr" not in part(page(site.someone("reader", places=(OTHER,))), "peers")
    update_ = update(tables.deliveries).values(state="sent")
    site.service.database.change(lambda connection: connection.execute(update_))
    assert "1970-01-01" in part(page(site.someone("reader")), "peers")


def test_what_others_wrote_is_text(tmp_path) -> None:
    site = a_site(tmp_path)
    decided(site, "accept", release=FOREIGN, findings={"findings": [finding(FOREIGN)]})
    a_job(site, OWN, "failed", kind=FOREIGN[:30])
    assert "<img" not in page(site.someone("reader"), release=FOREIGN)


def test_the_reason_of_the_gate_is_the_one_that_predict_writes() -> None:
    from pathlib import Path

    import diascope.stages.predict as predict

    assert f'f"{UNLIKE}: distance' in Path(predict.__file__).read_text("utf-8")
