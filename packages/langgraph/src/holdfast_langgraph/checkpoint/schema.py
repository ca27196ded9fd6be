"""The checkpointer's tables in a Holdfast file.

Channel values lie in blobs. The `manifest` of a checkpoint and the `value` of a row of writes name
them by a number (see `stored`), which the row id of a blob packs with its thread: ``thread << 32 |
number``. So the blobs of a thread lie together and need no index, and two threads share nothing.
"""

from __future__ import annotations

THREAD_BITS = 32

STEPS: tuple[str, ...] = (
    """
-- `salt` goes into every digest of the thread. `epoch` counts garbage collections: a blob id that
-- was read in the same epoch is still valid.
CREATE TABLE langgraph_threads (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    thread_id TEXT NOT NULL UNIQUE,
    salt BLOB NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0
);

-- `body` is the checkpoint without its channel values. A `hidden` checkpoint was pruned, but a
-- later one still needs its writes to rebuild a delta channel: no other read returns it.
CREATE TABLE langgraph_checkpoints (
    id INTEGER PRIMARY KEY,
    thread INTEGER NOT NULL,
    ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    parent_id TEXT,
    run_id TEXT,
    created_at INTEGER NOT NULL,
    hidden INTEGER NOT NULL DEFAULT 0,
    metadata TEXT NOT NULL,
    type TEXT NOT NULL,
    body BLOB NOT NULL,
    manifest BLOB NOT NULL
);

CREATE UNIQUE INDEX langgraph_checkpoints_key
    ON langgraph_checkpoints(thread, ns, checkpoint_id);

CREATE INDEX langgraph_checkpoints_run ON langgraph_checkpoints(run_id) WHERE run_id IS NOT NULL;

-- A row holds all that a task wrote in one call. It may arrive before its checkpoint. Where two
-- rows of a task have a write of the same index, the one in the row of the lower id counts.
CREATE TABLE langgraph_writes (
    id INTEGER PRIMARY KEY,
    thread INTEGER NOT NULL,
    ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    task_path TEXT NOT NULL,
    value BLOB NOT NULL
);

CREATE INDEX langgraph_writes_key ON langgraph_writes(thread, ns, checkpoint_id);

-- The ids that the configs of a thread's puts and writes named, one row a combination; '' for none.
CREATE TABLE langgraph_owners (
    thread INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    PRIMARY KEY (thread, user_id, agent_id, app_id)
) WITHOUT ROWID;

CREATE TABLE langgraph_blobs (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    type TEXT NOT NULL,
    data BLOB NOT NULL
);

-- The key of the digests under an encrypting serializer, encrypted by its cipher; one a cipher.
CREATE TABLE langgraph_keys (type TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID
""",
)
