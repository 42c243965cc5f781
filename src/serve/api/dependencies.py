"""What a request says about itself: who asks, and which groups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from ...settings.field_types import nearest
from ...source.spellings import shortened
from ..store.queries import GroupFilter
from .body_parsing import CONTROL_CHARACTERS
from .keys import KeyRing, is_loopback
from .problem_details import HttpProblem

MAX_VALUES = 200  # of one parameter


def require_scope(keys: KeyRing, scope: str) -> Callable[[Request], Awaitable[None]]:
    """A dependency that lets through who may do this.

    Without keys, anyone at this machine may do everything; a name that is not the machine's
    own in the header Host says that somebody else asks through it (a proxy, or a page that was
    given a name of 127.0.0.1), and is refused.

    Args:
        keys: of the server.
        scope: that the route needs.
    """

    # Not a plain function: FastAPI would run that in a thread.
    async def check(request: Request) -> None:
        if not keys:
            require_loopback_host(request)
        request.scope["state"]["key_name"] = keys.require(request.headers, scope)

    return check


def require_loopback_host(request: Request) -> None:
    """Makes sure that a request without a key calls the server by a name of loopback.

    Raises:
        HttpProblem: 403 for another one.
    """
    host = request.headers.get("host", "")
    host_name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if not is_loopback(host_name):
        raise HttpProblem(
            403,
            "expected the server to be called 127.0.0.1 or localhost, as it has no API keys, got "
            "another name; configure keys to serve others",
        )


def require_plain_text(name: str, text: str) -> str:
    """A text of a query that may be looked for.

    Raises:
        HttpProblem: 422 for control characters.
    """
    if CONTROL_CHARACTERS.search(text):
        raise HttpProblem(422, f"{name}: expected a text without control characters; take them out")
    return text


async def require_known_parameters(request: Request) -> None:
    """Makes sure that every parameter of the query is one that its route reads.

    Raises:
        HttpProblem: 422 for another one, with the nearest name.
    """
    dependant = request.scope["route"].dependant
    known = [parameter.alias for parameter in dependant.query_params]
    for name in request.query_params:
        if name in known:
            continue
        shown = shortened(name)
        advice = f"the nearest known one is {nearest(shown, known)!r}" if known else "leave it out"
        raise HttpProblem(422, f"unknown parameter {shown!r} in the query; {advice}")


def split_values(name: str, texts: list[str]) -> list[str]:
    """Values that are repeated or have commas between them.

    An id may hold a comma itself, so a text counts as a whole and by its parts.

    Args:
        name: of the parameter.
        texts: as the query has them.

    Raises:
        HttpProblem: 422 for control characters, or too many values.
    """
    parts = (part for text in texts for part in (text, *map(str.strip, text.split(","))))
    values = list(dict.fromkeys(filter(None, parts)))
    if len(values) > MAX_VALUES:
        raise HttpProblem(
            422, f"{name}: expected at most {MAX_VALUES} values, got {len(values):,}; ask in parts"
        )
    return [require_plain_text(name, value) for value in values]


def build_group_filter(
    status: list[str],
    solution_id: list[str],
    account_id: list[str],
    least_readiness: float | None,
    search: str,
) -> GroupFilter:
    """Which groups a query asks for.

    Raises:
        HttpProblem: 422 for control characters, or too many values.
    """
    return GroupFilter(
        status=split_values("status", status),
        solution_id=split_values("solution_id", solution_id),
        account_id=split_values("account_id", account_id),
        least_readiness=least_readiness,
        search=require_plain_text("search", search),
    )
