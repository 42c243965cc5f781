"""Targets by name, opened with the secrets of the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import quote, urlsplit

import httpx

from ....contract import BadInput
from ....settings import Settings
from ....settings.delivery import TARGETS, Dynamics, Limits, Salesforce
from .credentials import secret, secret_url
from .dynamics import Dynamics as DynamicsTarget
from .dynamics import dynamics_records
from .hubspot import HubSpot as HubSpotTarget
from .hubspot import hubspot_records
from .jsonl import JsonLines, jsonl_records
from .salesforce import Salesforce as SalesforceTarget
from .salesforce import salesforce_records
from .service_client import Web, bucket_of, client
from .sql import Sql, require_driver, sql_records
from .target import Given, Stopped, Target, Wanted
from .webhook import Webhook, webhook_records

Seconds = Callable[[], float]
Opening = Callable[[Settings], AbstractContextManager[Target]]


RECORDS: Mapping[str, Callable[[Given, Settings], list[Wanted]]] = {
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
def opened_target(name: str, settings: Settings, *, seconds: Seconds) -> Iterator[Target]:
    """A target of the settings.

    Args:
        name: of `settings.push.TARGETS`.
        settings: [push] and [alerts] link are read.
        seconds: since 1970, for the webhook's timestamp.

    Raises:
        BadInput: there is no such target, a setting it needs is empty, or an environment variable
            is not set.
        Stopped: its login refuses us.
    """
    require_target(name)
    if name == "jsonl":
        yield JsonLines(settings.push.jsonl)
    elif name == "sql":
        with _sql(settings) as target:
            yield target
    else:
        opening: dict[str, Opening] = {
            "hubspot": _hubspot,
            "salesforce": _salesforce,
            "dynamics": _dynamics,
            "webhook": lambda given: _webhook(given, seconds),
        }
        with opening[name](settings) as web_target:
            yield web_target


@contextmanager
def _hubspot(settings: Settings) -> Iterator[Target]:
    own = settings.push.hubspot
    token = secret(own.token_env, "HubSpot's access token")
    with _web(own.url, token, own, "hubspot", own.token_env) as web:
        yield HubSpotTarget(web, own)


@contextmanager
def _salesforce(settings: Settings) -> Iterator[Target]:
    own = settings.push.salesforce
    if os.environ.get(own.token_env) or not os.environ.get(own.username_env):
        token = secret(own.token_env, "Salesforce's access token")
        url, variables = _address(own.url, "[push.salesforce] url"), own.token_env
    else:
        token, url = _salesforce_login(own)
        variables = f"{own.username_env}, {own.password_env} and {own.security_token_env}"
    with _web(url, token, own, "salesforce", variables) as web:
        yield SalesforceTarget(web, own)


def _salesforce_login(own: Salesforce) -> tuple[str, str]:
    """Access token and address of the instance."""
    from simple_salesforce import SalesforceLogin
    from simple_salesforce.exceptions import SalesforceAuthenticationFailed

    names = (own.username_env, own.password_env, own.security_token_env)
    username, password, token = (secret(name, "Salesforce's login") for name in names)
    try:
        session, instance = SalesforceLogin(
            username=username,
            password=password,
            security_token=token,
            domain=own.domain,
            sf_version=own.version,
        )
    except SalesforceAuthenticationFailed as error:
        raise Stopped(
            f"salesforce: expected a login that is let in, got {error.code}; set "
            f"{', '.join(names)} anew"
        ) from None
    return session, f"https://{instance}"


@contextmanager
def _dynamics(settings: Settings) -> Iterator[Target]:
    own = settings.push.dynamics
    url = _address(own.url, "[push.dynamics] url")
    if own.tenant and not os.environ.get(own.token_env):
        variables = f"{own.client_id_env} and {own.client_secret_env}"
        token = _dynamics_login(own, url, variables)
    else:
        token, variables = secret(own.token_env, "Dynamics 365's access token"), own.token_env
    with _web(url, token, own, "dynamics", variables) as web:
        yield DynamicsTarget(web, own)


def _dynamics_login(own: Dynamics, url: str, variables: str) -> str:
    """An access token for an application with a secret of its own."""
    form = {
        "grant_type": "client_credentials",
        "client_id": secret(own.client_id_env, "the application's id"),
        "client_secret": secret(own.client_secret_env, "the application's secret"),
        "scope": f"{url}/.default",
    }
    with client(own.login_url, own) as http:
        path = f"/{quote(own.tenant, safe='')}/oauth2/v2.0/token"
        try:
            answer = http.post(path, data=form)
            token = answer.json()["access_token"] if answer.is_success else None
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            token = None
    if not isinstance(token, str):
        raise Stopped(
            f"dynamics: expected an access token from {own.login_url}, got none; set {variables} "
            "anew, or [push.dynamics] tenant"
        )
    return token


@contextmanager
def _webhook(settings: Settings, seconds: Seconds) -> Iterator[Target]:
    own = settings.push.webhook
    url = secret_url(own.url_env, "the webhook's address")
    key = secret(own.secret_env, "the webhook's secret")
    with client("", own) as http:
        web = Web(
            http, bucket_of(own), own, name="webhook", variables=f"{own.url_env}, {own.secret_env}"
        )
        yield Webhook(web, own, url, key, seconds=seconds)


@contextmanager
def _sql(settings: Settings) -> Iterator[Target]:
    require_driver()
    import psycopg

    url = secret(settings.push.sql.url_env, "the database's URL")
    if urlsplit(url).scheme not in ("postgresql", "postgres"):
        raise BadInput(
            f"push: expected postgresql://USER:PASSWORD@HOST/DATABASE in the environment variable "
            f"{settings.push.sql.url_env}, got something else; set it to the whole URL"
        )
    target = Sql(settings.push.sql, lambda: psycopg.connect(url, autocommit=True))
    try:
        yield target
    finally:
        target.close()


@contextmanager
def _web(url: str, token: str, limits: Limits, name: str, variables: str) -> Iterator[Web]:
    headers = {"Authorization": f"Bearer {token}"}
    with client(_address(url, f"[push.{name}] url"), limits, headers) as http:
        yield Web(http, bucket_of(limits), limits, name=name, variables=variables)


def _address(url: str, setting: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise BadInput(f"{setting}: expected an address such as https://example.com, got {url!r}")
    return url.rstrip("/")
