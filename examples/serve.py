"""`make serve`: the service with a demo release and demo studies, ready in under a minute.

The first start learns to find the organs of 16 invented CT patients (examples/service/plan.json says how; about half a
minute) and signs the release; then the service listens, and three invented studies that the release has not seen are
sent to it over DICOM, as a scanner would. With --pacs AE@HOST:PORT, results are sent there.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import CTImageStorage
from pynetdicom import AE

from diascope.console import Console
from diascope.core.errors import BadUsage, Conflict, DiascopeError
from diascope.core.plan import Plan
from diascope.serve.access import tokens, users
from diascope.serve.access.logins import FIRST, first_administrator
from diascope.serve.access.matrix import Caller
from diascope.serve.access.users import HOST
from diascope.serve.dimse.peers import PeerSettings, add_peer, new_peer
from diascope.serve.rules.keeping import add, rules_in
from diascope.serve.rules.rule import Rule, Send, When
from diascope.serve.running import Places, Running
from diascope.serve.service import FIRST_PROJECT, Service, service_folder
from diascope.serve.settings import read_settings
from diascope.sources import Request, SourceOptions
from diascope.sources.phantom import SOURCE
from diascope.stages.check import look
from diascope.stages.curate import curate
from diascope.stages.evaluate import evaluate_run
from diascope.stages.release import candidate, sign
from diascope.stages.train import train
from diascope.store.workspace import Workspace

PLAN = Path(__file__).parent / "service" / "plan.json"
LEARNT_FROM = "phantom:0:16"
UNSEEN = "phantom:20261:3"
"""Three patients that are not among those learnt from."""
SCOPES = ("studies.*", "findings.*", "jobs.*", "rules.*", "peers.list", "releases.*", "system.read", "identities.read")


def main() -> int:
    """Run the demo service; returns an exit code."""
    options = parsed()
    console = Console(quiet=False, as_json=False)
    began = time.monotonic()
    workspace = Workspace(options.workspace)
    try:
        release = demo_release(workspace, console)
        given = {"port": options.port, "dicom_port": options.dicom_port}
        service = Service.open(workspace, read_settings(service_folder(workspace), given))
        try:
            token = prepared(service, release, options.pacs)
            password = first_administrator(service)
            doctor = demo_doctor(service)
            studies = demo_studies()

            def ready(places: Places) -> None:
                console.show_service(places, (FIRST, password) if password else None)
                say(HINTS.format(web=places.web, token=token, ready=time.monotonic() - began, workspace=workspace.root))
                say(f"The reading room: {places.web}, as {DOCTOR}{f', password {doctor}' if doctor else ''}\n")
                threading.Thread(target=send, args=(studies, places.dicom), daemon=True).start()

            Running(service).run(ready)
        finally:
            service.close()
    except DiascopeError as error:
        say(f"\n{error}")
        return error.exit_code
    return 0


DOCTOR = "doctor"
"""Name of the reader of the demo."""

HINTS = """
ready after {ready:.0f} s; three invented studies are on their way. In another terminal:

  export TOKEN={token}
  curl -s -H "Authorization: Bearer $TOKEN" {web}/api/v1/studies     # what arrived
  curl -s -H "Authorization: Bearer $TOKEN" {web}/api/v1/findings    # what the release said
  diascope audit verify --workspace {workspace}
"""


def parsed() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description="The service of Diascope on invented patients.")
    parser.add_argument("--workspace", type=Path, default=Path("demo-service"), help="where everything is written")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--dicom-port", type=int, default=11112)
    parser.add_argument("--pacs", metavar="AE@HOST:PORT", help="where results are sent")
    return parser.parse_args()


def demo_release(workspace: Workspace, console: Console) -> str:
    """The label of the demo release, which is learnt at the first start."""
    known = sorted(path.name for path in workspace.releases.iterdir() if not path.name.startswith("."))
    if known:
        return known[-1]
    say("The first start learns the demo release from 16 invented patients: about half a minute.")
    request = Request(location=LEARNT_FROM, folds=1, options=SourceOptions(target="organs"))
    curated = curate(workspace, look(request, console.tell), request)
    plan = Plan.read(PLAN).model_copy(update={"dataset": curated.folder.name})
    plan.write(workspace.plans / "demo.json")
    _, run = train(workspace, workspace.plans / "demo.json", tell=console.tell)
    _, folder = candidate(workspace, run, evaluate_run(workspace, run, console.tell).folder, console.tell)
    return sign(workspace, str(folder), "the demo, for nobody's diagnosis", None).label


def prepared(service: Service, release: str, pacs: str | None) -> str:
    """Peers, the rule and a token; returns the token."""
    with service.database.reading() as connection:
        known = {kept.rule.name for kept in rules_in(connection)}
    peers = {"DEMO": ("DEMO", "", 104), "STORESCU": ("STORESCU", "", 104)}
    if pacs:
        title, _, place = pacs.partition("@")
        host, _, port = place.rpartition(":")
        if not (title and host and port.isdigit()):
            raise BadUsage("a PACS is written AE@HOST:PORT", given=pacs, todo="For example ORTHANC@127.0.0.1:4242")
        peers["PACS"] = (title, host, int(port))
    for name, (title, host, number) in peers.items():
        settings = PeerSettings(ae_title=title, host=host, port=number, addresses=("127.0.0.1", "::1"))
        try:
            add_peer(service, new_peer(name, settings, frozenset({"store"})), HOST.actor)
        except Conflict:  # the demo has been started before
            continue
    if "organs" not in known:
        sends = (Send(peer="PACS", kinds=("seg", "sr", "sc")),) if pacs else ()
        rule = Rule(name="organs", release=release, when=When(modality=("CT",)), send=sends)
        service.database.change(lambda connection: add(connection, rule, service.clock()))
    return _token(service)


def demo_doctor(service: Service) -> str | None:
    """The password for one time of somebody who may read; None where the demo has been started before."""
    try:
        return users.create(service, DOCTOR, "reader", HOST, projects=[FIRST_PROJECT])[1]
    except Conflict:
        return None


def _token(service: Service) -> str:
    try:
        account = users.create(service, "demo", "service", HOST, projects=[FIRST_PROJECT])[0]
    except Conflict:
        account = next(one for one in users.listed(service) if one.name == "demo")
    owner = Caller(account.id, account.name, account.role, frozenset({FIRST_PROJECT}))
    return tokens.issue(service, owner, "demo", SCOPES, days=7)[1]


def demo_studies() -> list[list[Path]]:
    """The files of each demo study."""
    listing = SOURCE.list(UNSEEN, SourceOptions())
    return [[listing.root / path for path in case.inputs["image"].paths] for case in listing.cases]  # type: ignore[union-attr]


def send(studies: list[list[Path]], place: str) -> None:
    """Send the studies over DICOM, as a scanner would; a study that is there already is met again."""
    title, _, address = place.partition("@")
    host, _, port = address.rpartition(":")
    entity = AE(ae_title="DEMO")
    entity.add_requested_context(CTImageStorage)
    for files in studies:
        association = entity.associate(host, int(port), ae_title=title)
        if not association.is_established:
            say(f"the DICOM node at {place} does not answer")
            return
        statuses = [association.send_c_store(dcmread(path)).get("Status") for path in files]
        association.release()
        say(f"sent a study of {len(files)} slices: {sum(status == 0 for status in statuses)} are stored")


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
