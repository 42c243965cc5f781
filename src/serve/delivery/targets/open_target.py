"""Targets by name, opened with the secrets of the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import urlsplit

from ....contract import BadInput
from ....settings import Settings
from ....settings.delivery import TARGETS, RequestSettings, WebhookSettings
from .credentials import read_secret, read_secret_url
from .dynamics import DynamicsTarget, dynamics_records
from .hubspot import HubSpotTarget, hubspot_records
from .jsonl import JsonLinesTarget, jsonl_records
from .login import dynamics_login, salesforce_login
from .salesforce import SalesforceTarget, salesforce_records
from .service_client import ServiceClient, build_rate_limiter, open_http_client
from .sql import SqlTarget, require_driver, sql_records
from .target import DesiredRecords, PushInputs, Target
from .webhook import WebhookTarget, webhook_records

UnixClock = Callable[[], float]
TargetOpener = Callable[[Settings], AbstractContextManager[Target]]


RECORD_BUILDERS: Mapping[str, Callable[[PushInputs, Settings], list[DesiredRecords]]] = {
    "hubspot": hubspot_records,
    "salesforce": salesforce_records,
    "dynamics": dynamics_records,
    "sql": sql_records,
    "webhook": webhook_records,
    "jsonl": jsonl_records,
}
"""What each target should hold, by its name; needs no connection and no secret."""


def require_target(name: str) -> None:
    """Makes sure that there is such a target.

    Raises:
        BadInput: there is not.
    """
    if name not in TARGETS:
        raise BadInput(f"push: expected --to {', '.join(TARGETS)}, got {name!r}")


@contextmanager
def open_target(name: str, settings: Settings, *, unix_clock: UnixClock) -> Iterator[Target]:
    """A target of the settings.

    Args:
        name: of `settings.push.TARGETS`.
        settings: [push] and [alerts] link are read.
        unix_clock: since 1970, for the webhook's timestamp.

    Raises:
        BadInput: there is no such target, a setting it needs is empty, or an environment variable
            is not set.
        TargetUnavailable: its login refuses us.
    """
    require_target(name)
    if name == "jsonl":
        yield JsonLinesTarget(settings.push.jsonl)
    elif name == "sql":
        with _open_sql(settings) as target:
            yield target
    else:
        openers: dict[str, TargetOpener] = {
            "hubspot": _open_hubspot,
            "salesforce": _open_salesforce,
            "dynamics": _open_dynamics,
            "webhook": lambda given: _open_webhook(given, unix_clock),
        }
        with openers[name](settings) as target:
            yield target


@contextmanager
def _open_hubspot(settings: Settings) -> Iterator[Target]:
    target_settings = settings.push.hubspot
    token = read_secret(target_settings.token_env, "HubSpot's access token")
    with _open_client(
        target_settings.url, token, target_settings, "hubspot", target_settings.token_env
    ) as client:
        yield HubSpotTarget(client, target_settings)


@contextmanager
def _open_salesforce(settings: Settings) -> Iterator[Target]:
    target_settings = settings.push.salesforce
    login = salesforce_login(target_settings)
    if login is None:
        token = read_secret(target_settings.token_env, "Salesforce's access token")
        url, variables = (
            _require_address(target_settings.url, "[push.salesforce] url"),
            target_settings.token_env,
        )
    else:
        token, url = login()
        variables = (
            f"{target_settings.username_env}, {target_settings.password_env} and "
            f"{target_settings.security_token_env}"
        )
    renew_token = None if login is None else lambda: login()[0]
    with _open_client(url, token, target_settings, "salesforce", variables, renew_token) as client:
        yield SalesforceTarget(client, target_settings)


@contextmanager
def _open_dynamics(settings: Settings) -> Iterator[Target]:
    target_settings = settings.push.dynamics
    url = _require_address(target_settings.url, "[push.dynamics] url")
    login = dynamics_login(target_settings, url)
    if login is None:
        token, variables = (
            read_secret(target_settings.token_env, "Dynamics 365's access token"),
            target_settings.token_env,
        )
    else:
        token = login()
        variables = f"{target_settings.client_id_env} and {target_settings.client_secret_env}"
    with _open_client(url, token, target_settings, "dynamics", variables, login) as client:
        yield DynamicsTarget(client, target_settings)


@contextmanager
def _open_webhook(settings: Settings, unix_clock: UnixClock) -> Iterator[Target]:
    target_settings = settings.push.webhook
    url, secret_key = _webhook_secrets(target_settings)
    with open_http_client("", target_settings) as http_session:
        client = ServiceClient(
            http_session,
            build_rate_limiter(target_settings),
            target_settings,
            name="webhook",
            variables=f"{target_settings.url_env}, {target_settings.secret_env}",
            secrets=(url, secret_key),
        )
        yield WebhookTarget(client, target_settings, url, secret_key, unix_clock=unix_clock)


def _webhook_secrets(settings: WebhookSettings) -> tuple[str, str]:
    url = read_secret_url(settings.url_env, "the webhook's address")
    return url, read_secret(settings.secret_env, "the webhook's secret")


@contextmanager
def _open_sql(settings: Settings) -> Iterator[Target]:
    url = _database_url(settings)
    from ...store.postgres import connect

    lock_seconds = settings.store.lock_timeout_seconds
    target = SqlTarget(
        settings.push.sql, lambda: connect(url, lock_seconds=lock_seconds, autocommit=True)
    )
    try:
        yield target
    finally:
        target.close()


def _database_url(settings: Settings) -> str:
    require_driver()
    url = read_secret(settings.push.sql.url_env, "the database's URL")
    if urlsplit(url).scheme not in ("postgresql", "postgres"):
        raise BadInput(
            f"push: expected postgresql://USER:PASSWORD@HOST/DATABASE in the environment variable "
            f"{settings.push.sql.url_env}, got something else; set it to the whole URL"
        )
    return url


def require_configured(name: str, settings: Settings) -> None:
    """Makes sure that a target has its settings and secrets, without calling anybody.

    Raises:
        BadInput: there is no such target, a setting it needs is empty, or an environment variable
            is not set.
    """
    require_target(name)
    push = settings.push
    if name == "hubspot":
        _require_address(push.hubspot.url, "[push.hubspot] url")
        read_secret(push.hubspot.token_env, "HubSpot's access token")
    elif name == "salesforce" and salesforce_login(push.salesforce) is None:
        read_secret(push.salesforce.token_env, "Salesforce's access token")
        _require_address(push.salesforce.url, "[push.salesforce] url")
    elif name == "dynamics":
        url = _require_address(push.dynamics.url, "[push.dynamics] url")
        if dynamics_login(push.dynamics, url) is None:
            read_secret(push.dynamics.token_env, "Dynamics 365's access token")
    elif name == "webhook":
        _webhook_secrets(push.webhook)
    elif name == "sql":
        _database_url(settings)


@contextmanager
def _open_client(
    url: str,
    token: str,
    limits: RequestSettings,
    name: str,
    variables: str,
    renew_token: Callable[[], str] | None = None,
) -> Iterator[ServiceClient]:
    headers = {"Authorization": f"Bearer {token}"}
    with open_http_client(
        _require_address(url, f"[push.{name}] url"), limits, headers
    ) as http_session:
        yield ServiceClient(
            http_session, build_rate_limiter(limits), limits, name=name, variables=variables,
            secrets=(token,), renew_token=renew_token,
        )  # fmt: skip


def _require_address(url: str, setting: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise BadInput(f"{setting}: expected an address such as https://example.com, got {url!r}")
    return url.rstrip("/")
