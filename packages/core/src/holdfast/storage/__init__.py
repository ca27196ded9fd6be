"""Where memories are kept: a contract, an index in memory, and backends."""
