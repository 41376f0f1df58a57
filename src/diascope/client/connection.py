"""Requests to a service: who asks, what it answered, and once more where the connection was lost."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diascope.client.errors import KINDS, ServiceError, Unreachable
from diascope.core.errors import BadUsage, DiascopeError, MissingPackage

if TYPE_CHECKING:
    import httpx

API = "/api/v1"
AGAIN = frozenset({429, 503})
"""Statuses after which the same request is sent again, after as long as the service says."""
CHUNK = 1 << 20
LONGEST_WAIT = 60.0


class Connection:
    """A service that is asked by one user.

    Args:
        address: `https://host:port`, with a path where a proxy puts the service below one.
        token: API token; without one, log in.
        tries: How often a request is sent when the connection is lost or the service is busy.
        seconds: For each step of a request.
        verify: Certificates of authorities that are trusted, a PEM file; None is those of the system.
        transport: Of httpx, for tests.

    Raises:
        MissingPackage: Without httpx.
        BadUsage: When the address is none.
    """

    def __init__(
        self,
        address: str,
        token: str = "",
        *,
        tries: int = 4,
        seconds: float = 60.0,
        verify: Path | None = None,
        transport: Any = None,
    ) -> None:
        try:
            import httpx
        except ImportError as error:
            raise MissingPackage("httpx", "serve", "a client of the service") from error
        import ssl

        if not address.startswith(("https://", "http://")):
            raise BadUsage("this is no address of a service", given=address, todo="Write https://host:port")
        context = ssl.create_default_context(cafile=None if verify is None else str(verify))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._httpx, self.tries = httpx, tries
        self._http = httpx.Client(
            base_url=address.rstrip("/"), headers=headers, timeout=seconds, verify=context, follow_redirects=False,
            transport=transport, trust_env=False,
        )  # fmt: skip

    @property
    def errors_of_transport(self) -> type[Exception]:
        """What a lost connection raises while a stream is read."""
        found: type[Exception] = self._httpx.TransportError
        return found

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def log_in(self, name: str, password: str) -> dict[str, Any]:
        """Begin a session; what it returns says whether a new password must be set first.

        Raises:
            NotLoggedIn: When name and password do not belong together.
        """
        found: dict[str, Any] = self.json("POST", "/session", {"name": name, "password": password})
        self._http.headers["X-CSRF-Token"] = found["csrf"]
        return found

    def log_out(self) -> None:
        """End the session on the service."""
        self.request("DELETE", f"{API}/session")
        self._http.headers.pop("X-CSRF-Token", None)

    def set_password(self, old: str, new: str) -> dict[str, Any]:
        """Set a password of one's own; the session goes on."""
        found: dict[str, Any] = self.json("PUT", "/me/password", {"old": old, "new": new})
        self._http.headers["X-CSRF-Token"] = found["csrf"]
        return found

    def json(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """A request below the API; None where the answer is empty.

        Raises:
            ServiceError: What the service told.
            Unreachable: When it does not answer.
        """
        params = {name: value for name, value in query.items() if value is not None}
        answer = self.request(method, f"{API}{path}", json=body, params=params)
        return answer.json() if answer.content else None

    def items(self, path: str, **query: Any) -> Iterator[Any]:
        """All items of a list, a page at a time; a page is fetched when it is needed."""
        after: str | None = None
        while True:
            page = self.json("GET", path, None, **query, after=after)
            yield from page["items"]
            after = page.get("next")
            if after is None:
                return

    def save(self, path: str, to: Path) -> Path:
        """Write an answer that is a file; it is whole or absent.

        Raises:
            ServiceError: What the service told.
            Unreachable: When the connection was lost.
        """
        partial = to.with_name(f".{to.name}.partial")
        try:
            with self.stream("GET", f"{API}{path}") as answer, partial.open("wb") as out:
                for part in answer.iter_bytes(CHUNK):
                    out.write(part)
            partial.replace(to)
        except self._httpx.TransportError as error:
            raise Unreachable("the connection was lost", given=type(error).__name__, todo="Try again") from error
        finally:
            partial.unlink(missing_ok=True)
        return to

    @contextmanager
    def stream(self, method: str, path: str, **more: Any) -> Iterator[httpx.Response]:
        """A request whose answer is read as it comes; errors are raised before."""
        with self._http.stream(method, path, **more) as answer:
            if answer.status_code >= 400:
                answer.read()
                raise told(answer)
            yield answer

    def upload(
        self, path: str, body: Callable[[], Iterator[bytes]], headers: Mapping[str, str], query: Mapping[str, str]
    ) -> httpx.Response:
        """Send a body that is made anew for each try; storing twice what is the same is storing it once.

        Raises:
            Unreachable: When the connection was lost each time.
        """
        last: Exception | None = None
        for attempt in range(self.tries):
            try:
                return self._http.post(path, content=body(), headers=dict(headers), params=dict(query))
            except self._httpx.TransportError as error:
                last = error
                time.sleep(_wait(attempt))
        raise Unreachable("the connection was lost", given=type(last).__name__, todo="Send it again") from last

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request, sent again with the same idempotency key where the connection was lost or the service is busy.

        Raises:
            ServiceError: What the service told.
            Unreachable: When it did not answer.
        """
        headers: dict[str, str] = dict(more.pop("headers", {}))
        if method in ("POST", "PUT", "PATCH"):
            headers.setdefault("Idempotency-Key", secrets.token_hex(16))
        last: Exception | None = None
        for attempt in range(self.tries):
            try:
                answer = self._http.request(method, path, headers=headers, **more)
            except self._httpx.TransportError as error:
                last = error
                time.sleep(_wait(attempt))
                continue
            if answer.status_code < 400:
                return answer
            error_of = told(answer)
            if answer.status_code not in AGAIN or attempt == self.tries - 1:
                raise error_of
            time.sleep(_wait(attempt, answer.headers))
        raise Unreachable(
            "the service does not answer",
            given=type(last).__name__,
            todo="See that it runs, and that the address is right",
        ) from last


def told(answer: httpx.Response) -> DiascopeError:
    """The error of an answer."""
    try:
        said = answer.json()["error"]
        parts = [said.get(name) for name in ("code", "wrong", "given", "todo", "reference")]
    except (ValueError, KeyError, TypeError, AttributeError):
        parts = ["unknown", f"the service answered {answer.status_code}", None, "", ""]
    code, wrong, given, todo, reference = parts
    kind = KINDS.get(answer.status_code, ServiceError)
    return kind(answer.status_code, str(code), str(wrong), given, todo or "", reference or "")


def _wait(attempt: int, headers: Mapping[str, str] | None = None) -> float:
    """Seconds before the next try."""
    said = (headers or {}).get("Retry-After", "")
    seconds = float(said) if said.isdigit() else 0.2 * 2.0**attempt
    return min(LONGEST_WAIT, seconds)
