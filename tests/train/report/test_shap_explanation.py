from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mqbg.model.shap_explanation import explain_with_shap


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_values_and_base_sum_to_the_raw_score(with_signal, share):
    blend = replace(with_signal.bundle.blend, trees_share=share)
    bundle = replace(with_signal.bundle, blend=blend)
    found = explain_with_shap(bundle, with_signal.shap_sample)
    np.testing.assert_allclose(
        found.base_values + found.values.sum(axis=1),
        bundle.log_odds(with_signal.shap_sample),
        atol=1e-9,
    )
    assert np.ptp(found.base_values) < 1e-9


def test_features_have_their_plain_words(with_signal):
    words = explain_with_shap(with_signal.bundle, with_signal.shap_sample).feature_names
    assert words == [feature.describe("en") for feature in with_signal.bundle.catalogue.features]
    japanese = explain_with_shap(with_signal.bundle, with_signal.shap_sample, "ja").feature_names
    assert japanese != words
