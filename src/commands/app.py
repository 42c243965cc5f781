"""The commands. Each reads its arguments, calls one room, and says what to do next."""

from __future__ import annotations

import os
import sys

import typer

from ..contract import BadInput
from ..serve.store.errors import StoreFailed, disk_is_full
from ..support.garbage import exit_without_freeing, search_seldom
from ..support.terminal import ERRORS, log_to_stderr
from .data import check, features, simulate
from .delivery import push, run
from .demo import demo
from .intake import import_, init
from .scoring import explain, report, score
from .server import serve
from .store import forget
from .training import probe, register, train
from .versions import compare, promote, rollback

# Rooms are imported inside the commands: `mqbg --help` and `mqbg check` should not wait for
# LightGBM and MLflow.

app = typer.Typer(
    name="mqbg",
    help="Scores B2B buying groups: readiness, what each stakeholder adds, which groups qualify.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def program() -> None:
    """Entry point of the program `mqbg`: runs `main` and leaves the process at once."""
    exit_without_freeing(main)


def main() -> None:
    """Runs the command of `sys.argv`; bad input ends with one message and status 2.

    Raises:
        SystemExit: with the exit status; 1 when the disk is full or the store fails.
    """
    # Threads of LightGBM that wait by spinning make a busy machine several times slower. Those of
    # BLAS spin as well, and our products of matrices are too small to be worth a second thread.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    search_seldom()
    log_to_stderr()
    try:
        app()
    except BadInput as error:
        _exit_with(str(error), 2)
    except StoreFailed as error:
        _exit_with(str(error), 1)
    except OSError as error:
        if not disk_is_full(error):
            raise
        _exit_with(
            "the disk is full; nothing half-written was left: make room and run the command again",
            1,
        )


def _exit_with(sentence: str, status: int) -> None:
    ERRORS.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(status)


for command in (
    check, simulate, features, train, register, probe, compare, promote, rollback, forget, push,
    run, serve, score, explain, report, demo, init,
):  # fmt: skip
    app.command()(command)
app.command("import")(import_)
