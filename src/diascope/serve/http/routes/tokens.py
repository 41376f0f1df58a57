"""Everybody's tokens; one's own are under `/me/tokens`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from diascope.serve.access import tokens
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.fields import Id, InPath
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged
from diascope.serve.http.routes.me import Issued, NewToken, Token, issued, page_of_tokens

router = APIRouter(prefix="/tokens", tags=["tokens"])


class NewTokenFor(NewToken):
    """A token for a program."""

    user: Id
    """Id of the service account."""


@router.get("", openapi_extra=operation("tokens.list"))
def list_tokens(
    asked: Who,
    paging: Paged,
    user: Annotated[str, Query(max_length=32, description="Id of an owner; without it, all")] = "",
) -> Page[Token]:
    """Tokens of everybody, those that are over included."""
    return page_of_tokens(asked, paging, user)


@router.post("", status_code=201, openapi_extra=operation("tokens.write"))
def make_token(asked: Who, once: Once, body: NewTokenFor) -> Issued:
    """Make a token for a service account."""
    return once.through(Issued, lambda: issued(asked, body, body.user))


@router.delete("/{token}", openapi_extra=operation("tokens.revoke"))
def revoke_token(asked: Who, token: InPath) -> Token:
    """End anybody's token now."""
    return Token.model_validate(tokens.revoke(asked.service, token, asked.caller, own=False))
