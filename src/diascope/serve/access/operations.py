"""The written matrix: every operation, and who may do it. `matrix.py` decides by it; the docs print it.

`of` says what an operation is done to:

- `project`: something that belongs to a project (a study, a job, a data set).
- `site`: something of the whole service (users, peers, rules, releases).
- `self`: the caller's own account.
- `anyone`: no login is needed.

An answer is `own` (in projects that one is a member of), `all` (in every project), `yes` or `-` (no). A caller of role
`service` comes with a token and is held to its scopes as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Of = Literal["project", "site", "self", "anyone"]
Answer = Literal["own", "all", "yes", "-"]

ROLES = ("reader", "researcher", "steward", "administrator", "service")

ROLE_MEANS = {
    "reader": "a doctor: sees studies with their identities, says what is right",
    "researcher": "makes data sets and models; sees pseudonyms only",
    "steward": "answers for the data: brings in, deletes, signs releases, reads the audit trail of own projects",
    "administrator": "runs the service: users, peers, rules, the audit trail; sees no identities",
    "service": "a program with a token, never more than the token's scopes",
}

TABLE = """
operation            of       reader  researcher  steward  administrator  service  what
service.alive        anyone   yes     yes         yes      yes            yes      ask whether the service runs
session.login        anyone   yes     yes         yes      yes            yes      log in with a name and a password
me.read              self     yes     yes         yes      yes            yes      see one's own account and rights
me.logout            self     yes     yes         yes      yes            -        log out
me.password          self     yes     yes         yes      yes            -        change one's own password
me.sessions          self     yes     yes         yes      yes            -        see and end one's own sessions
me.tokens            self     yes     yes         yes      yes            -        make, see and revoke one's own tokens
studies.list         project  own     own         own      own            own      list and search studies by pseudonym
studies.read         project  own     own         own      own            own      read a study, pseudonymised
studies.move         project  -       -           own      -              -        move a study to another project
studies.delete       project  -       -           own      -              -        delete a study with its instances
studies.export       project  -       own         own      -              own      take pseudonymised copies out
changes.list         project  own     own         own      own            own      follow what happens to the archive
instances.read       project  own     -           own      -              own      read original bytes, with identity
instances.store      project  -       -           own      own            own      store instances
instances.send       project  own     -           own      -              own      send originals to a peer
rendered.read        project  own     own         own      own            own      see rendered images
identities.read      project  own     -           own      -              own      see whose study it is
identities.search    project  own     -           own      -              own      search by name, number, birth date
findings.list        project  own     own         own      own            own      list results
findings.read        project  own     own         own      own            own      read a result
findings.explain     project  own     own         own      -              own      ask what led to a finding
findings.send        project  own     -           own      own            own      send a result to a peer again
predictions.request  project  own     own         own      own            own      let a release read a study
readings.list        project  own     own         own      own            own      list what readers decided
readings.read        project  own     own         own      own            own      read what a reader decided
readings.open        project  own     -           -        -              -        open a study to read it
readings.write       project  own     -           -        -              -        accept, reject or amend a result
signatures.list      project  own     own         own      own            own      list signed reports
signatures.read      project  own     own         own      own            own      read a signed report
signatures.write     project  own     -           -        -              -        sign the report of a study
feedback.list        project  own     own         own      own            own      list label changes from readings
feedback.write       project  own     own         -        -              -        turn readings into label changes
labellings.list      project  own     own         own      own            own      list what readers are asked to label
labellings.read      project  own     own         own      own            own      see labels, agreement and progress
labellings.write     project  -       own         own      -              -        ask readers for labels, close it
annotations.write    project  own     own         -        -              -        label a series
observations.list    project  own     own         own      -              own      see laboratory results of a study
observations.write   project  -       -           own      -              own      bring in laboratory results
documents.read       project  own     -           own      -              own      read reports (they may name patients)
documents.write      project  own     -           own      -              own      bring in and mark reports in words
datasets.upload      project  -       own         own      -              -        upload a data set
datasets.list        project  -       own         own      own            own      list data sets
datasets.read        project  -       own         own      own            own      read a data set and its checks
datasets.write       project  -       own         own      -              own      make or check a data set
datasets.measure     project  -       own         own      -              own      measure a data set (radiomics)
datasets.delete      project  -       own         own      -              -        delete a data set
plans.list           project  -       own         own      own            own      list plans
plans.read           project  -       own         own      own            own      read a plan
plans.write          project  -       own         -        -              own      make or edit a plan
plans.delete         project  -       own         -        -              -        delete a plan
runs.list            project  -       own         own      own            own      list runs
runs.read            project  -       own         own      own            own      follow a run
runs.start           project  -       own         -        -              own      train, pretrain, resume
runs.delete          project  -       own         -        -              -        delete a run
evaluations.list     project  own     own         own      own            own      list evaluations
evaluations.read     project  own     own         own      own            own      read an evaluation and its report
evaluations.start    project  -       own         own      -              own      evaluate or compare
evaluations.delete   project  -       own         -        -              -        delete an evaluation
releases.build       project  -       own         -        -              own      make or adopt a candidate
releases.list        site     yes     yes         yes      yes            yes      list releases
releases.read        site     yes     yes         yes      yes            yes      read a release's card and evidence
releases.export      site     -       yes         yes      yes            -        take a release's files out
releases.sign        site     -       -           yes      -              -        sign a candidate
releases.serve       site     -       -           yes      yes            -        put a release into service
releases.withdraw    site     -       -           yes      yes            -        take a release out of service
jobs.list            project  own     own         own      all            own      list jobs
jobs.read            project  own     own         own      all            own      follow a job
jobs.cancel          project  own     own         own      all            own      cancel a job
jobs.retry           project  own     own         own      all            own      try a failed job again
rules.list           site     yes     yes         yes      yes            yes      list routing rules
rules.read           site     yes     yes         yes      yes            yes      read a routing rule
rules.write          site     -       -           -        yes            -        make, change, order, delete rules
rules.try            project  -       own         own      own            own      see which rules match, and why
peers.list           site     yes     yes         yes      yes            yes      list peers by name
peers.read           site     -       -           yes      yes            -        read a peer's settings
peers.write          site     -       -           -        yes            -        make, change, delete peers
peers.echo           site     -       -           yes      yes            -        ask whether a peer answers
peers.query          project  own     -           own      -              own      search a peer (answers name patients)
peers.retrieve       project  own     -           own      -              own      fetch studies from a peer
projects.list        project  own     own         own      all            own      list projects
projects.read        project  own     own         own      all            own      see a project and its members
projects.write       site     -       -           -        yes            -        make and rename projects
projects.members     project  -       -           own      all            -        add and remove members
users.list           site     -       -           yes      yes            -        list users
users.read           site     -       -           yes      yes            -        see a user
users.write          site     -       -           -        yes            -        make, change and disable users
tokens.list          site     -       -           -        yes            -        list everybody's tokens
tokens.write         site     -       -           -        yes            -        make tokens for service accounts
tokens.revoke        site     -       -           -        yes            -        revoke anybody's token
audit.read           project  -       -           own      all            -        read the audit trail
audit.export         project  -       -           own      all            -        take the audit trail out
audit.verify         site     -       -           yes      yes            -        verify the audit trail
settings.read        site     -       -           -        yes            -        read the settings
system.read          site     -       -           -        yes            yes      read state, metrics, free space
"""

SESSION_ONLY = frozenset(
    {
        "me.logout", "me.password", "me.sessions", "me.tokens", "users.write", "tokens.write", "projects.members",
        "signatures.write",
    }
)  # fmt: skip
"""Never by token: whoever finds a token must not be able to make more of it; and what is signed is signed by a person
who is there."""

BEFORE_NEW_PASSWORD = frozenset({"me.read", "me.logout", "me.password", "service.alive", "session.login"})
"""All that may be done with a one-time password."""


@dataclass(frozen=True)
class Operation:
    """One row of the table.

    Args:
        name: `noun.verb`.
        of: What it is done to.
        answers: Role to answer.
        what: What it does, as in "may see a project".
    """

    name: str
    of: Of
    answers: Mapping[str, Answer]
    what: str

    @property
    def noun(self) -> str:
        """`studies` of `studies.read`."""
        return self.name.split(".")[0]

    @property
    def roles(self) -> tuple[str, ...]:
        """Those that may, at least in their own projects."""
        return tuple(role for role in ROLES if self.answers[role] != "-")


def read_table(text: str) -> dict[str, Operation]:
    """The rows of a table by name.

    Raises:
        ValueError: When a row is incomplete, stands twice, or has an answer that its kind can't have.
    """
    head, *lines = text.strip().splitlines()
    if tuple(head.split()[2:-1]) != ROLES:
        raise ValueError(f"the columns are not the roles: {head}")
    found: dict[str, Operation] = {}
    for line in lines:
        name, of, *answers = line.split(maxsplit=2 + len(ROLES))
        *cells, what = answers
        allowed = {"own", "all", "-"} if of == "project" else {"yes", "-"}
        if name in found or of not in get_args(Of) or len(cells) != len(ROLES) or not allowed.issuperset(cells):
            raise ValueError(f"this row of the permissions makes no sense: {line}")
        found[name] = Operation(name, of, dict(zip(ROLES, cells, strict=True)), what)  # type: ignore[arg-type]
    return found


OPERATIONS: Mapping[str, Operation] = read_table(TABLE)
"""Every operation by name."""
