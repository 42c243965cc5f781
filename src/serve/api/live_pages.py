"""Pages beside the API: a folder that `mqbg report` wrote, or pages made again with each run."""

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
from ...explain.language import languages, load_language
from ...model.data_fit import data_fit
from ...model.known_names import model_spellings
from ...model.model_source import prepare_for_model
from ...model.registry import load_registered_bundle
from ...settings import Settings
from ...source import checked_source
from ..pages import INDEX, POLICY, is_report_file, training_record, write_report
from ..store.connection import open_store, store_url
from ..store.load_history import load_history, load_previous_cutoff
from ..store.load_run import load_run
from .dependencies import require_loopback_host
from .keys import READ, KeyRing
from .problem_details import HttpProblem

LOGGER = logging.getLogger("mqbg.serve")

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
"""Of every answer: pages name people, and load nothing from elsewhere."""

ROUTE_LABEL = "pages"  # by which logs and figures call them
NO_SUCH_PAGE = "expected a page of the report or a path of the API, got another; begin at /"
NO_PAGES_YET = "expected pages, there are none yet; they come with the first `mqbg run`"


class PagesApp:
    """Pages in a folder, for those who have a key; nothing else that lies there."""

    def __init__(self, keys: KeyRing, folder: Path | None = None) -> None:
        """Serves a folder from now on.

        Args:
            keys: who may look.
            folder: of pages; None until there are some.
        """
        self._keys = keys
        self._files: StaticFiles | None = None
        if folder is not None:
            self.serve_folder(folder)

    def serve_folder(self, folder: Path) -> None:
        """Serves another folder; what is under way is served from the one before."""
        self._files = StaticFiles(directory=folder, html=True)

    def serve_nothing(self) -> None:
        """Serves no page until there are others."""
        self._files = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        scope["state"]["route"] = ROUTE_LABEL
        if self._keys:
            scope["state"]["key_name"] = self._keys.require(request.headers, READ)
        else:
            require_loopback_host(request)
        await (await self._response(scope))(scope, receive, send)

    async def _response(self, scope: Scope) -> Response:
        if self._files is None:
            raise HttpProblem(404, NO_PAGES_YET)
        path = self._files.get_path(scope)
        if path == ".":
            return RedirectResponse(INDEX)
        if not is_report_file(path.replace("\\", "/").partition("/")[0]):
            raise HttpProblem(404, NO_SUCH_PAGE)
        return await self._files.get_response(path, scope)


def open_static_pages(folder: Path, keys: KeyRing) -> PagesApp:
    """The pages of a folder.

    Raises:
        BadInput: there are none.
    """
    if not (folder / INDEX).is_file():
        raise BadInput(
            f"serve: expected pages that `mqbg report` wrote in {folder}, found no {INDEX}; write "
            "them first, or name the tables with --data"
        )
    return PagesApp(keys, folder)


@dataclass
class LivePages:
    """Pages that follow the runs of the store, made in another process so that the API goes on.

    Attributes:
        app: serves them.
        settings: of the user.
        data: where the tables are.
        root_folder: of all that is made.
        revision: number of the folder that is served, or that is being made.
        forgotten: of the store, see `rebuild`.
    """

    app: PagesApp
    settings: Settings
    data: str
    root_folder: Path
    revision: int = 0
    forgotten: object = None

    def rebuild(self, as_of: datetime, forgotten: object = None) -> None:
        """Makes the pages of a run and shows them; a failure leaves those before.

        Args:
            as_of: of the run.
            forgotten: another value than the last time says that somebody was forgotten: pages that
                may name them are served no more, whether others can be made or not.
        """
        if forgotten != self.forgotten:
            self.app.serve_nothing()
            shutil.rmtree(self.root_folder / str(self.revision), ignore_errors=True)
            self.forgotten = forgotten
        self.revision += 1
        out = self.root_folder / str(self.revision)
        try:
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                pool.submit(render_pages, self.settings, self.data, as_of, out).result()
        except (BadInput, BrokenProcessPool, OSError) as error:
            LOGGER.warning("no new pages were made: %s", error)
            return
        self.app.serve_folder(out)
        shutil.rmtree(self.root_folder / str(self.revision - 2), ignore_errors=True)

    def close(self) -> None:
        """Removes what was made: it names people."""
        shutil.rmtree(self.root_folder, ignore_errors=True)


def create_live_pages(keys: KeyRing, settings: Settings, data_source: str) -> LivePages:
    """Pages of a server's own, none yet.

    Args:
        keys: who may look.
        settings: of the user.
        data_source: where the tables are.
    """
    root_folder = Path(tempfile.mkdtemp(prefix="mqbg-pages-"))  # for this user alone
    return LivePages(PagesApp(keys), settings, data_source, root_folder)


def render_pages(settings: Settings, data_source: str, as_of: datetime, out: Path) -> None:
    """Writes the pages of a stored run.

    Args:
        settings: of the user.
        data_source: where the tables are.
        as_of: of the run.
        out: a new folder.

    Raises:
        BadInput: the tables break the contract, or the model of the run is gone.
    """
    timeout = settings.store.lock_timeout_seconds
    with (
        open_store(
            store_url(settings.store), lock_timeout_seconds=timeout, read_only=True
        ) as store,
        store.begin() as connection,
    ):
        scored = load_run(connection, as_of)
        previous = load_previous_cutoff(connection, as_of)
        before = None if previous is None else load_run(connection, previous)
        history = load_history(connection, as_of)
    version = scored.scores["model_version"][0].as_py()
    name = settings.model.registered_name
    bundle = load_registered_bundle(name, version).bundle
    codes = dict.fromkeys([settings.explain.language, *languages()])
    language, *others = (load_language(code, settings.explain.languages_folder) for code in codes)
    with checked_source(
        data_source,
        threads=settings.model.threads,
        settings=settings.reading_for(bundle.settings),
        known=model_spellings(bundle),
    ) as source:
        record = training_record(name, version)
        fit = data_fit(prepare_for_model(source, bundle, settings), bundle, as_of)
        write_report(
            scored, source, bundle, out, language=language, more_languages=others, record=record,
            before=before, history=history, facts={"data_fit": fit.values()},
            settings=settings,
        )  # fmt: skip
