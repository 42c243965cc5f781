"""Outputs that appear whole or not at all: written aside, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..contract import BadInput


def refuse_unless_empty(out: Path) -> None:
    """Make sure that a new folder may be written.

    Raises:
        BadInput: `out` is a file, or a folder that holds something.
    """
    _refuse_unless_folder(out)
    if out.is_dir() and any(out.iterdir()):
        raise BadInput(
            f"expected a new or empty folder to write to, but {out} already holds files: "
            "choose another folder or empty this one"
        )


def refuse_unless_ours(out: Path, ours: Callable[[str], bool]) -> None:
    """Make sure that a folder may be replaced.

    Args:
        out: absent, or a folder.
        ours: tells by its name whether an entry is one that we write.

    Raises:
        BadInput: `out` is a file, or a folder that holds something else.
    """
    _refuse_unless_folder(out)
    foreign = (
        sorted(entry.name for entry in out.iterdir() if not ours(entry.name))
        if out.is_dir()
        else []
    )
    if foreign:
        raise BadInput(
            f"expected a new folder, or one that this command wrote before, but {out} holds "
            f"{foreign[0]!r}: choose another folder"
        )


def _refuse_unless_folder(out: Path) -> None:
    if (out.exists() or out.is_symlink()) and not out.is_dir():
        raise BadInput(
            f"expected a folder to write to, but {out} is not a folder: choose another name"
        )


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that becomes `out` at the end, or vanishes on an error."""
    refuse_unless_empty(out)
    with _aside(out) as (aside, final):
        yield aside
        refuse_unless_empty(final)
        if final.is_dir():
            final.rmdir()
        aside.rename(final)


@contextmanager
def replaced_folder(out: Path, ours: Callable[[str], bool]) -> Iterator[Path]:
    """Like `new_folder`, but an earlier output of ours gives way at the end, and only then."""
    refuse_unless_ours(out, ours)
    with _aside(out) as (aside, final):
        yield aside
        refuse_unless_ours(final, ours)
        if not final.is_dir():
            aside.rename(final)
            return
        kept = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
        try:
            final.rename(kept / "old")
            aside.rename(final)
        except BaseException:
            if not final.exists():
                (kept / "old").rename(final)
            with suppress(OSError):  # only an empty folder goes: what was there is never lost
                kept.rmdir()
            raise
        shutil.rmtree(kept, ignore_errors=True)


@contextmanager
def replaced_file(out: Path) -> Iterator[Path]:
    """A temporary file beside `out` that takes its place at the end, or vanishes on an error.

    Raises:
        BadInput: `out` is a folder.
    """
    if out.is_dir():
        raise BadInput(f"expected a file to write to, but {out} is a folder: add a file name")
    with _aside(out) as (aside, final):
        yield aside / final.name
        (aside / final.name).replace(final)
        aside.rmdir()


@contextmanager
def _aside(out: Path) -> Iterator[tuple[Path, Path]]:
    final = out.resolve()  # so that "." has a name and a parent
    made = [parent for parent in final.parents if not parent.exists()]
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    except OSError as error:
        raise BadInput(
            f"expected a place to write {out}, got: {error.strerror}; choose another"
        ) from None
    try:
        aside.chmod(0o777 & ~_umask())  # mkdtemp makes it private, a plain mkdir would not
        yield aside, final
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        for parent in made:  # deepest first
            with suppress(OSError):
                parent.rmdir()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
