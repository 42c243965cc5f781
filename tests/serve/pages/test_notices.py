"""What every page says first: data that the model does not know, and chances not measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_report import EVIL, all_pages, model, two_groups
from mqbg.explain.language import load_language
from mqbg.model.data_fit import DataFit, EmptiedColumn, UnknownNames, VolumeChange
from mqbg.serve.pages import write_report
from mqbg.serve.pages.notices import Notices, notices

ROLES = UnknownNames("members.role", 200, 50, (("buyers", 40, "buyer"), (EVIL, 10, None)), more=2)
FIT = DataFit(
    unknown=(ROLES,),
    volumes=(VolumeChange("pricing_view", 120.5, 3),),
    emptied=(EmptiedColumn("accounts.industry", 0.9, 0.0),),
)
BY_RULE = replace(model(), training=replace(model().training, conversions=0))


def said(language="en", measured=True, **given):
    facts = {"data_fit": replace(FIT, **given).values()}
    return notices(facts, load_language(language), measured=measured)


def test_each_misfit_is_one_sentence_with_its_counts():
    found = said()
    unknown, emptied = found.first
    (volume,) = found.more
    assert unknown == (
        f"Unknown to the model: role “buyers” (nearest: buyer) and “{EVIL}” and 2 more, "
        "25% of the rows. Scores may be off."
    )
    assert emptied.startswith("industry: filled in 0% of the rows, far less than in training.")
    assert volume.endswith(": 3 in 90 days, where training lets expect 120.")


def test_scores_that_were_forced_and_chances_by_a_rule_are_said_first():
    found = said(measured=False, refusal="expected names that the model knows")
    first, second = found.first
    assert "not a measured chance" in first
    assert "unknown to the model" in second
    assert found.more == (*said().first, *said().more)


def test_a_few_unknown_names_can_be_unfolded_and_raise_no_alarm():
    found = said(unknown=(replace(ROLES, unknown=2),), volumes=(), emptied=())
    assert not found.first
    assert "role “buyers”" in found.more[0]
    assert "may be off" not in found.more[0]


@pytest.mark.parametrize("facts", [{}, {"data_fit": None}, {"data_fit": DataFit().values()}])
def test_data_that_fits_and_scores_without_facts_say_nothing(facts):
    assert notices(facts, load_language("en"), measured=True) == Notices()


def test_every_page_in_every_language_says_it_first_and_escaped(source, tmp_path):
    assert not BY_RULE.measured
    en, ja = load_language("en"), load_language("ja")
    write_report(
        two_groups(), source, BY_RULE, tmp_path / "out", language=en, more_languages=[ja],
        facts={"data_fit": FIT.values()},
    )  # fmt: skip
    pages = all_pages(tmp_path / "out")
    assert len(pages) == 8
    for path, page in pages.items():
        language = ja if "lang-ja" in path.parts else en
        expected = notices({"data_fit": FIT.values()}, language, measured=False)
        assert {*expected.first, *expected.more} <= set(page.texts)
        assert page.texts.index(expected.first[0]) < page.texts.index(expected.more[0])
        assert ("div", {"class": "notice", "role": "note"}.items()) in [
            (tag, {k: v for k, v in of.items() if k in ("class", "role")}.items())
            for tag, of in page.tags
        ]
        assert EVIL not in page.source


def test_pages_of_scores_that_fit_have_no_notice(source, tmp_path):
    write_report(two_groups(), source, model(), tmp_path / "out", language=load_language("en"))
    assert all('class="notice"' not in page.source for page in all_pages(tmp_path / "out").values())
