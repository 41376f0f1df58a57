"""The pages of trainings: who sees what of them, what each step offers to whom, and that foreign text stays text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from diascope.core.figure import Bars
from diascope.core.problem import Problem, Problems
from diascope.serve import nouns
from diascope.serve.database import tables
from diascope.serve.http.routes import runs
from diascope.serve.room.words import words
from diascope.serve.service import Service
from diascope.testing.calls import row
from diascope.testing.models_calls import a_measured, an_evaluation
from diascope.testing.releases import a_plan
from diascope.testing.training_calls import a_command, an_upload
from diascope.testing.web import ORIGIN, OTHER, OWN, Browser, Site, a_site

FOREIGN = '"><img src=x onerror=alert(1)>'


def page(who: Browser, path: str, status: int = 200, lang: str = "en") -> str:
    """Its HTML, without what only the script reads."""
    answer = who.get(f"{ORIGIN}{path}", headers={"Accept-Language": lang})
    assert answer.status_code == status, answer.text[:300]
    return answer.text.partition('<script type="application/json"')[0]


def sent(who: Browser, path: str, form: str) -> dict[str, Any]:
    """What a form sends beside its fields."""
    text = who.get(f"{ORIGIN}{path}").text
    facts = text.partition('<script type="application/json" id="page">')[2].partition("</script>")[0]
    found: dict[str, Any] = json.loads(facts)["bodies"][form]
    return found


def a_check(site: Site, project: str = OWN, refused: tuple[str, ...] = (), **options: Any) -> str:
    """A check that has ended; its job."""
    problems = [
        {"check": one, "severity": "refuse", "title": FOREIGN, "detail": "", "cases": [FOREIGN]} for one in refused
    ]
    said = {"source": "table", "cases": 12, "patients": 7, "refused": list(refused), "problems": problems}
    source = {"source": "data", "path": "films/a"}
    payload = {"places": [source], "options": {"target": "kind", "source": "image_folder", "lang": "en", **options}}
    return a_command(site, project, "check", payload=payload, result={"said": said, "made": []})


def written_plan(service: Service, name: str = "films.json") -> str:
    a_plan().write(service.workspace.plans / name)
    return name


def test_a_list_shows_ones_own_and_only_what_leads_to_a_release(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    mine, theirs, other = (a_command(site, *one) for one in ((OWN, "fit"), (OTHER, "fit"), (OWN, "search")))
    upload, foreign = an_upload(site, OWN), an_upload(site, OTHER)
    text = page(site.someone("researcher"), "/training")
    assert mine in text
    assert upload in text
    assert not any(one in text for one in (theirs, other, foreign))
    assert "/training/new" in text
    assert "/training/new" not in page(site.someone("administrator"), "/training")
    page(site.someone("reader"), "/training", 403)
    assert "Nothing has been checked" in page(site.someone("researcher", places=()), "/training")


def test_jobs_that_lead_to_no_release_have_no_page(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    who = site.someone("researcher")
    page(who, f"/training/jobs/{a_command(site, OWN, 'search')}", 404)
    page(who, f"/training/jobs/{a_command(site, OTHER, 'check')}", 404)
    page(who, "/training/jobs/nothing", 404)


def test_the_plan_is_asked_for_with_what_was_said_about_the_data(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    path = f"/training/jobs/{a_check(site, without=['age'], accept=['old'])}"
    body = sent(site.someone("researcher"), path, "plan")
    assert body == {
        "project": OWN, "source": "data", "path": "films/a", "target": "kind", "without": ["age"],
        "layout": "image_folder", "accept": ["old"],
    }  # fmt: skip
    (tmp_path / "data" / "films" / "a").mkdir(parents=True)
    made = site.someone("researcher").post("/plans", json={**body, "minutes": 0.5})
    assert made.status_code == 202
    assert made.json()["payload"]["options"]["target"] == "kind"


def test_each_refusal_is_accepted_by_itself_and_by_who_may_plan(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    path = f"/training/jobs/{a_check(site, refused=('duplicates', 'labels', 'labels'))}"
    text = page(site.someone("researcher"), path)
    assert text.count('name="accept"') == 2
    assert text.count("required") >= 2
    assert "Refused: nothing should be trained" in text
    assert FOREIGN not in text
    steward = page(site.someone("steward"), path)
    assert 'id="plan"' not in steward
    assert "A researcher of this project" in steward


def test_findings_that_were_too_long_to_keep_are_in_the_report(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    made = [{"kind": "reports", "name": "check-films.html"}]
    job = a_command(site, OWN, "check", result={"said": {"cases": 5, "patients": 5, "refused": []}, "made": made})
    text = page(site.someone("researcher"), f"/training/jobs/{job}")
    assert "the report has all of it" in text
    assert "/api/v1/reports/check-films.html" in text


def test_a_plan_says_why_and_shows_the_pictures_of_the_check(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    name = written_plan(site.service)
    dataset = a_plan().dataset
    (site.service.workspace.datasets / dataset).mkdir()
    figure = Bars(title="How many", names=("a", "b"), values=(3.0, 4.0))
    problem = Problem(check="labels", severity="warn", title="two films differ", detail="", figure=figure)
    Problems(problems=(problem,)).write(site.service.workspace.datasets / dataset / "problems.json")
    job = a_command(site, OWN, "plan", result={"said": {}, "made": [{"kind": "plans", "name": name}]})
    who = site.someone("researcher")
    text = page(who, f"/training/jobs/{job}")
    first = next(iter(a_plan().choices))
    assert f"<code>{first}</code>" in text
    assert a_plan().choices[first].reason in text
    assert "two films differ" in text
    assert "<svg" in text
    assert sent(who, f"/training/jobs/{job}", "start") == {"plan": name, "lang": "en"}
    (site.service.workspace.plans / name).unlink()
    assert "has been deleted" in page(who, f"/training/jobs/{job}")


def test_what_failed_says_what_to_do(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    error = {"wrong": FOREIGN, "given": "x", "todo": "Say --target"}
    job = a_command(site, OWN, "plan", "failed", error=error)
    who = site.someone("researcher")
    text = page(who, f"/training/jobs/{job}")
    assert "Say --target" in text
    assert FOREIGN not in text
    assert 'id="retry"' in text
    assert f"/training/new?like={job}" in text
    page(who, f"/training/new?like={job}")
    page(who, f"/training/new?like={a_command(site, OTHER, 'check')}", 404)


@pytest.mark.parametrize(("role", "forms"), [("steward", {"sign", "compare"}), ("researcher", {"compare"})])
def test_a_candidate_is_signed_by_a_steward_and_compared_with_what_is_in_service(
    role: str, forms: set[str], tmp_path: Path
) -> None:
    site = a_site(tmp_path)
    label = a_measured(site, "films@2", signed_by=None, signed_at=None)
    a_measured(site, "films@1")
    a_measured(site, "others@1", task="another")
    job = a_command(site, OWN, "train", result={"said": {}, "made": [{"kind": "releases", "name": label}]})
    text = page(site.someone(role), f"/training/jobs/{job}")
    assert {one for one in ("sign", "compare") if f'id="{one}"' in text} == forms
    assert "films@1" in text
    assert "others@1" not in text
    assert "0.95" in text or "95" in text


def test_what_must_not_be_used_can_not_be_signed(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    blocked = an_evaluation(blocks=("too few patients",))
    label = a_measured(site, "films@2", blocked, signed_by=None)
    job = a_command(site, OWN, "train", result={"said": {}, "made": [{"kind": "releases", "name": label}]})
    text = page(site.someone("steward"), f"/training/jobs/{job}")
    assert 'id="sign"' not in text
    assert "too few patients" in text


def test_one_signs_with_ones_own_name(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    a_measured(site, "films@2", signed_by=None)
    who = site.someone("steward", display="Dr. Li Wei")
    answer = who.post("/releases/films@2/sign", json={"name": "Dr. Wang", "reason": "it is good"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert "Dr. Li Wei" in answer.json()["error"]["todo"]


def test_a_comparison_shows_its_differences(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    difference = {"value": 0.1, "low": 0.02, "high": 0.18}
    metrics = {"auroc": {"one": 0.9, "other": 0.8, "difference": difference, "p": 0.01, "method": "x"}}
    said = {"releases": ["a@1", "b@1"], "cases": 40, "patients": 20, "warnings": ["seen before"], "metrics": metrics}
    job = a_command(site, OWN, "compare", result={"said": said, "made": []})
    text = page(site.someone("researcher"), f"/training/jobs/{job}")
    assert all(one in text for one in ("a@1", "b@1", "0.9", "0.8", "0.02", "0.18", "seen before", "20 patients"))


def a_run(service: Service, name: str) -> None:
    folder = service.workspace.runs / name
    for fold in range(2):
        (folder / f"fold-{fold}").mkdir(parents=True)
        lines = [json.dumps({"event": "loss", "step": step, "network": 1 / (step + 1)}) for step in range(1000)]
        (folder / f"fold-{fold}" / "log.jsonl").write_text("\n".join(lines))
    a_plan().write(folder / "plan.json")


def test_a_training_is_followed_while_it_goes_on_and_by_nobody_else(tmp_path: Path) -> None:
    """What a running job makes is nobody's yet; its course is told to those who may follow that very job."""
    site = a_site(tmp_path)
    service, who = site.service, site.someone("researcher")
    job, waits = (a_command(site, OWN, "train", "running") for _ in range(2))
    a_run(service, "films")
    assert who.get(f"/jobs/{job}/course").json()["run"] == ""
    (service.root / nouns.ALONE).write_text(job)
    course = who.get(f"/jobs/{job}/course").json()
    assert course["run"] == "films"
    assert [one["name"] for one in course["members"]] == ["fold-0", "fold-1"]
    lines = course["members"][0]["lines"]
    assert len(lines) <= runs.MOST + 1
    assert (lines[0]["step"], lines[-1]["step"]) == (0, 999)
    assert who.get(f"/jobs/{waits}/course").json()["members"] == []
    assert site.someone("researcher", places=(OTHER,)).get(f"/jobs/{job}/course").status_code == 404
    row(site, tables.nouns, kind="runs", name="films", project_id=OTHER, by="user:x", created=0.0)
    assert who.get(f"/jobs/{job}/course").json()["run"] == "", "it was another's all the time"


def test_every_task_has_its_words_in_both_languages(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    for lang in ("en", "zh-CN"):
        named = words(lang).of_script("training.task")
        text = page(site.someone("researcher"), "/training/new", lang=lang)
        assert all(f">{said}</option>" in text for said in named.values())
        assert text.count("<option") == len(named) + 2, "each task that there is has words; two sources"
