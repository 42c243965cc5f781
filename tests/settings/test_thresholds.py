import pytest
from mqbg.contract import BadInput
from mqbg.settings import ThresholdSettings, load_settings, settings_from_values, settings_values


def loaded(tmp_path, text):
    path = tmp_path / "mqbg.toml"
    path.write_text("[thresholds]\n" + text, encoding="utf-8")
    return load_settings(path)


def test_every_key_of_the_thresholds_is_read(tmp_path):
    settings = loaded(
        tmp_path,
        'policy = "value"\nsegment = "tier"\ngain = 100\ncost = 2.5\nprecision = 0.4\n'
        "confidence = 0.9\nshrinkage = 5\n"
        'capacity_by_month = { 3 = 10, 12 = 5 }\ncapacity_by_segment = { "A" = 4 }\n',
    )
    assert settings.thresholds == ThresholdSettings(
        "value", 20.0, 0.6, "tier", {"3": 10.0, "12": 5.0}, {"A": 4.0}, 100.0, 2.5, 0.4, 0.9, 5.0
    )
    assert settings_from_values(settings_values(settings), "again") == settings


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("capacity_by_month = { 13 = 4 }", 'must have the months "1" to "12"'),
        ("capacity_by_month = { March = 4 }", 'must have the months "1" to "12"'),
        ("capacity_by_month = { 3 = 0 }", "3 must be above 0 groups a week"),
        ('segment = "tier"\ncapacity_by_segment = { A = -1 }', "A must be above 0 groups a week"),
        ("capacity_by_segment = { A = 1 }", "needs segment ="),
        ('segment = "industry"', "expected one of 'none', 'tier', 'solution', 'country'"),
        ("gain = 10", "gain and cost go together"),
        ("gain = 10\ncost = 10", "cost must be above 0 and below gain"),
        ("gain = 10\ncost = 0", "cost must be above 0 and below gain"),
        ("precision = 1", "precision must be over 0 and under 1"),
        ("precision = 0", "precision must be over 0 and under 1"),
        ("confidence = 0.4", "confidence must be 0.5 or more"),
        ("confidence = 1", "confidence must be 0.5 or more"),
        ("shrinkage = -1", "shrinkage must not be negative"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(tmp_path, text, words):
    with pytest.raises(BadInput, match="thresholds") as refused:
        loaded(tmp_path, text)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
