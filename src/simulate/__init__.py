"""A world of buying groups whose truth is known.

`simulate` writes the contract's tables as a company would have them, and beside them, in
OUT/truth, what no company has: every group's true weekly hazard of conversion, the exact Shapley
values of its members in the true log-odds, and every parameter behind them
(`parameters.TrueParameters` states the formula). The truth depends only on what the tables show.

The tables hold the traps of real data. A good pipeline falls into none of them:

- **Activities after converting**: `contract_portal_login` is done only by members of groups that
  have converted, and only afterwards.
- **Outbound and machine-opened mail**: `email_sent` and `call_made` happen whatever a group
  wants, and some mail gateways open every mail seconds after it was sent. `email_open` has no
  true strength at all.
- **Late records**: about 5 % of the activities have a `recorded_at` days to weeks after
  `occurred_at`; elsewhere it is equal or empty. The truth follows what occurred.
- **The same activity twice**: about 1 % of the `activity_id` appear twice, the second time with a
  later `recorded_at`.
- **Activities for another solution**: their `solution_id` is not the group's, so that they count
  for this group not at all, though perhaps for another of the same contact.
- **Activities without a person**: meetings and calls logged on the group. They count for no
  member and move the true log-odds not at all.

Beside these: contacts in two groups, members from another account, people who act before they
join and after they leave, role changes, contacts in no group, groups lost and reopened.
"""

from .world import simulate

__all__ = ["simulate"]
