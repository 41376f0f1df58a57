"""The client against a service that listens: the whole path, as a program of the hospital goes it."""

from __future__ import annotations

import subprocess
import sys
import threading
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from sqlalchemy import select

from diascope.client import Client, Conflict, Forbidden, JobFailed, NotFound, NotLoggedIn, Unreachable
from diascope.core.errors import BadUsage, Unavailable
from diascope.core.record import canonical_json
from diascope.serve.database import tables
from diascope.serve.identities import Identity
from diascope.serve.jobs.worker import Worker
from diascope.testing import answers
from diascope.testing.calls import a_study
from diascope.testing.objects import uids
from diascope.testing.reading import SOLID, a_rule, a_signed_release, a_volume, become_complete, work_off
from diascope.testing.serving import served
from diascope.testing.web import OWN, PASSWORD, Site, a_site
from diascope.testing.work_calls import a_noun, a_result, a_signed


def token_of(site: Site, role: str) -> str:
    return site.with_token(site.user(role), role).headers["Authorization"].removeprefix("Bearer ")


def files_of(folder: Path, number: int) -> Path:
    folder.mkdir()
    for at, content in enumerate(a_volume(number)):
        (folder / f"{at}.dcm").write_bytes(content)
    return folder


def test_from_files_to_a_reviewed_result(tmp_path: Path) -> None:
    site = a_site(tmp_path / "workspace")
    a_signed_release(site.service, SOLID)
    a_rule(site.service, SOLID)
    with served(site.app) as url, Client(url, token_of(site, "steward")) as steward:
        stored = steward.store([files_of(tmp_path / "ct", 3)])
        assert (len(stored.instances), stored.refused) == (8, ())
        assert len(steward.store([tmp_path / "ct"]).instances) == 8  # sent again: there once
        become_complete(site.service)
        work_off(site.service)
        (study,) = steward.studies.list(modality="CT")
        assert (study["uid"], study["identity"], study["results"]) == (uids(3)[0], None, 1)
        assert steward.studies.identity(study["uid"])["number"]
        whole = steward.studies.read(study["uid"], identities=True)
        assert whole["identity"] is not None
        (result,) = steward.findings.list(study=study["uid"])
        assert result["state"] == "answered"
        said = steward.findings.read(result["id"])
        assert said["findings"]["reviewed"] == "not reviewed"
        with Client(url, token_of(site, "reader")) as reader:
            reading = reader.readings.write(
                result["id"], "reject", {"answer": "first"}, reason="false_finding", comment="a vessel"
            )
            reader.feedback.write(reading["id"], {"organ": False})
        assert [one["labels"] for one in steward.feedback.list()] == [{"organ": False}]
        assert steward.findings.read(result["id"])["findings"] == said["findings"]
        assert steward.studies.read(study["uid"])["all_results"][0]["verdict"] == "reject"
        again = steward.predictions.study(SOLID, study["uid"])
        assert (again["jobs"], again["results"]) == ([], [result["id"]])


def test_copies_that_name_nobody_come_as_a_zip(tmp_path: Path) -> None:
    """Pixels as they were, other UIDs, no element that is not on the list."""
    site = a_site(tmp_path / "workspace")
    with served(site.app) as url, Client(url, token_of(site, "steward")) as client:
        client.store([files_of(tmp_path / "ct", 4)])
        job = client.studies.export([uids(4)[0]])
        work_off(site.service)
        done = client.wait(job, seconds=30)
        assert done["result"] == {"studies": 1, "instances": 8, "left": {}}
        path = client.studies.save_export(job["id"], tmp_path / "copies.zip")
    sent = [pydicom.dcmread(BytesIO(content)) for content in a_volume(4)]
    with zipfile.ZipFile(path) as archive:
        got = [pydicom.dcmread(BytesIO(archive.read(name))) for name in sorted(archive.namelist())]
        raw = b"".join(archive.read(name) for name in archive.namelist())
    assert [one.PixelData for one in got] == [one.PixelData for one in sent]
    assert {one.PatientID for one in got} == {str(one.PatientName) for one in got}
    for one in sent:
        for value in (one.PatientID, str(one.PatientName), one.StudyInstanceUID, one.SOPInstanceUID):
            assert str(value).encode() not in raw
    assert len({one.StudyInstanceUID for one in got}) == 1
    assert len({one.SOPInstanceUID for one in got}) == 8
    assert all(one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID for one in got)


def test_pages_are_fetched_as_they_are_needed(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    made = {a_result(site, OWN) for _ in range(7)}
    with served(site.app) as url, Client(url, token_of(site, "researcher")) as client:
        assert {one["id"] for one in client.findings.list(limit=2)} == made
        first = next(client.findings.list(limit=2))
        assert first["id"] in made


def test_errors_say_what_was_wrong_what_was_given_and_what_to_do(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    with served(site.app) as url, Client(url, token_of(site, "researcher")) as client:
        with pytest.raises(NotFound) as caught:
            client.plans.read("no such plan")
        assert caught.value.code == "not_found"
        with pytest.raises(Forbidden, match="researcher"):
            client.users.read("x")
        waiting = client.releases.export(a_signed(site, signed=False), "onnx")
        with pytest.raises(Conflict):
            client.jobs.do(waiting["id"], "retry")
    with pytest.raises(Unreachable):
        Client(url, "x", tries=2).me()
    with pytest.raises(BadUsage):
        Client("reading.example.org")


def test_a_session_as_a_person_has_it(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    site.user("reader", "li")
    with served(site.app) as url, Client(url) as client:
        with pytest.raises(NotLoggedIn):
            client.log_in("li", "wrong")
        assert client.log_in("li", PASSWORD)["must_change"] is False
        assert client.me()["name"] == "li"
        client.set_password(PASSWORD, "copper-meadow-violin-31")
        assert client.rights("users.write")[0]["allowed"] is False
        client.log_out()
        with pytest.raises(NotLoggedIn):
            client.me()


def test_a_report_is_signed_and_taken_out(tmp_path: Path) -> None:
    """In a session: no token signs."""
    site = a_site(tmp_path / "workspace")
    site.user("reader", "li")
    study = a_study(site, OWN)
    site.service.identities.keep(study, Identity(name="Zhang^San", number="4711"))
    with served(site.app) as url, Client(url) as client:
        client.log_in("li", PASSWORD)
        assert client.studies.open(study)["still"] is False
        draft = client.studies.report(study)
        signed = client.studies.sign(study, draft)
        assert [one["id"] for one in client.studies.signed(study)] == [signed["id"]]
        assert client.studies.save_signed(signed["id"], "pdf", tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")
    with served(site.app) as url, Client(url, token_of(site, "reader")) as client, pytest.raises(Forbidden):
        client.studies.sign(study, draft)


def test_a_request_whose_answer_was_lost_is_sent_again_and_done_once(tmp_path: Path) -> None:
    """The same idempotency key: what was done is not done twice."""
    site = a_site(tmp_path)
    result, lost = a_result(site, OWN), []

    class Losing(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = super().handle_request(request)
            if request.method == "POST" and not lost:
                lost.append(request.headers["Idempotency-Key"])
                answer.read()
                answer.close()
                raise httpx.ReadError("the answer was lost")
            return answer

    with served(site.app) as url, Client(url, token_of(site, "reader"), transport=Losing()) as client:
        reading = client.readings.write(result, "accept", {})
        assert lost
        assert [one["id"] for one in client.readings.list()] == [reading["id"]]


def test_jobs_are_waited_for_with_their_progress(tmp_path: Path) -> None:
    """A verb of the command line, asked for through the API, run by a worker, followed by its events."""
    site = a_site(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    rows = ["id,a,b,label", *(f"p{n},{n % 7},{n * 3 % 11},{'yes' if n % 2 else 'no'}" for n in range(60))]
    (data / "rows.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    token = token_of(site, "researcher")
    with served(site.app) as url, Client(url, token) as client:
        assert client.datasets.sources() == ["data", f"data-of-{OWN}", "feedback", "uploads"]
        with pytest.raises(BadUsage), Client(url, token) as other:
            other.store([tmp_path / "nothing"])
        job = client.datasets.ask("check", source="data", path="rows.csv", target="label", patient="id")
        with pytest.raises(Unavailable):
            client.wait(job, seconds=0.0)
        worker = Worker(site.service)
        thread = threading.Thread(target=lambda: work_off(site.service, worker))
        thread.start()
        seen: list[Any] = []
        done = client.wait(job, seen.append, seconds=120)
        thread.join(60)
        assert seen[-1]["state"] == "done"
        assert done["result"] is not None
        (report,) = [one["name"] for one in done["result"]["made"] if one["kind"] == "reports"]
        assert done["result"]["said"]["report"] == f"reports/{report}"
        assert str(tmp_path) not in canonical_json(done["result"]["said"]["report"])
        page = client.reports.save(report, tmp_path / "report.html")
        assert page.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")
        bad = client.datasets.ask("check", source="data", path="rows.csv", target="no such column")
        work_off(site.service, worker)
        with pytest.raises(JobFailed, match="no such column"):
            client.wait(bad, seconds=60)


def test_files_of_a_source_are_read_and_the_answers_are_an_export(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    a_signed_release(site.service, SOLID)
    (tmp_path / "data").mkdir()
    files_of(tmp_path / "data" / "ct", 5)
    with served(site.app) as url, Client(url, token_of(site, "researcher")) as client:
        job = client.predictions.files(SOLID, "data", "ct")
        work_off(site.service)
        done = client.wait(job, seconds=10)
        assert done["result"] is not None
        (made,) = done["result"]["made"]
        assert made["kind"] == "exports"
        client.exports.save(made["name"], tmp_path / "answers.zip")
    with zipfile.ZipFile(tmp_path / "answers.zip") as archive:
        assert [name for name in archive.namelist() if name.endswith("findings.json")]


def test_odd_numbers_are_refused(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    (tmp_path / "data").mkdir()
    who = site.someone("researcher")
    for value in ("NaN", "1e999", '"a\\u0000b"'):
        body = f'{{"source": "data", "settings": {{"x": {value}}}}}'
        said = who.send("POST", "/plans", content=body, headers={"Content-Type": "application/json"})
        assert said.status_code == 400, said.text


def test_nouns_of_the_workspace(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    release, dataset, run = a_signed(site), a_noun(site, "datasets", OWN), a_noun(site, "runs", OWN)
    hidden = a_noun(site, "datasets", "other")
    with served(site.app) as url, Client(url, token_of(site, "steward")) as client:
        names = [one["name"] for one in client.datasets.list()]
        assert dataset in names
        assert hidden not in names
        with pytest.raises(NotFound):
            client.datasets.read(hidden)
        assert client.runs.log(run)["items"] == [{"step": 1}]
        assert client.releases.withdraw(release, "another scanner")["state"] == "withdrawn"
        assert client.releases.serve(release)["state"] == "in service"
        assert client.releases.save(release, tmp_path / "files.zip").stat().st_size > 100
        assert client.releases.save(release, tmp_path / "card.md", "card").is_file()
        client.datasets.delete(dataset)
        assert dataset not in [one["name"] for one in client.datasets.list()]
        assert not (site.service.workspace.datasets / dataset).exists()
    with site.service.database.reading() as connection:
        left = connection.execute(select(tables.nouns.c.name).where(tables.nouns.c.kind == "datasets")).scalars().all()
    assert left == [hidden]


def test_the_types_of_answers_are_those_of_the_service() -> None:
    """Written by `python -m diascope.testing.answers`, then `ruff format`."""
    wanted = answers.files()
    there = {path.name: path.read_text(encoding="utf-8") for path in answers.FOLDER.glob("*.py")}
    assert there.keys() == wanted.keys()
    assert {name for name, text in there.items() if "".join(text.split()) != "".join(wanted[name].split())} == set()


def test_it_imports_without_the_service() -> None:
    """httpx is all that it needs of the extra, and it says so only when a client is made."""
    blocked = ("fastapi", "sqlalchemy", "pynetdicom", "uvicorn", "torch", "pydicom", "httpx")
    code = (
        f"import sys\nfor one in {blocked!r}: sys.modules[one] = None\n"
        "import diascope.client as client\nfrom diascope.core.errors import MissingPackage\n"
        "try:\n    client.Client('http://127.0.0.1:1')\nexcept MissingPackage as error:\n    print(error.todo)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "diascope[serve]" in done.stdout
