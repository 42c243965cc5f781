"""Who and what moves a group's score: the stakeholder game, what-ifs, themes, words."""
