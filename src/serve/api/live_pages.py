"""Pages beside the API: a folder that `mqbg report` wrote, or pages made anew with each run."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from ...contract import BadInput
from ...explain.language import load_language
from ...model.registry import load_registered_bundle
from ...settings import Settings
from ...source import checked_source
from ..pages import INDEX, POLICY, is_report_file, training_record, write_report
from ..store.connection import opened, url_of
from ..store.load_run import scored_of
from .dependencies import require_own_name
from .keys import READ, Keys
from .problem_details import Refused

LOGGER = logging.getLogger("mqbg.serve")

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
"""Of every answer: pages name people, and load nothing from elsewhere."""

ROUTE = "pages"  # by which logs and figures call them
NO_SUCH_PAGE = "expected a page of the report or a path of the API, got another; begin at /"
NOTHING_YET = "expected pages, there are none yet; they come with the first `mqbg run`"


class Folder:
    """Pages in a folder, for those who have a key; nothing else that lies there."""

    def __init__(self, keys: Keys, folder: Path | None = None) -> None:
        """Serves a folder from now on.

        Args:
            keys: who may look.
            folder: of pages; None until there are some.
        """
        self._keys = keys
        self._files: StaticFiles | None = None
        if folder is not None:
            self.show(folder)

    def show(self, folder: Path) -> None:
        """Serves another folder; what is under way is served from the one before."""
        self._files = StaticFiles(directory=folder, html=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        scope["state"]["route"] = ROUTE
        if self._keys:
            scope["state"]["key_name"] = self._keys.require(request.headers, READ)
        else:
            require_own_name(request)
        await (await self._answer(scope))(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        if self._files is None:
            raise Refused(404, NOTHING_YET)
        path = self._files.get_path(scope)
        if path == ".":
            return RedirectResponse(INDEX)
        if not is_report_file(path.replace("\\", "/").partition("/")[0]):
            raise Refused(404, NO_SUCH_PAGE)
        return await self._files.get_response(path, scope)


def pages_of(folder: Path, keys: Keys) -> Folder:
    """The pages of a folder.

    Raises:
        BadInput: there are none.
    """
    if not (folder / INDEX).is_file():
        raise BadInput(
            f"serve: expected pages that `mqbg report` wrote in {folder}, found no {INDEX}; write "
            "them first, or name the tables with --data"
        )
    return Folder(keys, folder)


@dataclass
class Rendered:
    """Pages that follow the runs of the store, made in another process so that the API goes on."""

    folder: Folder
    settings: Settings
    data: str
    home: Path
    number: int = 0

    def renew(self, as_of: datetime) -> None:
        """Makes the pages of a run and shows them; a failure leaves those before."""
        self.number += 1
        out = self.home / str(self.number)
        try:
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                pool.submit(render, self.settings, self.data, as_of, out).result()
        except (BadInput, BrokenProcessPool, OSError) as error:
            LOGGER.warning("the pages of before stand: %s", error)
            return
        self.folder.show(out)
        shutil.rmtree(self.home / str(self.number - 2), ignore_errors=True)

    def close(self) -> None:
        """Removes what was made: it names people."""
        shutil.rmtree(self.home, ignore_errors=True)


def rendered(keys: Keys, settings: Settings, data: str) -> Rendered:
    """Pages of a server's own, none yet.

    Args:
        keys: who may look.
        settings: of the user.
        data: where the tables are.
    """
    home = Path(tempfile.mkdtemp(prefix="mqbg-pages-"))  # for this user alone
    return Rendered(Folder(keys), settings, data, home)


def render(settings: Settings, data: str, as_of: datetime, out: Path) -> None:
    """Writes the pages of a stored run.

    Args:
        settings: of the user.
        data: where the tables are.
        as_of: of the run.
        out: a new folder.

    Raises:
        BadInput: the tables break the contract, or the model of the run is gone.
    """
    patience = settings.store.patience_seconds
    with (
        opened(url_of(settings.store), patience_seconds=patience, read_only=True) as store,
        store.begin() as connection,
    ):
        scored = scored_of(connection, as_of)
    version = scored.scores["model_version"][0].as_py()
    name = settings.model.registered_name
    bundle = load_registered_bundle(name, version).bundle
    language = load_language(settings.explain.language, settings.explain.languages_folder)
    with checked_source(data, threads=settings.model.threads) as source:
        record = training_record(name, version)
        write_report(scored, source, bundle, out, language=language, record=record)
