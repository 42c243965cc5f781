"""What is kept between runs: by key, by version of the code, never in the way."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from mqbg.support import disk_cache
from mqbg.support.disk_cache import CACHE_VARIABLE, read_cache, write_cache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_content_is_read_under_its_own_key_alone(folder):
    write_cache("one", b"1")
    write_cache("two", b"2")
    assert (read_cache("one"), read_cache("two"), read_cache("three")) == (b"1", b"2", None)


def test_another_process_reads_what_one_wrote(folder):
    write_cache("one", b"1")
    code = "from mqbg.support.disk_cache import read_cache; print(read_cache('one'))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "b'1'"


def test_another_version_of_the_code_reads_nothing(folder, monkeypatch):
    write_cache("one", b"1")
    monkeypatch.setattr(disk_cache, "_code_version", lambda: "another")
    assert read_cache("one") is None


def test_a_changed_module_is_another_version(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_cache, "_PACKAGE", tmp_path)
    module = tmp_path / "module.py"
    module.write_text("a = 1")
    before = disk_cache._code_version.__wrapped__()
    assert disk_cache._code_version.__wrapped__() == before
    os.utime(module, ns=(0, 0))
    assert disk_cache._code_version.__wrapped__() != before


def test_an_empty_variable_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CACHE_VARIABLE, "")
    write_cache("one", b"1")
    assert read_cache("one") is None
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    write_cache("one", b"1")
    assert read_cache("one") is None


def test_only_the_newest_versions_are_kept(folder, monkeypatch):
    for number in range(disk_cache.MAX_VERSIONS + 2):
        monkeypatch.setattr(disk_cache, "_code_version", lambda number=number: f"v{number}")
        write_cache("one", b"1")
        os.utime(folder / f"v{number}", (number, number))
    assert sorted(path.name for path in folder.iterdir()) == ["v2", "v3", "v4", "v5"]


def test_a_full_folder_begins_again(folder, monkeypatch):
    monkeypatch.setattr(disk_cache, "MAX_ENTRIES", 2)
    for key in ("one", "two", "three"):
        write_cache(key, b"1")
    assert [read_cache(key) for key in ("one", "two", "three")] == [None, None, b"1"]
