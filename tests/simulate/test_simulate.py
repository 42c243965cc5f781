"""The command's promises: same bytes, whole or not at all, refusals that say what to do."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mqbg.contract import BadInput
from mqbg.simulate import simulate
from mqbg.simulate.timeline import END, START, WEEK, month_of, month_starts, office_times


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("one", 5), ("same", 5), ("other", 6)):
        simulate(tmp_path / name, groups=40, seed=seed)
    one, same, other = (digests(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same
    alike = {name for name in one if one[name] == other[name]}
    assert alike == {"solutions.parquet", "contents.parquet", "truth/parameters.json"}


@pytest.mark.parametrize("groups", [1, 2, 5])
def test_the_smallest_worlds_hold_together(tmp_path, groups):
    simulate(tmp_path / "small", groups=groups, seed=3)
    assert len(pd.read_parquet(tmp_path / "small" / "buying_groups.parquet")) == groups


def test_an_empty_folder_may_be_filled(tmp_path):
    simulate(tmp_path, groups=3, seed=1)
    assert (tmp_path / "truth" / "hazard.parquet").exists()


def test_a_folder_with_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(BadInput, match=r"already holds files: choose another folder or empty"):
        simulate(tmp_path, groups=3)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "out").write_text("keep")
    with pytest.raises(BadInput, match="is not a folder"):
        simulate(tmp_path / "out", groups=3)


@pytest.mark.parametrize(("groups", "seed"), [(0, 7), (-3, 7), (5, -1)])
def test_numbers_out_of_range_are_refused_before_anything_is_written(tmp_path, groups, seed):
    with pytest.raises(BadInput, match="must be"):
        simulate(tmp_path / "out", groups=groups, seed=seed)
    assert not list(tmp_path.iterdir())


def test_a_failure_on_the_way_leaves_nothing_behind(tmp_path):
    def fail(what: str, share: float) -> None:
        if what == "writing the truth":
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        simulate(tmp_path / "out", groups=3, progress=fail)
    assert not list(tmp_path.iterdir())


def test_progress_grows_from_nothing_to_all(tmp_path):
    shares: list[float] = []
    simulate(tmp_path / "out", groups=3, progress=lambda _what, share: shares.append(share))
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert shares == sorted(shares)


def test_every_month_start_is_the_first_of_a_month_inside_the_history():
    starts = pd.to_datetime(month_starts(), unit="us")
    assert (starts.day == 1).all()
    assert starts[0] == pd.Timestamp("2024-02-01")
    assert starts[-1] == pd.Timestamp("2025-12-01")
    assert month_of(month_starts()).tolist() == starts.month.tolist()


def test_a_moment_stays_in_its_week_whatever_the_hour_the_office_opens():
    week = np.repeat(np.arange(104), 200)
    opens = np.resize(np.arange(14), week.size)
    moments = office_times(np.random.default_rng(1), week, opens)
    assert ((moments - START) // WEEK == week).all()
    assert moments.max() < END
