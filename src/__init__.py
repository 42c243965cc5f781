"""mqbg scores B2B buying groups: the people at one account who decide together on one solution."""
