"""Targets by name, opened with the secrets of the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import quote, urlsplit

import httpx

from ....contract import BadInput
from ....settings import Settings
from ....settings.delivery import TARGETS, DynamicsSettings, RequestSettings, SalesforceSettings
from .credentials import read_secret, read_secret_url
from .dynamics import DynamicsTarget, dynamics_records
from .hubspot import HubSpotTarget, hubspot_records
from .jsonl import JsonLinesTarget, jsonl_records
from .salesforce import SalesforceTarget, salesforce_records
from .service_client import ServiceClient, build_rate_limiter, open_http_client
from .sql import SqlTarget, require_driver, sql_records
from .target import DesiredRecords, PushInputs, Target, TargetUnavailable
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
    if os.environ.get(target_settings.token_env) or not os.environ.get(
        target_settings.username_env
    ):
        token = read_secret(target_settings.token_env, "Salesforce's access token")
        url, variables = (
            _require_address(target_settings.url, "[push.salesforce] url"),
            target_settings.token_env,
        )
    else:
        token, url = _log_in_to_salesforce(target_settings)
        variables = (
            f"{target_settings.username_env}, {target_settings.password_env} and "
            f"{target_settings.security_token_env}"
        )
    with _open_client(url, token, target_settings, "salesforce", variables) as client:
        yield SalesforceTarget(client, target_settings)


def _log_in_to_salesforce(settings: SalesforceSettings) -> tuple[str, str]:
    """Access token and address of the instance."""
    from simple_salesforce import SalesforceLogin
    from simple_salesforce.exceptions import SalesforceAuthenticationFailed

    names = (settings.username_env, settings.password_env, settings.security_token_env)
    username, password, token = (read_secret(name, "Salesforce's login") for name in names)
    try:
        session, instance = SalesforceLogin(
            username=username,
            password=password,
            security_token=token,
            domain=settings.domain,
            sf_version=settings.version,
        )
    except SalesforceAuthenticationFailed as error:
        raise TargetUnavailable(
            f"salesforce: expected a login that is let in, got {error.code}; set "
            f"{', '.join(names)} again"
        ) from None
    return session, f"https://{instance}"


@contextmanager
def _open_dynamics(settings: Settings) -> Iterator[Target]:
    target_settings = settings.push.dynamics
    url = _require_address(target_settings.url, "[push.dynamics] url")
    if target_settings.tenant and not os.environ.get(target_settings.token_env):
        variables = f"{target_settings.client_id_env} and {target_settings.client_secret_env}"
        token = _log_in_to_dynamics(target_settings, url, variables)
    else:
        token, variables = (
            read_secret(target_settings.token_env, "Dynamics 365's access token"),
            target_settings.token_env,
        )
    with _open_client(url, token, target_settings, "dynamics", variables) as client:
        yield DynamicsTarget(client, target_settings)


def _log_in_to_dynamics(settings: DynamicsSettings, url: str, variables: str) -> str:
    """An access token for an application with a secret of its own."""
    form = {
        "grant_type": "client_credentials",
        "client_id": read_secret(settings.client_id_env, "the application's id"),
        "client_secret": read_secret(settings.client_secret_env, "the application's secret"),
        "scope": f"{url}/.default",
    }
    with open_http_client(settings.login_url, settings) as http_session:
        path = f"/{quote(settings.tenant, safe='')}/oauth2/v2.0/token"
        try:
            response = http_session.post(path, data=form)
            token = response.json()["access_token"] if response.is_success else None
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            token = None
    if not isinstance(token, str):
        raise TargetUnavailable(
            f"dynamics: expected an access token from {settings.login_url}, got none; set "
            f"{variables} "
            "again, or [push.dynamics] tenant"
        )
    return token


@contextmanager
def _open_webhook(settings: Settings, unix_clock: UnixClock) -> Iterator[Target]:
    target_settings = settings.push.webhook
    url = read_secret_url(target_settings.url_env, "the webhook's address")
    secret_key = read_secret(target_settings.secret_env, "the webhook's secret")
    with open_http_client("", target_settings) as http_session:
        client = ServiceClient(
            http_session,
            build_rate_limiter(target_settings),
            target_settings,
            name="webhook",
            variables=f"{target_settings.url_env}, {target_settings.secret_env}",
        )
        yield WebhookTarget(client, target_settings, url, secret_key, unix_clock=unix_clock)


@contextmanager
def _open_sql(settings: Settings) -> Iterator[Target]:
    require_driver()
    import psycopg

    url = read_secret(settings.push.sql.url_env, "the database's URL")
    if urlsplit(url).scheme not in ("postgresql", "postgres"):
        raise BadInput(
            f"push: expected postgresql://USER:PASSWORD@HOST/DATABASE in the environment variable "
            f"{settings.push.sql.url_env}, got something else; set it to the whole URL"
        )
    target = SqlTarget(settings.push.sql, lambda: psycopg.connect(url, autocommit=True))
    try:
        yield target
    finally:
        target.close()


@contextmanager
def _open_client(
    url: str, token: str, limits: RequestSettings, name: str, variables: str
) -> Iterator[ServiceClient]:
    headers = {"Authorization": f"Bearer {token}"}
    with open_http_client(
        _require_address(url, f"[push.{name}] url"), limits, headers
    ) as http_session:
        yield ServiceClient(
            http_session, build_rate_limiter(limits), limits, name=name, variables=variables
        )


def _require_address(url: str, setting: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise BadInput(f"{setting}: expected an address such as https://example.com, got {url!r}")
    return url.rstrip("/")
