import re
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.train.evaluate.comparison import METRICS, compare, verdict_sentence
from mqbg.train.evaluate.segments import evaluate_by_segment
from mqbg.train.evaluate.weak_segments import find_weak_segments
from mqbg.train.report.model_card import CardFacts, SplitPart, escape_markdown, render_model_card

SEED = 5
KEYWORDS = {"touched_per_snapshot": 10, "resamples": 20, "seed": SEED}
SECTIONS = [
    "Model details",
    "Intended use",
    "Out-of-scope use",
    "How to get started",
    "Training data",
    "Evaluation",
    "Calibration",
    "Thresholds",
    "Sample size and blending",
    "Segments",
    "Leaks",
    "Limits",
]


def scored(rows=900):
    draws = np.random.default_rng(SEED)
    probability = draws.beta(1, 6, rows)
    account = draws.integers(150, size=rows)
    frame = pd.DataFrame(
        {
            "group_id": [f"secret group {number}" for number in account],
            "account_id": [f"secret account {number}" for number in account],
            "as_of": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(30 * draws.integers(3, size=rows), unit="D"),
            "converted": draws.random(rows) < probability,
            "seen": account % 2 > 0,
            "tier": draws.choice(["A", "B"], rows),
        }
    )
    # Tier B is unknown to the model, so the card has something to say of it.
    tier = frame["tier"].eq("B").to_numpy()
    probability[tier] = draws.permutation(probability[tier])
    return frame, {"rule": draws.random(rows) / 3, "mqbg": probability}


def facts(**changes):
    rows, methods = scored()
    compared = compare(rows, methods, **KEYWORDS)
    part = SplitPart(datetime(2023, 1, 1), datetime(2023, 9, 1), 9, 4321, 432)
    plainly = CardFacts(
        name="buying groups",
        version="3",
        package_version="0.1.0",
        data="the demo",
        fingerprint="0123abcd",
        target="opportunity",
        horizon_days=90,
        train=part,
        test=SplitPart(datetime(2024, 1, 1), datetime(2024, 3, 1), 3, 900, 130),
        features=120,
        trees=345,
        touched_per_snapshot=10,
        model="mqbg",
        verdict=verdict_sentence(compared.figures, compared.differences),
        signal="There is a signal.",
        figures=compared.figures,
        differences=compared.differences,
        segments=evaluate_by_segment(rows, methods["mqbg"], columns=("tier",), **KEYWORDS),
        calibration=("Platt scaling was chosen.",),
        thresholds=("A group qualifies from 12 % on.",),
        sample_size=("The effective sample size is 512 groups.",),
        findings=("stage_age tells the future.",),
        limits=("March was lost.",),
    )
    return replace(plainly, **changes)


def section(card, heading):
    return card.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def table(text):
    """Cells of the first Markdown table in a text."""
    lines = [line for line in text.split("\n") if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_the_card_has_its_sections_in_order():
    card = render_model_card(facts())
    assert re.findall(r"^## (.*)$", card, flags=re.MULTILINE) == SECTIONS
    assert card.startswith("# Model card: buying groups version 3\n")
    assert card.endswith("\n")
    assert not card.endswith("\n\n")


def test_the_card_says_what_the_data_were():
    text = section(render_model_card(facts()), "Training data")
    assert "Source the demo, fingerprint 0123abcd" in text
    assert table(text)[2] == [
        *("training", "2023-01-01", "2023-09-01", "9", "4,321", "432 (10.0%)"),
    ]
    assert table(text)[3][:3] == ["test", "2024-01-01", "2024-03-01"]


def test_every_figure_of_every_method_is_shown_with_its_interval():
    given_facts = facts()
    text = section(render_model_card(given_facts), "Evaluation")
    for row in given_facts.figures.itertuples():
        assert f"{row.value:.3f} ({row.low:.3f} to {row.high:.3f})" in text
    for population in ("All accounts", "Unseen accounts"):
        shown = table(text.split(f"### {population}")[1])
        assert len(shown[0]) == 1 + len(METRICS)
        assert [line[0] for line in shown[2:4]] == ["mqbg", "rule"]


def test_what_the_model_has_more_than_each_baseline_carries_its_sign():
    given_facts = facts()
    text = section(render_model_card(given_facts), "Evaluation")
    for row in given_facts.differences.itertuples():
        assert f"{row.value:+z.3f} ({row.low:+z.3f} to {row.high:+z.3f})" in text


def test_weak_segments_are_named_with_their_figures():
    given_facts = facts()
    weak = find_weak_segments(given_facts.segments)
    assert any(one.part == "B" for one in weak)
    text = section(render_model_card(given_facts), "Segments")
    for one in weak:
        assert f"- {escape_markdown(one.sentence)}\n" in text
    assert {line[1] for line in table(text)[2:]} == {r"(all)", "A", "B"}


def test_sentences_of_others_stand_in_their_sections():
    card = render_model_card(facts())
    for heading, words in {
        "Calibration": "- Platt scaling was chosen.",
        "Thresholds": "- A group qualifies from 12 % on.",
        "Sample size and blending": "- The effective sample size is 512 groups.",
        "Leaks": r"- stage\_age tells the future.",
        "Limits": "- March was lost.",
    }.items():
        assert words in section(card, heading)
    assert "the mean chance was" in section(card, "Calibration")


def test_it_says_how_to_load_the_version():
    text = section(render_model_card(facts()), "How to get started")
    assert "mqbg score DATA --as-of 2024-03-01 --out scores --version 3\n" in text
    assert 'mlflow.pyfunc.load_model("models:/buying groups/3")' in text
    assert "--version VERSION\n" in render_model_card(facts(version=None))


def test_it_warns_of_promises_and_of_deciding_about_persons():
    text = section(render_model_card(facts()), "Out-of-scope use")
    assert "Not as a promise" in text
    assert "Not to decide about persons" in text


def test_no_group_or_account_is_named():
    assert "secret" not in render_model_card(facts())


def test_the_same_facts_give_the_same_card():
    assert render_model_card(facts()) == render_model_card(facts())


def test_a_test_too_small_to_measure_has_a_card_all_the_same():
    rows, methods = scored()
    rows["converted"] = False
    compared = compare(rows, methods, **KEYWORDS)
    judged = evaluate_by_segment(rows, methods["mqbg"], columns=("tier",), **KEYWORDS)
    card = render_model_card(
        facts(
            figures=compared.figures,
            differences=compared.differences,
            segments=judged,
            verdict=verdict_sentence(compared.figures, compared.differences),
            thresholds=(),
            findings=(),
            sample_size=(),
        )
    )
    assert "nan" not in card
    assert section(card, "Evaluation").count("Too few to measure.") == 2
    assert "No segment differs." in section(card, "Segments")
    assert "None are published." in section(card, "Thresholds")
    assert "The leak probes found nothing." in section(card, "Leaks")


def test_a_card_without_segments_says_so():
    card = render_model_card(facts(segments=facts().segments.head(0), calibration=()))
    assert "Nothing was judged by segment." in section(card, "Segments")
    assert "Not measured." in section(card, "Calibration")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a | b", r"a \| b"),
        ("<script>", r"\<script\>"),
        ("two\nlines", "two lines"),
        ("[link](x)", r"\[link\](x)"),
        ("# not a heading", r"\# not a heading"),
        ("0.8 (0.7 to 0.9)", "0.8 (0.7 to 0.9)"),
        ("製造業", "製造業"),
    ],
)
def test_text_of_the_data_is_shown_and_not_read(text, shown):
    assert escape_markdown(text) == shown


@given(st.text())
def test_any_text_stays_in_one_cell_of_a_table(text):
    shown = escape_markdown(text)
    assert len(shown.splitlines()) <= 1
    assert not re.search(r"(?<!\\)(\\\\)*\|", shown)


def test_a_segment_of_any_name_keeps_the_table_whole():
    rows, methods = scored()
    rows["tier"] = np.where(rows["tier"].eq("A"), "a | b\n## c", "<b>")
    judged = evaluate_by_segment(rows, methods["mqbg"], columns=("tier",), **KEYWORDS)
    card = render_model_card(facts(segments=judged))
    assert re.findall(r"^## (.*)$", card, flags=re.MULTILINE) == SECTIONS
    assert r"a \| b \#\# c" in section(card, "Segments")
