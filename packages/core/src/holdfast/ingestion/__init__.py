"""Messages become records: checks, passages, vectors, terms; the conductor of add and update."""
