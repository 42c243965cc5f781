"""What was known about a group at a cut-off: two stages of Ibis expressions over one catalogue.

Sums over members and activities are exact. Every additive quantity is a whole number, or a
multiple of 2**-20 held in a float64, so that adding in any order, on any number of threads, by any
engine, gives the same bits (see `exact`). Batch, single group, the stakeholder game and permuted
input therefore agree to the bit by construction.
"""

from .declare.catalogue import Catalogue, catalogue
from .declare.feature import Feature
from .declare.signals import Reduce
from .declare.terms import Term
from .declare.vocabulary import Vocabulary, find_vocabulary
from .tables.feature_source import FeatureSource, feature_source
from .tables.feature_table import Moment, feature_table, moment
from .tables.group_features import group_features
from .time_rules.eligible_groups import cutoffs, eligible_groups, end_of_observation

__all__ = [
    "Catalogue",
    "Feature",
    "FeatureSource",
    "Moment",
    "Reduce",
    "Term",
    "Vocabulary",
    "catalogue",
    "cutoffs",
    "eligible_groups",
    "end_of_observation",
    "feature_source",
    "feature_table",
    "find_vocabulary",
    "group_features",
    "moment",
]
