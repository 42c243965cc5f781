"""Does the data fit the model: names that its training did not have, columns and kinds gone.

A renamed role fills no place of the template, a renamed kind no family: scores fall to almost
nothing, and no number says why.
"""

from __future__ import annotations

import difflib
import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import ibis.expr.types as ir

from ..contract import BadInput
from ..features.declare.vocabulary import MAX_FAMILIES
from ..features.tables.feature_source import FeatureSource
from ..features.time_rules.eligible_groups import eligible_groups
from ..source.spellings import shortened, spelling_key
from .bundle import Bundle
from .data_profile import DataProfile, data_profile
from .known_names import CATEGORY_COLUMNS

logger = logging.getLogger(__name__)
_MAX_SHOWN = 5
_MAX_KEPT = 50  # unknown names of a column that are kept as values
_MOST = 0.5  # share of unknown names from which scores mean nothing
_TENFOLD = 10
_EXPECTED = 20  # activities, from which a kind is said to have fallen
_FEW = 5  # activities that a kind is taken to have had at least, where it rose
_FILLED = 0.2  # share from which a column that is empty now is gone
_ROLE, _KIND, _SOLUTION = "members.role", "activities.kind", "buying_groups.solution_id"
_ROWS = {_ROLE: "member rows", _KIND: "activities of 90 days", _SOLUTION: "open groups"}
_REQUEST_ROWS = {_ROLE: "member rows", _KIND: "activities", _SOLUTION: "groups"}


@dataclass(frozen=True, slots=True)
class UnknownNames:
    """Names in a column that the model does not know.

    Attributes:
        place: `table.column`.
        rows: rows with a name.
        unknown: of them, rows with an unknown one.
        names: unknown name, its rows and the nearest known name or None; most frequent first.
        more: how many names there are beside those.
        what: the rows, in words.
        absent: of roles, those that the model knows, no row has and no unknown one is near to:
            what may have been renamed.
    """

    place: str
    rows: int
    unknown: int
    names: tuple[tuple[str, int, str | None], ...]
    more: int = 0
    what: str = "rows"
    absent: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Of the rows with a name."""
        return self.unknown / self.rows if self.rows else 0.0

    def sentence(self) -> str:
        """The names in one line."""
        shown = ", ".join(
            f"{shortened(name)!r} ({rows:,}{f', known: {near!r}' if near else ''})"
            for name, rows, near in self.names[:_MAX_SHOWN]
        )
        left = len(self.names[_MAX_SHOWN:]) + self.more
        more = f" and {left:,} more" if left else ""
        table, column = self.place.split(".")
        return (
            f"{table}, {column}: unknown to the model in {self.unknown:,} of {self.rows:,} "
            f"{self.what} ({self.share:.0%}): {shown}{more}{self._gone()}"
        )

    def _gone(self) -> str:
        if not self.absent:
            return ""
        names = ", ".join(map(repr, self.absent[:_MAX_SHOWN]))
        more = " and more" if len(self.absent) > _MAX_SHOWN else ""
        return f"; known and in no row: {names}{more}"


@dataclass(frozen=True, slots=True)
class VolumeChange:
    """A kind that fell or rose tenfold.

    Attributes:
        kind: its name.
        expected: activities in 90 days, had each open group as many as in training.
        found: activities in the 90 days before the cut-off.
    """

    kind: str
    expected: float
    found: int

    @property
    def fell(self) -> bool:
        """There are fewer of it, not more."""
        return self.found < self.expected


@dataclass(frozen=True, slots=True)
class EmptiedColumn:
    """A column that is filled a tenth as often as in training, or not at all.

    Attributes:
        place: `table.column`.
        before: share filled in training; None for a model that kept its values alone.
        now: share filled now.
    """

    place: str
    before: float | None
    now: float

    def sentence(self) -> str:
        """The change in one line."""
        table, column = self.place.split(".")
        now = f"filled in {self.now:.0%} of the rows" if self.now else "empty throughout"
        before = "and the model knows its values"
        if self.before is not None:
            before = f"in training in {self.before:.0%} of them"
        return f"{table}, {column}: {now}, {before}: the column may have gone from the export"


@dataclass(frozen=True, slots=True)
class DataFit:
    """What of the data a model does not know.

    Attributes:
        unknown: names, by column.
        volumes: kinds that fell or rose tenfold.
        emptied: columns that are gone.
        refusal: why scores would mean nothing; None where they mean something.
    """

    unknown: tuple[UnknownNames, ...] = ()
    volumes: tuple[VolumeChange, ...] = ()
    emptied: tuple[EmptiedColumn, ...] = ()
    refusal: str | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each column and change, with counts and the nearest known names."""
        return (
            *(one.sentence() for one in self.unknown),
            *(one.sentence() for one in self.emptied),
            *_volume_sentences(self.volumes),
        )

    def values(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {
            "warnings": list(self.warnings),
            "refusal": self.refusal,
            "unknown": [
                {**asdict(one), "share": one.share, "names": [list(name) for name in one.names]}
                for one in self.unknown
            ],
            "volumes": [asdict(one) for one in self.volumes],
            "emptied": [asdict(one) for one in self.emptied],
        }


def _volume_sentences(volumes: Sequence[VolumeChange]) -> Iterator[str]:
    """One sentence on all kinds that fell, and one on those that rose."""
    for verb, fell, advice in (
        ("a tenth or less", True, "the export may lack them"),
        ("ten times or more", False, "the export may have them twice"),
    ):
        changed = [one for one in volumes if one.fell == fell]
        if not changed:
            continue
        changed.sort(key=lambda one: (-max(one.expected, one.found), one.kind))
        shown = ", ".join(
            f"{shortened(one.kind)!r} ({one.found:,}, expected {one.expected:,.0f})"
            for one in changed[:_MAX_SHOWN]
        )
        left = len(changed[_MAX_SHOWN:])
        more = f" and {left:,} more" if left else ""
        yield (
            f"activities, kind: {verb} of what training had for as many open groups in 90 days: "
            f"{shown}{more}; {advice}"
        )


def data_fit(source: FeatureSource, bundle: Bundle, as_of: datetime) -> DataFit:
    """Compares what is known at a cut-off with what the model was trained on.

    Args:
        source: prepared with the bundle's settings.
        bundle: the model.
        as_of: the cut-off.
    """
    tables = source.contract_tables
    profile = data_profile(tables, bundle.settings, as_of)
    counts = {
        _ROLE: _counts(_members_at(tables["members"], as_of), "role"),
        _KIND: profile.kinds,
        _SOLUTION: _counts(eligible_groups(tables, bundle.settings, as_of), "solution_id"),
        **{
            place: _counts(tables["accounts"], place.split(".")[1])
            for feature, place in CATEGORY_COLUMNS.items()
            if bundle.category_values.get(feature)
        },
    }
    return DataFit(
        tuple(_unknown_names(counts, bundle, _ROWS, _MAX_KEPT)),
        tuple(_volumes(bundle, profile)),
        tuple(_emptied(bundle, profile)),
        _refusal(bundle, counts),
    )


def request_warnings(
    tables: Mapping[str, Mapping[str, Sequence[Any]]], bundle: Bundle
) -> tuple[str, ...]:
    """Sentences on names in the tables of a request that the model does not know.

    What a request leaves out is no news, and a few rows say nothing of volumes.

    Args:
        tables: by name, the columns with the values as they were given.
        bundle: the model.
    """
    places = (_ROLE, _KIND, _SOLUTION, *CATEGORY_COLUMNS.values())
    counts = {}
    note = unmeasured_note(bundle)
    for place in places:
        table, column = place.split(".")
        values = tables.get(table, {}).get(column, ())
        # Counted before they are looked at: many rows have few names.
        found = [
            (value, rows)
            for value, rows in Counter(values).items()
            if isinstance(value, str) and value.strip()
        ]
        counts[place] = dict(sorted(found, key=lambda pair: (-pair[1], pair[0])))
    unknown = (
        replace(one, absent=()).sentence()  # one group seldom has every role
        for one in _unknown_names(counts, bundle, _REQUEST_ROWS, _MAX_SHOWN)
    )
    return (*unknown, *([note] if note else []))


def unmeasured_note(bundle: Bundle) -> str | None:
    """What is to be said of a model that no conversion stands behind; None for others."""
    if bundle.measured:
        return None
    return (
        "the model is the rule score alone, for nothing had converted in its training: the order "
        "of groups means something, the readiness is no measured chance"
    )


def require_fit(fit: DataFit, command: str, *, force: bool = False) -> None:
    """Says what does not fit, and refuses data that a model cannot score.

    Args:
        fit: of `data_fit`.
        command: that asks.
        force: go on all the same.

    Raises:
        BadInput: most roles or kinds are unknown to the model; the sentence on them is said once.
    """
    refused = fit.refusal is not None and not force
    for warning in fit.warnings:
        if not (refused and warning in str(fit.refusal)):
            logger.warning("%s", warning)
    if refused:
        raise BadInput(
            f"{command}: {fit.refusal}; name them as in training, set [source] normalise = true "
            "where only the spelling differs, train again, or give --force"
        )


def _members_at(members: ir.Table, as_of: datetime) -> ir.Table:
    return members.filter(
        members.joined_at < as_of, members.left_at.isnull() | (members.left_at >= as_of)
    )


def _counts(rows: ir.Table, column: str) -> dict[str, int]:
    named = rows.filter(rows[column].notnull())
    counts = named.group_by(name=named[column]).agg(rows=named.count())
    found = counts.to_pyarrow().to_pylist()
    found.sort(key=lambda row: (-row["rows"], row["name"]))
    return {row["name"]: row["rows"] for row in found}


def _known(bundle: Bundle) -> dict[str, Collection[str]]:
    """By `table.column`, the names that the model knows; a column without any is not judged."""
    kinds = {*bundle.settings.kinds, *bundle.vocabulary.families}
    if bundle.profile is not None:
        kinds |= set(bundle.profile.kinds)
    template = bundle.vocabulary.template
    return {
        _ROLE: () if template.has_rest else {role.name for role in template.roles},
        _KIND: kinds,
        _SOLUTION: bundle.category_values.get("solution", ()),
        **{
            place: bundle.category_values.get(feature, ())
            for feature, place in CATEGORY_COLUMNS.items()
        },
    }


def _unknown_names(
    counts: Mapping[str, Mapping[str, int]], bundle: Bundle, rows: Mapping[str, str], kept: int
) -> Iterator[UnknownNames]:
    for place, known in _known(bundle).items():
        what = rows.get(place, place.split(".")[0])
        if known and (one := _unknown_in(place, counts.get(place, {}), known, what, kept)):
            yield one


def _unknown_in(
    place: str, counts: Mapping[str, int], known: Collection[str], what: str, kept: int = _MAX_KEPT
) -> UnknownNames | None:
    names = [name for name in counts if name not in known]
    if not names:
        return None
    # As they are shown: to compare a page that somebody put into a role takes minutes.
    nearest = {name: _nearest(shortened(name), known) for name in names[:kept]}
    absent = set(known) - set(counts) - set(nearest.values())
    return UnknownNames(
        place,
        sum(counts.values()),
        sum(counts[name] for name in names),
        tuple((name, counts[name], near) for name, near in nearest.items()),
        len(names[kept:]),
        what,
        tuple(sorted(absent)) if place == _ROLE else (),
    )


def _nearest(name: str, known: Collection[str]) -> str | None:
    spelt = [other for other in sorted(known) if spelling_key(other) == spelling_key(name)]
    near = spelt or difflib.get_close_matches(name.lower(), sorted(known), n=1)
    return near[0] if near else None


def _emptied(bundle: Bundle, profile: DataProfile) -> Iterator[EmptiedColumn]:
    before: dict[str, float | None] = {
        place: None
        for feature, place in CATEGORY_COLUMNS.items()
        if bundle.category_values.get(feature)
    }
    before.update(bundle.profile.filled if bundle.profile else {})
    for place, share in before.items():
        now = profile.filled.get(place)
        if now is None:
            continue
        gone = now == 0 if share is None else share >= _FILLED and now <= share / _TENFOLD
        if gone:
            yield EmptiedColumn(place, share, now)


def _volumes(bundle: Bundle, profile: DataProfile) -> Iterator[VolumeChange]:
    before = bundle.profile
    if before is None or not before.groups:
        return
    for kind in sorted({*before.kinds, *profile.kinds}):
        expected = before.kinds.get(kind, 0) / before.groups * profile.groups
        found = profile.kinds.get(kind, 0)
        fell = expected >= _EXPECTED and found <= expected / _TENFOLD
        rose = kind in before.kinds and found >= _TENFOLD * max(expected, _FEW)
        if fell or rose:
            yield VolumeChange(kind, expected, found)


def _refusal(bundle: Bundle, counts: Mapping[str, Mapping[str, int]]) -> str | None:
    known = _known(bundle)
    roles = _unknown_in(_ROLE, counts[_ROLE], known[_ROLE], _ROWS[_ROLE])
    kinds = _unknown_in(_KIND, counts[_KIND], known[_KIND], _ROWS[_KIND])
    # Settings may name few of the roles that training had; then none of them must be left.
    most_roles = 1.0 if bundle.settings.roles else _MOST
    if known[_ROLE] and roles and roles.share >= most_roles:
        return f"{_EXPECTED_NAMES}, the roles of most members are unknown to it. {roles.sentence()}"
    # Only this many families are kept: with all places taken, others may have been there as well.
    if bundle.profile is None and len(bundle.vocabulary.families) >= MAX_FAMILIES:
        return None
    if kinds and kinds.share > _MOST:
        return (
            f"{_EXPECTED_NAMES}, the kinds of most activities are unknown to it. {kinds.sentence()}"
        )
    return None


_EXPECTED_NAMES = "expected names that the model knows"
