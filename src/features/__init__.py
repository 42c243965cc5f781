"""What was known about a group at a cut-off: two stages of Ibis expressions over one catalogue.

Sums over members and activities are exact. Every additive quantity is a whole number, or a
multiple of 2**-20 held in a float64, so that adding in any order, on any number of threads, by any
engine, gives the same bits (see `to_fixed_point`). Batch, single group, the stakeholder game and
permuted input therefore agree to the bit by construction.
"""

from .declare.catalogue import Catalogue, build_catalogue
from .declare.feature import Feature
from .declare.signals import Aggregation
from .declare.terms import Term
from .declare.vocabulary import Vocabulary, find_vocabulary
from .tables.feature_source import FeatureSource, prepare_source
from .tables.feature_table import Snapshot, feature_table, open_snapshot
from .tables.group_features import group_features
from .time_rules.eligible_groups import cutoffs, eligible_groups, end_of_observation

__all__ = [
    "Aggregation",
    "Catalogue",
    "Feature",
    "FeatureSource",
    "Snapshot",
    "Term",
    "Vocabulary",
    "build_catalogue",
    "cutoffs",
    "eligible_groups",
    "end_of_observation",
    "feature_table",
    "find_vocabulary",
    "group_features",
    "open_snapshot",
    "prepare_source",
]
