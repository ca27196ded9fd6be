"""The database: the only truth, and the views that search it."""
