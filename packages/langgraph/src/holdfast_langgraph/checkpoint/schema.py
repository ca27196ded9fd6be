"""The saver's tables, on the core's file. A released step is never edited.

Everything a thread has said lies in blobs, once: the few that a put brings lie in the checkpoint's
own row, the others in `langgraph_blobs`. A checkpoint's `manifest` and a write's `value` name blobs
by number (see `encoding` and `forms`); numbers never leave their thread, so deleting a thread
deletes its blobs, and two threads share nothing.
"""

from __future__ import annotations

NAME = "langgraph"

STEPS: tuple[str, ...] = (
    """
-- `salt` goes into every digest of the thread. `epoch` counts the sweeps: a blob number read
-- in the same epoch is still good.
CREATE TABLE langgraph_threads (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    thread_id TEXT NOT NULL UNIQUE,
    salt BLOB NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0
);

-- `body` is the checkpoint without its channel values. A `buried` checkpoint was pruned, but a
-- later one still needs its writes to rebuild a delta channel: nobody sees it.
CREATE TABLE langgraph_checkpoints (
    id INTEGER PRIMARY KEY,
    thread INTEGER NOT NULL,
    ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    parent_id TEXT,
    run_id TEXT,
    created_at INTEGER NOT NULL,
    buried INTEGER NOT NULL DEFAULT 0,
    metadata TEXT NOT NULL,
    type TEXT NOT NULL,
    body BLOB NOT NULL,
    manifest BLOB NOT NULL
);

CREATE UNIQUE INDEX langgraph_checkpoints_key
    ON langgraph_checkpoints(thread, ns, checkpoint_id);

CREATE INDEX langgraph_checkpoints_run ON langgraph_checkpoints(run_id) WHERE run_id IS NOT NULL;

-- Writes may arrive before the checkpoint they belong to.
CREATE TABLE langgraph_writes (
    thread INTEGER NOT NULL,
    ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    idx INTEGER NOT NULL,
    task_path TEXT NOT NULL,
    channel TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (thread, ns, checkpoint_id, task_id, idx)
) WITHOUT ROWID;

CREATE TABLE langgraph_blobs (
    id INTEGER PRIMARY KEY,
    thread INTEGER NOT NULL,
    digest BLOB NOT NULL,
    type TEXT NOT NULL,
    data BLOB NOT NULL
);

CREATE UNIQUE INDEX langgraph_blobs_digest ON langgraph_blobs(thread, digest);

-- The digests' key under an encrypting serializer, itself encrypted by it; one a cipher.
CREATE TABLE langgraph_keys (type TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID
""",
    """
-- `carried`: the blobs a put brings. `filed`: whether the index knows the row (see `filing`).
ALTER TABLE langgraph_checkpoints ADD COLUMN carried BLOB;

ALTER TABLE langgraph_checkpoints ADD COLUMN filed INTEGER NOT NULL DEFAULT 1;

DROP INDEX langgraph_checkpoints_key;

CREATE UNIQUE INDEX langgraph_checkpoints_key
    ON langgraph_checkpoints(thread, ns, checkpoint_id) WHERE filed = 1;

CREATE VIEW langgraph_all AS
    SELECT * FROM langgraph_checkpoints WHERE filed = 1
    UNION ALL
    SELECT * FROM langgraph_checkpoints NOT INDEXED WHERE filed = 0 AND id > ifnull((
        SELECT id FROM langgraph_checkpoints NOT INDEXED WHERE filed = 1 ORDER BY id DESC LIMIT 1
    ), 0)
""",
    """
-- A row is all that a task wrote in one call: a bundle, of channel '' (see `packing`); each row
-- from before is one write. They lie in the order in which they came, which is what counts where
-- two have one index; the index of the table learns of some at a time (see `filing`).
CREATE TABLE langgraph_tasks (
    id INTEGER PRIMARY KEY,
    filed INTEGER NOT NULL DEFAULT 0,
    thread INTEGER NOT NULL,
    ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    task_path TEXT NOT NULL,
    idx INTEGER NOT NULL DEFAULT 0,
    channel TEXT NOT NULL DEFAULT '',
    value BLOB NOT NULL
);

INSERT INTO langgraph_tasks(
    filed, thread, ns, checkpoint_id, task_id, task_path, idx, channel, value
)
    SELECT 1, thread, ns, checkpoint_id, task_id, task_path, idx, channel, value
    FROM langgraph_writes ORDER BY thread, ns, checkpoint_id, task_id, idx;

DROP TABLE langgraph_writes;

CREATE INDEX langgraph_tasks_key ON langgraph_tasks(thread, ns, checkpoint_id) WHERE filed = 1;

CREATE VIEW langgraph_pending AS
    SELECT * FROM langgraph_tasks WHERE filed = 1
    UNION ALL
    SELECT * FROM langgraph_tasks NOT INDEXED WHERE filed = 0 AND id > ifnull((
        SELECT id FROM langgraph_tasks NOT INDEXED WHERE filed = 1 ORDER BY id DESC LIMIT 1
    ), 0)
""",
)
