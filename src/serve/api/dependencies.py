"""What a request says about itself: who asks, and which groups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from ..store.queries import GroupFilter
from .body_parsing import CONTROL_CHARACTERS
from .keys import ApiKeys, is_loopback
from .problem_details import HttpProblem


def require_scope(keys: ApiKeys, scope: str) -> Callable[[Request], Awaitable[None]]:
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


def build_group_filter(
    status: list[str],
    solution_id: list[str],
    account_id: list[str],
    least_readiness: float | None,
    search: str,
) -> GroupFilter:
    """Which groups a query asks for.

    Raises:
        HttpProblem: 422 for control characters.
    """
    for name, texts in {
        "status": status, "solution_id": solution_id, "account_id": account_id, "search": [search],
    }.items():  # fmt: skip
        for text in texts:
            require_plain_text(name, text)
    return GroupFilter(
        status=status, solution_id=solution_id, account_id=account_id,
        least_readiness=least_readiness, search=search,
    )  # fmt: skip
