"""The pages of releases: who sees what of them, what they say of an operating point, how they came to be."""

from __future__ import annotations

import json

import pytest

from diascope.core.case import Target
from diascope.core.evaluation import CaseScore
from diascope.core.figure import Chart, Gallery, Line
from diascope.core.finding import Measure
from diascope.serve.database import tables
from diascope.serve.room.models_evidence import evidence
from diascope.serve.room.models_history import versions
from diascope.serve.room.operating import in_words, operating_point, said_of
from diascope.serve.room.words import words
from diascope.testing.calls import row
from diascope.testing.models_calls import CHEST, MEASURES, a_measured, an_evaluation
from diascope.testing.web import ORIGIN, OTHER, OWN, Browser, Site, a_site
from diascope.testing.work_calls import a_result, a_signed

FOREIGN = '"><img src=x onerror=alert(1)>'
ORGANS = {
    "name": "organs", "kind": "mask", "columns": ["organs"],
    "labels": [{"name": "liver", "value": 1}, {"name": "lesion", "value": 2}],
}  # fmt: skip


def page(who: Browser, path: str, status: int = 200, **more: object) -> str:
    answer = who.get(f"{ORIGIN}{path}", **more)
    assert answer.status_code == status, answer.text[:300]
    return answer.text.partition('<script type="application/json"')[0]


def said(evaluation, label, target=CHEST, lang="en") -> str | None:
    found = said_of(evaluation, Target.model_validate(target), label)
    return None if found is None else " ".join(in_words(one, words(lang)) for one in found)


def decided(site: Site, release: str, verdict: str, project: str = OWN, patient: str = "") -> None:
    """A reading of a new result."""
    result = a_result(site, project, release=release)
    made = {"id": result, "result_id": result, "reader": "nobody", "verdict": verdict, "shown": {}}
    row(site, tables.readings, at=site.service.clock(), **made)


# The operating point in words.


def test_two_classes_are_said_as_so_many_of_a_hundred() -> None:
    expected = (
        "Of 100 with pneumonia, it misses 5 (95 % interval 2–10). "
        "Of 100 without pneumonia, it flags 12 (95 % interval 9–16)."
    )
    assert said(an_evaluation(), "pneumonia") == expected
    assert said(an_evaluation(), "normal") == expected, "the other class is decided by this one"
    assert "漏诊 5 例（95% 区间 2–10）" in str(said(an_evaluation(), "pneumonia", lang="zh-CN"))


def test_few_are_not_none_and_none_is_none() -> None:
    few = {"sensitivity": Measure(value=0.997, low=0.98, high=1.0), "specificity": Measure(value=1.0)}
    text = str(said(an_evaluation(few), "pneumonia"))
    assert "misses 0.3 (95 % interval 0–2)" in text
    assert "flags 0." in text


def test_an_interval_that_is_missing_is_said_to_be() -> None:
    few = {name: Measure(value=0.9, note="too few: 12 patients") for name in ("sensitivity", "specificity")}
    assert "misses 10 (no interval: too few: 12 patients)" in str(said(an_evaluation(few), "pneumonia"))
    assert "无区间：过少：12 位患者" in str(said(an_evaluation(few), "pneumonia", lang="zh-CN"))


def test_of_several_labels_each_is_said_by_its_own_metrics() -> None:
    target = {**CHEST, "labels": [*CHEST["labels"], {"name": "effusion", "value": 2}], "positive": None}
    metrics = {**MEASURES, "sensitivity/effusion": Measure(value=0.7), "specificity/effusion": Measure(value=0.8)}
    assert "Of 100 with effusion, it misses 30." in str(said(an_evaluation(metrics), "effusion", target))
    assert said(an_evaluation(metrics), "pneumonia", target) is None, "a mean over labels is no label's"


def test_places_and_outlines_and_numbers_have_words_of_their_own() -> None:
    boxes = {
        "sensitivity/nodule": Measure(value=0.8, low=0.7, high=0.9),
        "false_positives/nodule": Measure(value=0.25, low=0.2, high=0.3, unit="{/image}"),
    }
    target = {**ORGANS, "kind": "boxes", "labels": [{"name": "nodule", "value": 0}, {"name": "mass", "value": 1}]}
    text = str(said(an_evaluation(boxes), "nodule", target))
    assert "Of 100 places of nodule, it misses 20 (95 % interval 10–30)." in text
    assert "marks 0.25 wrong places of nodule an image (95 % interval 0.20–0.30)" in text
    masks = {
        "dice/liver": Measure(value=0.93, low=0.91, high=0.95), "volume_error/liver": Measure(value=0.08),
        "hd95/liver": Measure(value=4.2, low=3.0, high=6.0, unit="mm"),
    }  # fmt: skip
    text = str(said(an_evaluation(masks), "liver", ORGANS))
    assert "overlap by 0.93" in text
    assert "off by 8 % on average" in text
    assert "within 4.20\N{NO-BREAK SPACE}mm" in text
    assert said(an_evaluation(masks), "spleen", ORGANS) is None
    number = {"name": "age", "kind": "value", "columns": ["age"], "unit": "a"}
    error = an_evaluation({"mae": Measure(value=5.1, unit="a")})
    assert "off by 5.10\N{NO-BREAK SPACE}a" in str(said(error, "age", number))


def test_where_the_evaluation_does_not_say_nothing_is_said(tmp_path) -> None:
    site = a_site(tmp_path)
    label = a_measured(site, "films@1")
    workspace = site.service.workspace
    assert operating_point(workspace, label, "pneumonia") is not None
    assert operating_point(workspace, label, "fracture") is None
    assert operating_point(workspace, "films@9", "pneumonia") is None
    assert operating_point(workspace, "../../etc", "pneumonia") is None
    assert operating_point(workspace, a_signed(site), "a") is None, "its evaluation is no record"


# What is read of a release.


def test_evidence_that_was_changed_is_not_shown(tmp_path) -> None:
    site = a_site(tmp_path)
    label = a_measured(site, "films@1", hashes={"evaluation.json": "0" * 64})
    found = evidence(site.service.workspace, label)
    assert found.evaluation is None
    assert "was changed after it was made" in found.wrong
    assert str(tmp_path) not in page(site.someone("reader"), f"/models/{label}")


def test_evidence_is_read_anew_when_it_changes(tmp_path) -> None:
    site = a_site(tmp_path)
    label = a_measured(site, "films@1")
    assert evidence(site.service.workspace, label).evaluation is not None
    (site.service.workspace.releases / label / "evaluation.json").write_text("{}", encoding="utf-8")
    assert evidence(site.service.workspace, label).evaluation is None


# The list.


def test_candidates_and_what_was_withdrawn_stand_apart(tmp_path) -> None:
    site = a_site(tmp_path)
    for number, signed in ((1, "Dr. Test"), (2, "Dr. Test"), (10, None)):
        a_measured(site, f"chest@{number}", signed_by=signed)
    site.someone("administrator").post("/releases/chest@1/withdraw", json={"reason": "worse than its successor"})
    text = page(site.someone("reader"), "/models")
    groups = [text.index(f'<section class="{name}">') for name in ("in_service", "candidate", "withdrawn")]
    assert groups == sorted(groups)
    places = [text.index(f'href="/models/chest@{number}"') for number in (2, 10, 1)]
    assert groups[0] < places[0] < groups[1] < places[1] < groups[2] < places[2]
    assert "worse than its successor" in text
    assert "Sensitivity" in text
    assert "0.95 (0.90–0.98)" in text
    assert "200 patients, 210 cases" in text


def test_readers_are_counted_in_their_own_projects_only(tmp_path) -> None:
    site = a_site(tmp_path)
    label = a_measured(site, "chest@1")
    for verdict in ("accept", "accept", "reject"):
        decided(site, label, verdict)
    for _ in range(4):
        decided(site, label, "reject", OTHER)
    mine = page(site.someone("reader"), "/models")
    assert "of 3 decisions" in mine
    assert ">3<" in mine
    assert "of 7 decisions" in page(site.someone("reader", places=(OWN, OTHER)), f"/models/{label}")
    assert "of 4 decisions" in page(site.someone("reader", places=(OTHER,)), "/models")
    assert "no decisions yet" in page(site.someone("reader", places=()), "/models")


def test_what_others_wrote_is_text(tmp_path) -> None:
    site = a_site(tmp_path)
    evaluation = an_evaluation(warnings=(FOREIGN,), decision={"rule": FOREIGN})
    a_measured(site, "chest@1", evaluation, signed_by=FOREIGN, licence=FOREIGN)
    for path in ("/models", "/models/chest@1"):
        assert "<img" not in page(site.someone("steward"), path)


def test_a_release_that_can_not_be_read_says_so(tmp_path) -> None:
    site = a_site(tmp_path)
    label = a_measured(site, "chest@1")
    (site.service.workspace.releases / label / "release.json").write_text("[", encoding="utf-8")
    text = page(site.someone("reader"), "/models")
    assert '<section class="unreadable">' in text
    assert str(tmp_path) not in text
    assert page(site.someone("steward"), f"/models/{label}")
    page(site.someone("reader"), "/models/nothing@1", 404)


# One release.


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_a_release_shows_its_evidence(tmp_path, lang: str) -> None:
    site = a_site(tmp_path)
    curve = Chart(title="Reliability", x_label="x", y_label="y", lines=(Line(label="a", x=(0.0, 1.0), y=(0.0, 1.0)),))
    evaluation = an_evaluation(figures=(curve, Gallery(title="Worst cases", pictures=())))
    label = a_measured(site, "chest@1", evaluation)
    (site.service.workspace.releases / label / "model-card.md").write_text("# A card <b>", encoding="utf-8")
    who = site.someone("reader")
    who.cookies["diascope-language"] = lang
    text = page(who, f"/models/{label}")
    for part in ("measured", "operating", "calibration", "metrics", "worst", "history", "card"):
        assert f'id="{part}"' in text
    assert "# A card &lt;b&gt;" in text
    assert text.count("<svg") >= 3
    assert f'href="/api/v1/releases/{label}/report"' in text


def test_only_those_who_may_are_offered_what_changes_it(tmp_path) -> None:
    site = a_site(tmp_path)
    candidate, signed = a_measured(site, "chest@2", signed_by=None), a_measured(site, "chest@1")

    def deeds(role: str, label: str) -> list[str]:
        text = page(site.someone(role), f"/models/{label}")
        return [name for name in ("sign", "serve", "withdraw") if f'data-deed="{name}"' in text]

    assert deeds("reader", candidate) == deeds("researcher", signed) == []
    assert deeds("steward", candidate) == ["sign", "withdraw"]
    assert deeds("administrator", candidate) == ["withdraw"]
    assert deeds("steward", signed) == ["withdraw"]
    site.someone("steward").post(f"/releases/{signed}/withdraw", json={"reason": "x"})
    assert deeds("steward", signed) == ["serve"]
    blocked = a_measured(site, "chest@3", an_evaluation(blocks=("it copies its training images",)), signed_by=None)
    assert deeds("steward", blocked) == ["withdraw"]
    assert "it copies its training images" in page(site.someone("reader"), f"/models/{blocked}")


def test_the_change_log_says_what_changed_and_who_did_it(tmp_path) -> None:
    site = a_site(tmp_path)
    better = {**MEASURES, "sensitivity": Measure(value=0.97, low=0.94, high=0.99)}
    some = [CaseScore(case=name, patient=name, score=1.0) for name in ("a", "b")]
    a_measured(site, "chest@9", an_evaluation(cases_ranked=some))
    a_measured(site, "chest@10", an_evaluation(better, cases_ranked=some[::-1]))
    a_measured(site, "chest@11", an_evaluation(better, cases_ranked=some[:1]))
    a_measured(site, "chest-ct@1")
    found = versions(site.service, "chest@11")
    assert [one.evidence.label for one in found] == ["chest@11", "chest@10", "chest@9"]
    assert [one.same_cases for one in found] == [False, True, False]
    change = found[1].changes["sensitivity"]
    assert change.value == pytest.approx(0.02)
    assert change.low is not None
    assert change.low < 0 < (change.high or 0)
    assert [one.evidence.label for one in versions(site.service, "chest@9")] == ["chest@9"]
    steward = site.someone("steward", display="Dr. Wang", name="wang")
    steward.post("/releases/chest@11/withdraw", json={"reason": "x"})
    steward.post("/releases/chest@11/serve")
    text = page(site.someone("reader"), "/models/chest@11")
    served, withdrawn = text.index("put into service by user:wang"), text.index("withdrawn by user:wang")
    assert served < withdrawn, "the newest first"
    assert "withdrawn by" not in page(site.someone("reader"), "/models/chest@10")
    assert "+0.02" in page(site.someone("reader"), "/models/chest@10")


def test_both_languages_have_the_same_words_and_blanks() -> None:
    import re
    from importlib.resources import files

    folder = files("diascope.serve.room").joinpath("catalogue")
    for part in ("models", "dashboard"):
        en, zh = (json.loads(folder.joinpath(f"{part}.{lang}.json").read_text("utf-8")) for lang in ("en", "zh-CN"))
        assert en.keys() == zh.keys()
        assert all(key.startswith(f"{part}.") for key in en)
        wrong = [key for key in en if set(re.findall(r"\{\w+\}", en[key])) != set(re.findall(r"\{\w+\}", zh[key]))]
        assert wrong == []
