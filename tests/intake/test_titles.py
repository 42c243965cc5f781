"""The lexicon of titles on labelled titles that did not shape it (data/titles)."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mqbg.intake.roles.lexicon import ROLES, lexicon_role
from mqbg.intake.roles.titles import FEWEST_LABELS, train_titles

PATH = Path(__file__).parents[2] / "data" / "titles" / "titles.csv"


@pytest.fixture(scope="module")
def labelled():
    with PATH.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def held_out(labelled):
    rows = [row for row in labelled if row["part"] == "held_out"]
    said = [lexicon_role(row["title"]) for row in rows]
    right = np.array([role == row["role"] for (role, _), row in zip(said, rows, strict=True)])
    return rows, right, np.array([probability for _, probability in said])


def test_every_label_is_a_role_with_a_reason_and_no_title_stands_twice(labelled):
    assert {row["role"] for row in labelled} == set(ROLES)
    assert all(row["reason"] for row in labelled)
    assert len({row["title"].lower() for row in labelled}) == len(labelled) > 350


@pytest.mark.parametrize("language", ["ja", "en"])
def test_titles_never_seen_are_right_in_85_of_a_hundred(held_out, language):
    rows, right, _ = held_out
    of_language = np.array([row["language"] == language for row in rows])
    assert of_language.sum() > 80
    assert right[of_language].mean() >= 0.85


def test_the_most_certain_80_percent_are_right_in_93_of_a_hundred(held_out):
    _, right, probability = held_out
    surest = np.argsort(-probability, kind="stable")[: int(0.8 * len(right))]
    assert right[surest].mean() >= 0.93


def test_probabilities_are_calibrated(held_out):
    _, right, probability = held_out
    place = np.minimum((probability * 10).astype(int), 9)
    error = sum(
        abs(probability[place == one].sum() - right[place == one].sum()) for one in range(10)
    ) / len(right)
    assert error <= 0.05


def recorded_roles(people):
    return people.groupby(["title", "department", "role"]).size().reset_index(name="n")


@pytest.mark.slow
def test_one_percent_more_people_leave_roles_learned_from_titles_as_they_were(labelled):
    """Of 20,000 people with titles of Zipf's frequencies, a fifth of them recorded wrongly."""
    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(1, len(labelled) + 1)
    places = rng.permutation(len(labelled))[
        rng.choice(len(labelled), 20_000, p=frequency / frequency.sum())
    ]
    roles = np.array([row["role"] for row in labelled])[places]
    wrong = rng.random(len(roles)) < 0.2
    roles[wrong] = rng.choice(list(ROLES), wrong.sum())
    people = pd.DataFrame(
        {"title": [labelled[place]["title"] for place in places], "department": "", "role": roles}
    )
    before = people[rng.random(len(people)) >= 0.01]
    titles = sorted(before.title.unique())
    said = []
    for some in (before, people):
        model = train_titles(recorded_roles(some), {})
        assert model.learned_from >= FEWEST_LABELS
        said.append(model.roles(titles, [""] * len(titles))[0])
    changed = {title for title, *roles in zip(titles, *said, strict=True) if len(set(roles)) > 1}
    assert before.title.isin(changed).mean() <= 0.0001
