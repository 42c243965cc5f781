"""The catalogue: signals of members, terms of groups, features by theme, role templates."""
