"""A client of the service: all that its REST API does, typed; pages are iterators, and jobs can be waited for.

It needs httpx and nothing else of the extra `serve`.

Example:
    >>> from diascope.client import Client
    >>> with Client("https://reading.example.org", token="dsc_…") as service:  # doctest: +SKIP
    ...     service.store([Path("ct")])
    ...     for study in service.studies.list(modality="CT"):
    ...         print(study["date"], study["description"])
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from diascope.client import nouns, storing, waiting
from diascope.client.connection import Connection
from diascope.client.errors import Conflict, Forbidden, JobFailed, NotFound, NotLoggedIn, ServiceError, Unreachable
from diascope.client.nouns import Noun
from diascope.client.reading_room import Beside, Labellings, Uploads
from diascope.client.storing import Stored

if TYPE_CHECKING:
    from diascope.client.answers import audit, changes, of_nouns, peers, projects, rules, system, users
    from diascope.client.answers import me as own
    from diascope.client.answers.jobs import Job
    from diascope.client.waiting import Tell

__all__ = [
    "Client",
    "Conflict",
    "Forbidden",
    "JobFailed",
    "NotFound",
    "NotLoggedIn",
    "ServiceError",
    "Stored",
    "Unreachable",
]


class Client:
    """A service.

    Args:
        address: `https://host:port`.
        token: API token; without one, `log_in`.
        **more: `tries`, `seconds`, `verify`; see `Connection`.

    Raises:
        MissingPackage: Without httpx.
        BadUsage: When the address is none.
    """

    def __init__(self, address: str, token: str = "", **more: Any) -> None:
        self.connection = to = Connection(address, token, **more)
        self.studies, self.findings = nouns.Studies(to, "/studies"), nouns.Findings(to, "/findings")
        self.predictions = nouns.Predictions(to, "/predictions")
        self.readings, self.feedback = nouns.Readings(to, "/readings"), nouns.Feedback(to, "/feedback")
        self.gathered = nouns.Gathered(to, "/gathered")
        self.labellings, self.uploads = Labellings(to, "/labellings"), Uploads(to, "/uploads")
        self.beside = Beside(to)
        self.datasets, self.plans = nouns.Datasets(to, "/datasets"), nouns.Plans(to, "/plans")
        self.runs, self.evaluations = nouns.Runs(to, "/runs"), nouns.Evaluations(to, "/evaluations")
        self.releases = nouns.Releases(to, "/releases")
        self.encoders: Noun[of_nouns.Owned, of_nouns.WithRecord] = Noun(to, "/encoders")
        self.reports: Noun[of_nouns.Owned, Any] = Noun(to, "/reports")
        self.exports: Noun[of_nouns.Owned, Any] = Noun(to, "/exports")
        self.jobs: Noun[Job, Job] = Noun(to, "/jobs")
        self.peers: Noun[peers.Named, peers.Peer] = Noun(to, "/peers")
        self.rules: Noun[rules.Kept, rules.Kept] = Noun(to, "/rules")
        self.projects: Noun[projects.Project, projects.Project] = Noun(to, "/projects")
        self.users: Noun[users.User, Any] = Noun(to, "/users")
        self.tokens: Noun[own.Token, Any] = Noun(to, "/tokens")
        self.audit: Noun[audit.Record, Any] = Noun(to, "/audit")
        self.changes: Noun[changes.Change, Any] = Noun(to, "/changes")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections; a session goes on until it is logged out or over."""
        self.connection.close()

    def log_in(self, name: str, password: str) -> dict[str, Any]:
        """Begin a session; `must_change` says whether a new password must be set before anything else.

        Raises:
            NotLoggedIn: When name and password do not belong together.
        """
        return self.connection.log_in(name, password)

    def log_out(self) -> None:
        """End the session."""
        self.connection.log_out()

    def set_password(self, old: str, new: str) -> dict[str, Any]:
        """Set a password of one's own."""
        return self.connection.set_password(old, new)

    def me(self) -> own.Account:
        """One's own account."""
        return cast("own.Account", self.connection.json("GET", "/me"))

    def rights(self, operation: str | None = None, project: str | None = None) -> Sequence[own.Right]:
        """What one may do, and why not."""
        found: Any = self.connection.json("GET", "/me/rights", None, operation=operation, project=project)
        return cast("Sequence[own.Right]", found["items"])

    def system(self) -> system.State:
        """The state of the service."""
        return cast("system.State", self.connection.json("GET", "/system"))

    def plugins(self) -> dict[str, Any]:
        """What the program knows: tasks, models, formats, public data sets."""
        return cast("dict[str, Any]", self.connection.json("GET", "/plugins"))

    def store(self, files: Sequence[Path], project: str = "") -> Stored:
        """Send DICOM files, or folders of them (STOW-RS); what is acknowledged is kept.

        Raises:
            BadUsage: When there is no such file.
            ServiceError: What the service told.
        """
        return storing.store(self.connection, files, project)

    def wait(self, job: Job | str, tell: Tell | None = None, seconds: float | None = None) -> Job:
        """Wait until a job is done; `tell` is called at every change.

        Raises:
            JobFailed: When it failed or was cancelled.
            Unavailable: When it takes longer than `seconds`; it goes on.
        """
        return waiting.wait(self.connection, job, tell, seconds)
