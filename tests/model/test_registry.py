from __future__ import annotations

import logging
import os
import shutil
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.contract import BadInput
from mqbg.model.registry import (
    FIRST,
    MAX_TAG_LENGTH,
    PROMOTE,
    ROLLBACK,
    ChampionChange,
    RecordedChange,
    champion_history,
    champion_version,
    find_version,
    load_registered_bundle,
    open_existing_tracking_store,
    open_tracking_store,
    previous_champions,
    require_tracking_store,
    set_champion,
)

AT = datetime(2024, 5, 1, 9, 30)
NAME = "mqbg"


@pytest.fixture(scope="module")
def empty_store(empty_mlflow, tmp_path_factory):
    """A store with a model of three versions."""
    folder = tmp_path_factory.mktemp("store")
    shutil.copy(empty_mlflow, folder / "mlflow.db")
    before = os.environ.get("MLFLOW_TRACKING_URI")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        with open_tracking_store() as (_mlflow, client):
            client.create_registered_model(NAME)
            for _ in range(3):
                client.create_model_version(NAME, (folder / "nothing").as_uri())
    assert os.environ.get("MLFLOW_TRACKING_URI") == before
    return folder / "mlflow.db"


@pytest.fixture
def client(empty_store, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    with open_tracking_store() as (_mlflow, opened):
        yield opened


def move(action=PROMOTE, **changes):
    return ChampionChange(
        **{"action": action, "by": "佐藤", "at": AT, "why": "春の再学習", **changes}
    )


def test_a_model_without_champion_has_none(client):
    assert champion_version(client, NAME) is None
    assert champion_version(client, "unheard of") is None


def test_a_move_is_recorded_as_it_was(client):
    figures = {"log_loss": [0.1, -0.2, 0.3], "worse": []}
    set_champion(client, NAME, "1", move(FIRST))
    last = set_champion(client, NAME, "2", move(forced=True, figures=figures))
    assert champion_version(client, NAME) == "2"
    first, second = champion_history(client, NAME)
    assert (first.number, first.previous, first.version) == (1, None, "1")
    kept = move(forced=True, figures=figures, at=AT.replace(tzinfo=UTC))
    assert second == RecordedChange(2, kept, "2", "1")
    assert last == RecordedChange(2, move(forced=True, figures=figures), "2", "1")


def test_a_time_of_another_zone_is_kept_in_utc(client):
    tokyo = AT.replace(tzinfo=timezone(timedelta(hours=9)))
    set_champion(client, NAME, "1", move(at=tokyo))
    [recorded] = champion_history(client, NAME)
    assert recorded.change.at.isoformat() == "2024-05-01T00:30:00+00:00"


def test_the_tenth_move_comes_after_the_ninth(client):
    for number in range(12):
        set_champion(client, NAME, str(number % 3 + 1), move(why=str(number)))
    assert [one.change.why for one in champion_history(client, NAME)] == [str(n) for n in range(12)]


def test_figures_that_do_not_fit_into_a_tag_are_left_out_and_nothing_else(client):
    set_champion(client, NAME, "1", move(why="理" * 2000, figures={"long": "x" * MAX_TAG_LENGTH}))
    [recorded] = champion_history(client, NAME)
    assert recorded.change.why == "理" * 2000
    assert recorded.change.figures == {}


@pytest.mark.parametrize(("what", "option"), [("why", "--why"), ("by", "--by")])
def test_a_text_that_is_too_long_is_refused(what, option):
    with pytest.raises(BadInput, match=f"{option}: expected at most .*, got 2,001"):
        move(**{what: "x" * 2001})


def test_a_move_that_fails_leaves_no_record(client):
    set_champion(client, NAME, "1", move(FIRST))
    with pytest.raises(Exception, match="not found"):
        set_champion(client, NAME, "99", move())
    assert champion_version(client, NAME) == "1"
    assert len(champion_history(client, NAME)) == 1


def test_a_record_that_somebody_broke_is_named(client):
    set_champion(client, NAME, "1", move(FIRST))
    client.set_registered_model_tag(NAME, "mqbg.champion.0001", "{not json")
    with pytest.raises(BadInput, match=r"mqbg\.champion\.0001.*delete that tag"):
        champion_history(client, NAME)


def test_a_broken_record_stops_no_move(client):
    client.set_registered_model_tag(NAME, "mqbg.champion.0007", "{not json")
    assert set_champion(client, NAME, "1", move()).number == 8


def test_tags_of_others_are_no_moves(client):
    client.set_registered_model_tag(NAME, "mqbg.champion.note", "hello")
    client.set_registered_model_tag(NAME, "team", "hello")
    assert champion_history(client, NAME) == ()


@pytest.mark.parametrize(("asked", "found"), [("1", "1"), ("latest", "3"), ("champion", "2")])
def test_a_version_is_found_by_number_latest_and_alias(client, asked, found):
    set_champion(client, NAME, "2", move())
    assert str(find_version(client, NAME, asked).version) == found


@pytest.mark.parametrize("asked", ["99", "challenger", "0", "-1", "１2３4", "x y"])
def test_a_version_that_is_not_there_is_bad_input(client, asked):
    with pytest.raises(BadInput, match="expected a registered model 'mqbg' with a version"):
        find_version(client, NAME, asked)


def test_a_deleted_version_is_bad_input(client):
    client.delete_model_version(NAME, "3")
    assert str(find_version(client, NAME, "latest").version) == "2"
    with pytest.raises(BadInput, match="version '3'"):
        find_version(client, NAME, "3")


def test_a_version_whose_files_are_gone_is_bad_input(client):
    with pytest.raises(BadInput, match="version '1'"):
        load_registered_bundle(NAME, "1")


def recorded(moves):
    return [
        RecordedChange(number, move(action), to, since)
        for number, (action, since, to) in enumerate(moves)
    ]


@pytest.mark.parametrize(
    ("moves", "champion", "before"),
    [
        ([], None, ()),
        ([], "1", ()),
        ([(FIRST, None, "1")], "1", ()),
        ([(FIRST, None, "1"), (PROMOTE, "1", "2")], "2", ("1",)),
        # gone back once, then nothing is left
        ([(FIRST, None, "1"), (PROMOTE, "1", "2"), (ROLLBACK, "2", "1")], "1", ()),
        # a version that was rolled back is not before the next one
        (
            [
                (FIRST, None, "1"),
                (PROMOTE, "1", "2"),
                (ROLLBACK, "2", "1"),
                (PROMOTE, "1", "3"),
            ],
            "3",
            ("1",),
        ),
        # champion again
        ([(FIRST, None, "1"), (PROMOTE, "1", "2"), (PROMOTE, "2", "1")], "1", ("2", "1")),
        # the first champion is older than the record
        ([(PROMOTE, "4", "5")], "5", ("4",)),
        # moved by hand after the last record, and between two
        ([(FIRST, None, "1"), (PROMOTE, "1", "2")], "7", ("2", "1")),
        ([(FIRST, None, "1"), (PROMOTE, "7", "8")], "8", ("7", "1")),
        # deleted while it was champion: MLflow takes the alias away
        ([(FIRST, None, "1"), (PROMOTE, "1", "2")], None, ("2", "1")),
        # a rollback that skipped version 2
        (
            [
                (FIRST, None, "1"),
                (PROMOTE, "1", "2"),
                (PROMOTE, "2", "3"),
                (ROLLBACK, "3", "1"),
            ],
            "1",
            (),
        ),
    ],
)
def test_champions_before(moves, champion, before):
    assert previous_champions(recorded(moves), champion) == before


@given(st.lists(st.none() | st.integers(1, 4), max_size=30))
def test_rollbacks_go_back_through_the_promotions_like_a_stack(asked):
    """None is a rollback, a number a promotion of that version."""
    stack, moves = [], []
    for number in asked:
        champion = stack[-1] if stack else None
        before = previous_champions(recorded(moves), champion)
        assert before == tuple(reversed(stack[:-1]))
        if number is not None and str(number) != champion:
            moves.append((PROMOTE, champion, str(number)))
            stack.append(str(number))
        elif number is None and before:
            moves.append((ROLLBACK, champion, before[0]))
            stack.pop()


@pytest.mark.parametrize("uri", ["foo://bar", "http://127.0.0.1:9"])
def test_a_store_that_does_not_answer_is_one_sentence(monkeypatch, tmp_path, uri):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(BadInput, match="expected a store that answers at") as caught:
        require_tracking_store()
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_store_is_one_sentence(monkeypatch, tmp_path, caplog):
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 500)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    with caplog.at_level(logging.WARNING), pytest.raises(BadInput, match="not a database"):
        require_tracking_store()
    assert not caplog.records


def test_the_default_store_is_not_made_by_asking(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    require_tracking_store()
    with pytest.raises(BadInput, match="run `mqbg train` first"), open_existing_tracking_store():
        pass
    assert not list(tmp_path.iterdir())


def test_a_process_that_changes_its_folder_has_the_default_store_of_each(
    empty_mlflow, monkeypatch, tmp_path
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("one", "other"):
        (tmp_path / name / "mlruns").mkdir(parents=True)
        shutil.copy(empty_mlflow, tmp_path / name / "mlruns")
        monkeypatch.chdir(tmp_path / name)
        with open_tracking_store() as (_mlflow, client):
            assert client.search_registered_models() == []
            client.create_registered_model(NAME)


def test_a_store_that_fails_in_the_middle_is_one_sentence(client, monkeypatch):
    from mlflow.exceptions import MlflowException

    with pytest.raises(BadInput, match="got: gone; start it"), open_tracking_store():
        raise MlflowException("gone.\nand a long story")


def test_an_error_that_is_not_the_stores_flies(client):
    with pytest.raises(ZeroDivisionError), open_tracking_store():
        _ = 1 / 0


def test_an_error_while_the_champion_is_asked_for_is_no_answer():
    def fail(_filter):
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        champion_version(SimpleNamespace(search_registered_models=fail), NAME)
