"""What was known about a group at a cut-off: two stages of Ibis expressions over one catalogue.

Sums over members and activities are exact. Every additive quantity is a whole number, or a
multiple of 2**-20 held in a float64, so that adding in any order, on any number of threads, by any
engine, gives the same bits (see `exact`). Batch, single group, the stakeholder game and permuted
input therefore agree to the bit by construction.
"""

from .catalogue import Catalogue, catalogue
from .feature import Feature
from .groups import group_features
from .prepared import FeatureSource, feature_source
from .signals import Reduce
from .snapshots import cutoffs, eligible_groups, end_of_observation
from .table import Moment, feature_table, moment
from .terms import Term
from .vocabulary import Vocabulary, find_vocabulary

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
