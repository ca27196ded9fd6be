"""What an owner does with a memory: statistics, export and import, a change of embedder."""
