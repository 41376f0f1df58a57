"""Decisions: may this caller do this, and why not. The table that they follow is in `operations.py`.

Two questions are asked of a request. Before anything is looked up: may this role do it at all (`project=None`)? And
when the object is known: may it in the object's project? What a caller may not know of is answered as if it were not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from diascope.core.errors import BadUsage, DiascopeError, UnknownName
from diascope.serve.access.operations import BEFORE_NEW_PASSWORD, OPERATIONS, ROLES, SESSION_ONLY, Operation

HIDDEN = "There is no such object, or it belongs to a project that you are not a member of"
"""One sentence for both, so that the answer does not tell them apart."""


@dataclass(frozen=True)
class Caller:
    """Who asks, as a session or a token proves.

    Args:
        id: Of the user.
        name: Of the user.
        role: One of `ROLES`.
        projects: Ids of those that the user is a member of.
        scopes: Operations that the token carries; None is a session, which carries all of the role.
        must_change: Whether a new password must be set first.
        address: Network address of the request.
    """

    id: str
    name: str
    role: str
    projects: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    must_change: bool = False
    address: str = ""

    @property
    def actor(self) -> str:
        """As the audit trail names this caller."""
        return f"user:{self.name}"


@dataclass(frozen=True)
class Decision:
    """An answer that can be explained.

    Args:
        allowed: Whether it may be done.
        why: In plain English: by which right, or what is missing and who can give it.
        visible: Whether the caller may know that the object exists; where not, it is answered as missing (404).
        login: Whether somebody must log in first (401).
        roles: Roles that may do it.
    """

    allowed: bool
    why: str
    visible: bool = True
    login: bool = False
    roles: tuple[str, ...] = ()


class Forbidden(DiascopeError):
    """Something that the caller may not do; `decision` says why."""

    def __init__(self, decision: Decision) -> None:
        first, _, rest = decision.why.partition(". ")
        super().__init__(first, todo=rest)
        self.decision = decision


@dataclass(frozen=True)
class Reach:
    """How far a right goes, for lists.

    Args:
        everywhere: In every project.
        projects: Where else.
    """

    everywhere: bool = False
    projects: frozenset[str] = field(default_factory=frozenset)


def operation(name: str) -> Operation:
    """An operation by name.

    Raises:
        UnknownName: When the table has no such row.
    """
    if name not in OPERATIONS:
        raise UnknownName("operation", name, OPERATIONS)
    return OPERATIONS[name]


def decide(name: str, caller: Caller | None, project: str | None = None) -> Decision:
    """May it be done?

    Args:
        name: Of the operation.
        caller: Who asks; None has not logged in.
        project: Id of the project of the object; None before the object is known.

    Raises:
        UnknownName: When there is no such operation.
    """
    asked = operation(name)
    if asked.of == "anyone":
        return Decision(True, f"Anyone may {asked.what}.", roles=asked.roles)
    if caller is None:
        return Decision(False, f"Log in first, or send a token: {name} is not open to all.", True, True, asked.roles)
    answer = asked.answers.get(caller.role, "-")
    hidden = answer != "all" and project is not None and asked.of == "project" and project not in caller.projects
    if hidden and not _sees_everywhere(asked, caller):
        why = f"{HIDDEN}. A steward of its project or an administrator can make you a member."
        return Decision(False, why, visible=False, roles=asked.roles)
    if missing := _missing(asked, caller, elsewhere=hidden):
        return Decision(False, missing, roles=asked.roles)
    where = {"own": " in your own projects", "all": " in every project"}.get(answer, "")
    return Decision(True, f"The role {caller.role} may {asked.what}{where} ({name}).", roles=asked.roles)


def require(name: str, caller: Caller | None, project: str | None = None) -> None:
    """Pass, or refuse.

    Raises:
        Forbidden: With the decision.
        UnknownName: When there is no such operation.
    """
    decision = decide(name, caller, project)
    if not decision.allowed:
        raise Forbidden(decision)


def reach(name: str, caller: Caller) -> Reach:
    """In which projects something may be done, so that a list holds nothing else.

    Raises:
        UnknownName: When there is no such operation.
    """
    if not decide(name, caller).allowed:
        return Reach()
    return Reach(everywhere=operation(name).answers[caller.role] != "own", projects=caller.projects)


def checked_scopes(names: Iterable[str], role: str) -> tuple[str, ...]:
    """The scopes of a token, in order, `studies.*` written out as what it means today.

    Raises:
        UnknownName: When one is no operation.
        BadUsage: When there is none, or the role may not do one of them, or none may by token.
    """
    found: set[str] = set()
    for name in names:
        noun, _, verb = name.partition(".")
        if verb == "*" and any(one.noun == noun for one in OPERATIONS.values()):
            found.update(one.name for one in OPERATIONS.values() if one.noun == noun and not _never(one, role))
        elif never := _never(operation(name), role):
            raise BadUsage(never, given=name, todo="Leave it out of the scopes")
        else:
            found.add(name)
    if not found:
        raise BadUsage("a token without scopes can do nothing", todo="Name operations, such as studies.list")
    return tuple(sorted(found))


def checked_role(role: str) -> str:
    """A role by name.

    Raises:
        UnknownName: When there is none.
    """
    if role not in ROLES:
        raise UnknownName("role", role, ROLES)
    return role


def _never(asked: Operation, role: str) -> str:
    """Why a token of this role can't carry an operation; empty where it can."""
    if asked.name in SESSION_ONLY:
        return "this can't be done with a token"
    return f"the role {role} may not do this" if asked.answers[role] == "-" else ""


def _sees_everywhere(asked: Operation, caller: Caller) -> bool:
    """Whether a caller may see objects of this kind in projects of others, and so may know of this one."""
    kin = (OPERATIONS.get(f"{asked.noun}.{verb}") for verb in ("list", "read"))
    return any(one is not None and one.answers.get(caller.role) == "all" for one in kin)


def _missing(asked: Operation, caller: Caller, elsewhere: bool) -> str:
    """What a caller lacks for an operation; empty where nothing is missing."""
    if caller.must_change and asked.name not in BEFORE_NEW_PASSWORD:
        return "Your password was given to you for one use. Set one of your own first (me.password)"
    if asked.answers.get(caller.role, "-") == "-":
        return (
            f"The role {caller.role} may not {asked.what} ({asked.name}). {_who(asked)}. "
            "An administrator can change your role"
        )
    if elsewhere:
        return f"The role {caller.role} may {asked.what} in its own projects only ({asked.name}). " + (
            "A steward of that project or an administrator can make you a member"
        )
    if caller.scopes is not None and asked.name in SESSION_ONLY:
        return f"No token may {asked.what} ({asked.name}). Log in with name and password"
    if caller.scopes is not None and asked.name not in {*caller.scopes, "me.read"}:
        return f"This token may not {asked.what} ({asked.name}). Use a token whose scopes hold {asked.name}"
    return ""


def _who(asked: Operation) -> str:
    people = [role for role in asked.roles if role != "service"]
    if not people:
        return "No person may"
    return f"The role {people[0]} may" if len(people) == 1 else f"The roles {', '.join(people)} may"
