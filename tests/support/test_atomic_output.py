from __future__ import annotations

import os
from pathlib import Path

import pytest
from mqbg.contract import BadInput
from mqbg.support.atomic_output import (
    new_folder,
    refuse_unless_empty,
    refuse_unless_ours,
    replaced_file,
    replaced_folder,
)


class StopError(Exception):
    pass


def ours(name):
    return name.endswith(".ours")


def replaced(out):
    return replaced_folder(out, ours)


FOLDERS = pytest.mark.parametrize("writing", [new_folder, replaced], ids=["new", "replaced"])


def entries(folder):
    """Everything under a folder, hidden entries too, with the text of files."""
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in folder.rglob("*")
    }


@FOLDERS
def test_a_folder_is_not_there_until_it_is_whole(tmp_path, writing):
    out = tmp_path / "out"
    with writing(out) as aside:
        (aside / "a.ours").write_text("1")
        assert not out.exists()
    assert entries(tmp_path) == {"out": None, "out/a.ours": "1"}


@FOLDERS
@pytest.mark.parametrize("error", [StopError, KeyboardInterrupt])
def test_an_error_inside_leaves_nothing_of_a_folder(tmp_path, writing, error):
    def stopped():
        with writing(tmp_path / "out") as aside:
            (aside / "a.ours").write_text("1")
            raise error

    with pytest.raises(error):
        stopped()
    assert entries(tmp_path) == {}


@FOLDERS
def test_parents_are_made(tmp_path, writing):
    with writing(tmp_path / "x" / "y" / "out") as aside:
        (aside / "a.ours").touch()
    assert (tmp_path / "x" / "y" / "out" / "a.ours").is_file()


@FOLDERS
def test_an_empty_folder_may_be_filled(tmp_path, writing):
    (tmp_path / "out").mkdir()
    with writing(tmp_path / "out") as aside:
        (aside / "a.ours").write_text("1")
    assert entries(tmp_path) == {"out": None, "out/a.ours": "1"}


@FOLDERS
def test_the_working_folder_may_be_filled(tmp_path, writing, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    with writing(tmp_path.__class__()) as aside:
        (aside / "a.ours").write_text("1")
    assert entries(tmp_path) == {"out": None, "out/a.ours": "1"}


@FOLDERS
def test_a_folder_has_the_rights_of_any_new_folder(tmp_path, writing):
    (tmp_path / "plain").mkdir()
    with writing(tmp_path / "out") as aside:
        (aside / "a.ours").touch()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


@FOLDERS
def test_a_folder_with_foreign_files_is_refused_before_anything_is_written(tmp_path, writing):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("mine")
    with pytest.raises(BadInput, match="expected a new") as refusal, writing(tmp_path / "out"):
        pytest.fail("the block must not run")
    assert "choose another folder" in str(refusal.value)
    assert entries(tmp_path) == {"out": None, "out/thesis.doc": "mine"}


@FOLDERS
def test_foreign_files_that_came_meanwhile_stay(tmp_path, writing):
    out = tmp_path / "out"

    def overtaken():
        with writing(out) as aside:
            (aside / "a.ours").touch()
            out.mkdir()
            (out / "thesis.doc").write_text("mine")

    with pytest.raises(BadInput, match="expected a new"):
        overtaken()
    assert entries(tmp_path) == {"out": None, "out/thesis.doc": "mine"}


@FOLDERS
def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path, writing):
    (tmp_path / "out").write_text("mine")
    with (
        pytest.raises(BadInput, match="is not a folder: choose another"),
        writing(tmp_path / "out"),
    ):
        pytest.fail("the block must not run")
    assert entries(tmp_path) == {"out": "mine"}


@FOLDERS
def test_a_link_to_nowhere_is_refused(tmp_path, writing):
    (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="is not a folder"), writing(tmp_path / "out"):
        pytest.fail("the block must not run")
    assert os.listdir(tmp_path) == ["out"]


@FOLDERS
def test_a_link_to_a_folder_stays_a_link(tmp_path, writing):
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    with writing(tmp_path / "out") as aside:
        (aside / "a.ours").touch()
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "real" / "a.ours").is_file()


@pytest.mark.parametrize("writing", [new_folder, replaced, replaced_file])
def test_a_place_below_a_file_is_refused(tmp_path, writing):
    (tmp_path / "file").write_text("mine")
    with (
        pytest.raises(BadInput, match=r"expected a place to write .*; choose another"),
        writing(tmp_path / "file" / "out"),
    ):
        pytest.fail("the block must not run")
    assert entries(tmp_path) == {"file": "mine"}


def test_a_new_folder_never_replaces_an_earlier_output(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.ours").write_text("old")
    with pytest.raises(BadInput, match="already holds files"), new_folder(tmp_path / "out"):
        pytest.fail("the block must not run")
    assert entries(tmp_path) == {"out": None, "out/a.ours": "old"}


def test_an_earlier_output_gives_way_whole(tmp_path):
    out = tmp_path / "out"
    (out / "sub.ours").mkdir(parents=True)
    (out / "a.ours").write_text("old")
    with replaced(out) as aside:
        (aside / "b.ours").write_text("new")
        assert entries(out) == {"sub.ours": None, "a.ours": "old"}
    assert entries(tmp_path) == {"out": None, "out/b.ours": "new"}


def test_an_error_inside_leaves_the_earlier_output(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.ours").write_text("old")

    def stopped():
        with replaced(out) as aside:
            (aside / "a.ours").write_text("half")
            raise StopError

    with pytest.raises(StopError):
        stopped()
    assert entries(tmp_path) == {"out": None, "out/a.ours": "old"}


@pytest.mark.parametrize("before", [None, "old"])
def test_a_file_takes_its_place_whole(tmp_path, before):
    out = tmp_path / "out.txt"
    if before:
        out.write_text(before)
    with replaced_file(out) as aside:
        aside.write_text("new")
        assert (out.read_text() if before else out.exists()) == (before or False)
    assert entries(tmp_path) == {"out.txt": "new"}


@pytest.mark.parametrize("before", [None, "old"])
def test_an_error_inside_leaves_the_earlier_file(tmp_path, before):
    out = tmp_path / "out.txt"
    if before:
        out.write_text(before)

    def stopped():
        with replaced_file(out) as aside:
            aside.write_text("half")
            raise StopError

    with pytest.raises(StopError):
        stopped()
    assert entries(tmp_path) == ({"out.txt": "old"} if before else {})


def test_a_block_that_writes_no_file_leaves_the_earlier_one(tmp_path):
    out = tmp_path / "out.txt"
    out.write_text("old")
    with pytest.raises(FileNotFoundError), replaced_file(out):
        pass
    assert entries(tmp_path) == {"out.txt": "old"}


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match="is a folder: add a file name"), replaced_file(tmp_path):
        pytest.fail("the block must not run")
    assert entries(tmp_path) == {}


def test_the_refusals_touch_nothing(tmp_path):
    refuse_unless_empty(tmp_path / "absent")
    refuse_unless_empty(tmp_path)
    refuse_unless_ours(tmp_path / "absent", ours)
    (tmp_path / "a.ours").touch()
    refuse_unless_ours(tmp_path, ours)
    with pytest.raises(BadInput, match="already holds files"):
        refuse_unless_empty(tmp_path)
    (tmp_path / "b").touch()
    with pytest.raises(BadInput, match="holds 'b'"):
        refuse_unless_ours(tmp_path, ours)
    assert sorted(entries(tmp_path)) == ["a.ours", "b"]


@pytest.mark.parametrize("failures", [1, 2])
def test_an_earlier_output_survives_renames_that_fail(tmp_path, monkeypatch, failures):
    """Also where putting it back fails: then it stays aside, and is not removed."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "kept.txt").write_text("earlier")
    rename, calls = Path.rename, []

    def failing(self, target):
        calls.append(target)
        if 1 < len(calls) <= 1 + failures:
            raise OSError("disk on fire")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="disk on fire"), replaced_folder(out, lambda _name: True):
        pass
    assert [path.read_text() for path in tmp_path.rglob("kept.txt")] == ["earlier"]
    assert out.exists() == (failures == 1)
