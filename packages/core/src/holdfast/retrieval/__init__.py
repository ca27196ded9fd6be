"""A question becomes matches: the conductor of search, ranking, a second opinion."""
