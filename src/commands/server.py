"""`mqbg serve`: the HTTP API and the pages."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..contract import BadInput
from ..support.terminal import ERRORS
from .options import Config, Version, read_settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ..serve.api.keys import KeyRing
    from ..serve.api.server_state import ServerState
    from ..settings import Settings

THREAD_SWITCH_SECONDS = 0.001


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine need API keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    pages: Annotated[
        Path | None, typer.Option(help="Serve the pages of a folder that `mqbg report` wrote.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="The tables: pages are made again with each run of the store."),
    ] = None,
    version: Version = "champion",
    config: Config = None,
) -> None:
    """Answer questions over HTTP: scores of the latest run, scores of tables that are sent, pages.

    Keys come from MQBG_API_KEYS (name:read+score:key) or the file that `api.keys_file` names.
    """
    from ..serve.api.keys import KeyRing, load_keys, require_keys_unless_loopback

    settings = read_settings(config)
    keys = KeyRing(load_keys(settings.api, os.environ), settings.api, dict(os.environ))
    require_keys_unless_loopback(keys.keys, host)
    if pages is not None and data is not None:
        raise BadInput("serve: expected --pages or --data, got both; leave one out")
    with _listen(host, port) as listener, ExitStack() as stack:
        state = _server_state(settings, keys, version)
        pages_app = _mount_pages(state, pages, data, stack)
        _run_server(state, pages_app, listener, host)


def _server_state(settings: Settings, keys: KeyRing, version: str) -> ServerState:
    from ..serve.api.champion import Champion
    from ..serve.api.middleware import Metrics
    from ..serve.api.score_cache import ScoreCache
    from ..serve.api.server_state import ServerState
    from ..serve.api.worker_processes import create_worker_pool

    state = ServerState(
        settings=settings,
        keys=keys,
        champion=Champion(settings, version),
        score_cache=ScoreCache(settings),
        workers=create_worker_pool(settings),
        metrics=Metrics(),
    )
    state.score_cache.refresh()
    return state


def _mount_pages(
    state: ServerState, folder: Path | None, data: str | None, stack: ExitStack
) -> ASGIApp | None:
    from ..serve.api.live_pages import create_live_pages, open_static_pages

    if state.settings.api.pages_need_key and not state.keys:
        raise BadInput(
            "[api] pages_need_key: expected API keys, got none; set MQBG_API_KEYS or keys_file"
        )
    if folder is not None:
        return open_static_pages(folder, state.keys)
    if data is None:
        return None
    live = create_live_pages(state.keys, state.settings, data)
    stack.callback(live.close)

    def renew_pages() -> None:
        if state.score_cache.run is not None:
            live.rebuild(state.score_cache.run.as_of, state.score_cache.forgotten)

    state.on_new_run = renew_pages
    renew_pages()
    return live.app


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), port), family=family)
    except OSError as error:
        raise BadInput(
            f"serve: expected an address to listen on, got {host}, port {port}: "
            f"{(error.strerror or str(error)).lower()}; choose others with --host and --port"
        ) from None
    # Taken over by its connections. Without it an answer waits 40 ms for the client's receipt.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _run_server(
    state: ServerState, pages: ASGIApp | None, listener: socket.socket, host: str
) -> None:
    from ..serve.api.app import create_app
    from ..serve.api.connections import create_http_server
    from ..serve.api.middleware import configure_json_logging

    configure_json_logging(logging.INFO)
    # They would name kinds of activities that a body holds; what is sent stays out of the log.
    logging.getLogger("mqbg.features").setLevel(logging.ERROR)
    server = create_http_server(create_app(state, pages), state.settings.api)
    state.workers.adopt(state.champion.model)
    model, port = state.champion.model, listener.getsockname()[1]
    shown_host = f"[{host}]" if ":" in host else host
    ERRORS.print(
        f"http://{shown_host}:{port} answers with {model.name} {model.version}; "
        "stop it with Ctrl-C",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    # What is there by now stays: a search for garbage that looks through it costs a tenth.
    gc.collect()
    gc.freeze()
    # What arrives while a group is scored waits so long for the interpreter, several times.
    sys.setswitchinterval(THREAD_SWITCH_SECONDS)
    server.run(sockets=[listener])
