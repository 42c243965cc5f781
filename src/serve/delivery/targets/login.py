"""Logging in to services that give a token for a secret; never longer than a time limit."""

from __future__ import annotations

import os
from collections.abc import Callable
from urllib.parse import quote

import httpx

from ....settings.delivery import DynamicsSettings, SalesforceSettings
from .answers import read_object, status_reason
from .credentials import read_secret
from .no_response import NoResponse
from .service_client import describe_transport_error, open_http_client, read_answer
from .target import TargetUnavailable
from .time_limit import within_seconds


def salesforce_login(settings: SalesforceSettings) -> Callable[[], tuple[str, str]] | None:
    """What gives an access token and the instance's address; None where the token is given.

    Raises:
        BadInput: a part of the login is not set.
    """
    if os.environ.get(settings.token_env) or not os.environ.get(settings.username_env):
        return None
    names = (settings.username_env, settings.password_env, settings.security_token_env)
    username, password, token = (read_secret(name, "Salesforce's login") for name in names)

    def log_in() -> tuple[str, str]:
        from simple_salesforce import SalesforceLogin
        from simple_salesforce.exceptions import SalesforceAuthenticationFailed

        try:
            session, instance = within_seconds(
                settings.timeout_seconds,
                lambda: SalesforceLogin(
                    username=username,
                    password=password,
                    security_token=token,
                    domain=settings.domain,
                    sf_version=settings.version,
                ),
            )
        except SalesforceAuthenticationFailed as error:
            raise TargetUnavailable(
                f"salesforce: expected a login that is let in, got {error.code}; set "
                f"{', '.join(names)} again"
            ) from None
        except TimeoutError:
            raise TargetUnavailable(
                f"salesforce: expected an answer to the login, got none within "
                f"{settings.timeout_seconds:g} s; what is left waits for the next run"
            ) from None
        except Exception as error:  # requests, XML and sockets have no common ancestor
            raise TargetUnavailable(
                f"salesforce: expected an answer to the login, got {type(error).__name__}; what is "
                "left waits for the next run"
            ) from None
        return session, f"https://{instance}"

    return log_in


def dynamics_login(settings: DynamicsSettings, url: str) -> Callable[[], str] | None:
    """What gives an access token for an application with a secret; None where a token is given.

    Raises:
        BadInput: a part of the login is not set.
    """
    if not settings.tenant or os.environ.get(settings.token_env):
        return None
    client_secret = read_secret(settings.client_secret_env, "the application's secret")
    form = {
        "grant_type": "client_credentials",
        "client_id": read_secret(settings.client_id_env, "the application's id"),
        "client_secret": client_secret,
        "scope": f"{url}/.default",
    }
    path = f"/{quote(settings.tenant, safe='')}/oauth2/v2.0/token"

    def ask() -> httpx.Response:
        with (
            open_http_client(settings.login_url, settings) as http_session,
            http_session.stream("POST", path, data=form) as streamed,
        ):
            return read_answer(streamed, settings.timeout_seconds)

    def log_in() -> str:
        limit = 2 * settings.timeout_seconds  # headers that come in drops know no other
        try:
            response = within_seconds(limit, ask)
            token = read_object(response).get("access_token") if response.is_success else None
            reason = status_reason(response, (client_secret,))
        except NoResponse as no_response:
            token, reason = None, str(no_response)
        except TimeoutError:
            token, reason = None, f"no complete answer within {limit:g} s"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            token, reason = None, describe_transport_error(error)
        if not isinstance(token, str):
            raise TargetUnavailable(
                f"dynamics: expected an access token from {settings.login_url}, got {reason}; set "
                f"{settings.client_id_env} and {settings.client_secret_env} again, or "
                "[push.dynamics] tenant"
            )
        return token

    return log_in
