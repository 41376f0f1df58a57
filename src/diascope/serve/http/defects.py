"""What a defect of ours answers and leaves in the log: a reference and a place, no message, for it may quote a name."""

from __future__ import annotations

import logging
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from diascope.serve.http.errors import Problem, answer

log = logging.getLogger(__name__)


class Defect(Exception):
    """An answer that broke off; carries a reference of the log and nothing else."""


class Defects:
    """ASGI middleware around everything: no exception reaches the web server, which would log its message.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:  # the border of the process: whatever it is, the client gets an answer
            if scope["type"] != "http":
                raise
            reference = _logged(scope, error)
            if begun:
                raise Defect(reference) from None
            problem = Problem(
                code="internal",
                wrong="the service has a defect",
                todo="Tell its administrator the reference",
                reference=reference,
            )
            await answer(500, problem)(scope, receive, send)


def _logged(scope: Scope, error: BaseException) -> str:
    reference, last = secrets.token_hex(6), error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last is not None else "unknown"
    route = getattr(scope.get("route"), "path", "unknown")
    log.error("%s: %s in %s at %s", reference, type(error).__name__, route, place)
    return reference
