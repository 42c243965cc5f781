"""Titles to roles: the lexicon, and a text model of this company's own with labels enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .lexicon import ROLES, clean_title, lexicon_role

FEWEST_LABELS = 300
"""Distinct titles with a recorded role, from which on they teach a model of their own."""

FEWEST_OF_A_ROLE = 15


@dataclass(frozen=True)
class TitleModel:
    """How titles become roles.

    Attributes:
        learned_from: how many recorded titles the text model knows; 0 where there is none.
    """

    decided: Mapping[str, str]
    text_model: Any = None
    learned_from: int = 0

    def roles(
        self, titles: Sequence[str], departments: Sequence[str]
    ) -> tuple[list[str], list[float]]:
        """The role of each title and its probability; what people decided is certain."""
        said = [
            lexicon_role(title, department)
            for title, department in zip(titles, departments, strict=True)
        ]
        if self.text_model is not None and titles:
            said = self._learned(titles, departments, said)
        for place, title in enumerate(titles):
            if title in self.decided:
                said[place] = (self.decided[title], 1.0)
        return [role for role, _ in said], [probability for _, probability in said]

    def _learned(
        self, titles: Sequence[str], departments: Sequence[str], said: list[tuple[str, float]]
    ) -> list[tuple[str, float]]:
        texts = _texts(titles, departments, said)
        likely = self.text_model.predict_proba(texts)
        names = list(self.text_model.classes_)
        best = likely.argmax(axis=1)
        return [(names[one], round(float(likely[row, one]), 6)) for row, one in enumerate(best)]


def _texts(
    titles: Sequence[str], departments: Sequence[str], said: Sequence[tuple[str, float]]
) -> list[str]:
    """What the text model reads: the title, the department, and what the lexicon says of both."""
    return [
        f"{clean_title(title)} | {clean_title(department)} | lexicon{role.replace('_', '')}"
        for title, department, (role, _) in zip(titles, departments, said, strict=True)
    ]


def train_titles(recorded: pd.DataFrame, decided: Mapping[str, str]) -> TitleModel:
    """Learn this company's own titles where it has recorded enough roles.

    Args:
        recorded: columns title, department, role, n: what the CRM says of contacts with a title.
        decided: title -> role, by people.
    """
    known = pd.concat(
        [recorded, pd.DataFrame([(title, "", role, 5) for title, role in sorted(decided.items())],
                                columns=["title", "department", "role", "n"])],
        ignore_index=True,
    ) if len(recorded) else recorded  # fmt: skip
    known = known[known.role.isin(ROLES)] if len(known) else known
    if len(known):
        counts = known.groupby("role").title.nunique()
        known = known[known.role.map(counts) >= FEWEST_OF_A_ROLE]
    if known.title.nunique() < FEWEST_LABELS or known.role.nunique() < 2:
        return TitleModel(decided)
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    titles, departments = list(known.title), list(known.department)
    said = [
        lexicon_role(title, department)
        for title, department in zip(titles, departments, strict=True)
    ]
    model = make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), min_df=2, sublinear_tf=True),
        LogisticRegression(C=4.0, max_iter=300, random_state=0),
    )
    model.fit(
        _texts(titles, departments, said),
        known.role,
        logisticregression__sample_weight=_steady_weights(known.n.to_numpy(np.float64)),
    )
    return TitleModel(decided, model, int(known.title.nunique()))


def _steady_weights(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each recorded title and role weighs: doublings, in whole steps.

    A hundred people more or less of tens of thousands leave nearly every weight as it was, and with
    it the model; in exact counts each row would move, and titles near a tie change their role.
    """
    return np.asarray(np.round(np.log2(1.0 + counts)), np.float64)
