"""Files that change together: all are written aside first, and take their places at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...contract import BadInput
from ..store.errors import StoreFailed, disk_is_full


class StagedFiles:
    """Changed files, each beside the one that it is to replace."""

    def __init__(self) -> None:
        """Holds nothing yet."""
        self._staged: dict[Path, Path] = {}

    @contextmanager
    def replacing(self, path: Path) -> Iterator[Path]:
        """Where to write what is to take a file's place.

        A symbolic link stays, and the file that it leads to is replaced, with the same mode.

        Raises:
            StoreFailed: there is no room.
        """
        final = path.resolve()
        try:
            with tempfile.NamedTemporaryFile(
                prefix=f".{final.name}-", dir=final.parent, delete=False
            ) as file:
                aside = self._staged[final] = Path(file.name)
            yield aside
            shutil.copymode(final, aside)
        except OSError as error:
            if not disk_is_full(error):
                raise
            raise StoreFailed(
                f"forget: the disk of {final.parent} is full; nothing was removed anywhere: make "
                "room and run the command again"
            ) from None

    def commit(self) -> None:
        """Puts every file into its place.

        Raises:
            StoreFailed: a file could not be replaced; its text says which are left.
        """
        while self._staged:
            final, aside = next(iter(self._staged.items()))
            try:
                aside.replace(final)
            except OSError as error:
                left = ", ".join(map(str, self._staged))
                raise StoreFailed(
                    f"forget: the person is removed from the store, but not from {left}: "
                    f"{error.strerror}; fix that and run the command again"
                ) from None
            del self._staged[final]

    def discard(self) -> None:
        """Removes what was written aside and did not take its place."""
        for aside in self._staged.values():
            with suppress(OSError):
                aside.unlink()
        self._staged.clear()


@contextmanager
def staged_files() -> Iterator[StagedFiles]:
    """Files to change; what is not committed by the end leaves no trace."""
    files = StagedFiles()
    try:
        yield files
    finally:
        files.discard()


def files_below(path: Path) -> Iterator[Path]:
    """A file, or those of a folder and the folders in it, in order; symbolic links are followed.

    Raises:
        BadInput: there is nothing.
    """
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise BadInput(f"forget: expected a file or folder to search, found no {path}; check it")
    seen: set[Path] = set()
    for folder, folders, names in os.walk(path, followlinks=True):
        real = Path(folder).resolve()
        folders[:] = [] if real in seen else sorted(folders)  # a link may lead back
        if real not in seen:
            yield from (Path(folder) / name for name in sorted(names))
        seen.add(real)
