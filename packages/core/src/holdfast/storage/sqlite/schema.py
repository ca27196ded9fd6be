"""The tables: one step until a version is released; from then on a step is never edited.

Times are integer microseconds since 1970 in UTC: exact, sortable, and compared without parsing.
A row id packs its namespace: ``namespace << 32 | n``. So the rows of one namespace lie together
in the file, and one range finds them.
"""

from __future__ import annotations

from holdfast.storage.contract.reach import NAMESPACE_BITS

# The rows ``r`` of a namespace ``n``: one range of row ids, found without an index of its own.
ROWS = f"r.id >= n.no << {NAMESPACE_BITS} AND r.id < (n.no + 1) << {NAMESPACE_BITS}"

# The same of records, so that SQLite may take the index of a metadata field (`Memory`'s
# ``indexed``) in place of the range. The plus takes the column's affinity away, which would keep
# it from that.
RECORDS = f"{ROWS} AND r.id >> {NAMESPACE_BITS} = +n.no"

# When a record ``r`` expires: the newest version says so for those before it.
EXPIRY = (
    "iif(r.valid_to IS NULL AND r.retired_at IS NULL, r.expires_at, (SELECT v.expires_at"
    " FROM records v WHERE v.key = r.key ORDER BY v.version DESC LIMIT 1))"
)

# Sums of columns that no digest covers, by table: SQLite keeps them, and `check` adds up again.
STATE = {
    "records": (
        "coalesce(retired_at, 1) % 2147483647 * 3 + coalesce(valid_to, 1) % 2147483647 * 5"
        " + coalesce(closed_at, 1) % 2147483647 * 7"
        " + coalesce(retired_by, 1) % 2147483647 * 11"
        " + coalesce(closed_by, 1) % 2147483647 * 13"
    ),
    "documents": "coalesce(expires_at, 1) % 2147483647",
    "log": (
        "coalesce(before, 1) % 2147483647 * 3 + coalesce(after, 1) % 2147483647 * 5"
        " + at % 2147483647 * 7 + position * 11"
    ),
}

STEPS: tuple[str, ...] = (
    f"""
-- One row a partition. Its `path` tells a scope, or the labels of documents, or both where a scope
-- owns them: parts that the unit separator follows, so that a prefix is a range. `next` numbers its
-- rows; `head` is the position of the last entry of its log.
CREATE TABLE namespaces (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    user_id TEXT,
    agent_id TEXT,
    run_id TEXT,
    app_id TEXT,
    next INTEGER NOT NULL DEFAULT 1,
    head INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX namespaces_user ON namespaces(user_id) WHERE user_id IS NOT NULL;

CREATE INDEX namespaces_agent ON namespaces(agent_id) WHERE agent_id IS NOT NULL;

CREATE INDEX namespaces_run ON namespaces(run_id) WHERE run_id IS NOT NULL;

CREATE INDEX namespaces_app ON namespaces(app_id) WHERE app_id IS NOT NULL;

-- Memories, one row a version. Two times: `recorded_at` to `retired_at` is when this row was what
-- the memory knew; `valid_from` to `valid_to` is when it was true (`closed_at` is the record
-- time at which its end became known). `retired_by` and `closed_by` are the changes that did it,
-- ``namespace << 32 | position`` in the log. `place` orders the turns of a session over versions.
-- `content` is a digest of what never changes, `state` a sum of what does: `damage`, `check`.
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    place INTEGER NOT NULL,
    kind TEXT NOT NULL,
    role TEXT,
    speaker TEXT,
    text TEXT NOT NULL,
    metadata TEXT NOT NULL,
    importance REAL NOT NULL,
    created_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    retired_at INTEGER,
    retired_by INTEGER,
    occurred_at INTEGER NOT NULL,
    valid_from INTEGER,
    valid_to INTEGER,
    closed_at INTEGER,
    closed_by INTEGER,
    expires_at INTEGER,
    message_id TEXT,
    sources TEXT NOT NULL,
    relations TEXT,
    digest TEXT,
    traits INTEGER NOT NULL,
    vectors BLOB NOT NULL,
    passages BLOB NOT NULL,
    terms BLOB NOT NULL,
    content BLOB NOT NULL,
    state INTEGER GENERATED ALWAYS AS ({STATE["records"]}) STORED
);

CREATE INDEX records_key ON records(key, version);

CREATE UNIQUE INDEX records_message ON records(id >> 32, message_id)
    WHERE message_id IS NOT NULL AND version = 1;

CREATE INDEX records_digest ON records(digest) WHERE digest IS NOT NULL;

CREATE INDEX records_summary ON records(id) WHERE kind = 'summary';

CREATE INDEX records_expiry ON records(expires_at) WHERE expires_at IS NOT NULL;

-- Which derived record rests on which source.
CREATE TABLE sources (
    source TEXT NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (source, record)
) WITHOUT ROWID;

CREATE INDEX sources_record ON sources(record);

-- Subject and relation of a single-valued fact: what a newer one supersedes.
CREATE TABLE slots (
    slot TEXT NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (slot, record)
) WITHOUT ROWID;

CREATE INDEX slots_record ON slots(record);

-- A vector of each name that relations state, kept with a fact that states it and gone with it.
CREATE TABLE entities (
    id INTEGER PRIMARY KEY,
    record INTEGER NOT NULL,
    name TEXT NOT NULL,
    settled INTEGER NOT NULL,
    vector BLOB NOT NULL
);

CREATE UNIQUE INDEX entities_record ON entities(record, name);

-- The end that a version had before a change closed it, since when that was known, and by which
-- change.
CREATE TABLE ends (
    record INTEGER NOT NULL,
    closed_by INTEGER NOT NULL,
    had_to INTEGER NOT NULL,
    had_since INTEGER NOT NULL,
    had_by INTEGER,
    PRIMARY KEY (record, closed_by)
) WITHOUT ROWID;

-- Documents: a key in a namespace, a JSON value, several vectors.
CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    lifetime INTEGER,
    texts TEXT NOT NULL,
    passages BLOB NOT NULL,
    vectors BLOB NOT NULL,
    terms BLOB NOT NULL,
    content BLOB NOT NULL,
    state INTEGER GENERATED ALWAYS AS ({STATE["documents"]}) STORED
);

-- One index for a key, in its namespace and in any: every index is one more page a put writes.
CREATE UNIQUE INDEX documents_key ON documents(key, id >> 32);

CREATE INDEX documents_expiry ON documents(expires_at) WHERE expires_at IS NOT NULL;

-- Every write. Views follow it; history is read from it; deleted rows leave their trace.
-- `position` counts the entries of a namespace in the order in which they are committed. `seq`
-- is of this file alone: one writer at a time, so it is in that order, too.
-- `before` and `after` are row ids of versions. The log loses no entry, so the next number is the
-- largest and one: counting them in a table of SQLite's own (AUTOINCREMENT) is a page more.
-- `words` is a sum of reason and sources, `state` one of the numbers; see `check`.
CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL,
    position INTEGER NOT NULL,
    operation TEXT NOT NULL,
    before INTEGER,
    after INTEGER,
    key TEXT,
    at INTEGER NOT NULL,
    reason TEXT,
    sources TEXT,
    words INTEGER,
    state INTEGER GENERATED ALWAYS AS ({STATE["log"]}) STORED
);

-- A sum of words that were taken back would tell of them.
CREATE TRIGGER log_words AFTER UPDATE OF reason, sources ON log
    BEGIN UPDATE log SET words = NULL WHERE seq = new.seq; END;

CREATE UNIQUE INDEX log_namespace ON log(namespace, position);

CREATE INDEX log_sources ON log(namespace) WHERE sources IS NOT NULL;

CREATE INDEX log_key ON log(key) WHERE key IS NOT NULL;

-- Turns that still wait for extraction.
CREATE TABLE queue (
    record INTEGER PRIMARY KEY,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    worker TEXT,
    claimed_until INTEGER,
    parked INTEGER NOT NULL DEFAULT 0,
    error TEXT
);

-- Records that still wait for their vectors; their words are found meanwhile.
CREATE TABLE unembedded (
    record INTEGER PRIMARY KEY,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL DEFAULT 0,
    worker TEXT,
    claimed_until INTEGER,
    parked INTEGER NOT NULL DEFAULT 0,
    error TEXT
);

-- Turns of a namespace since its rolling summary was last written.
CREATE TABLE summaries (
    namespace INTEGER PRIMARY KEY,
    turns INTEGER NOT NULL,
    worker TEXT,
    claimed_until INTEGER
);

-- New vectors of a change of embedder, until all are there and take the old ones' place at once.
CREATE TABLE reembedding (
    id INTEGER PRIMARY KEY,
    vectors BLOB NOT NULL
);

-- What was erased: which and when, and what keeps a resent message away. No digest of its words,
-- from which they could be guessed.
CREATE TABLE erasures (
    key TEXT PRIMARY KEY,
    namespace INTEGER NOT NULL,
    at INTEGER NOT NULL,
    message BLOB
) WITHOUT ROWID;

CREATE INDEX erasures_message ON erasures(namespace, message) WHERE message IS NOT NULL
""",
)
