-- Rowid tables with unique indexes: rows of some KiB keyed by random ids load three times faster than in
-- WITHOUT ROWID tables. Wide columns come last, so that reading the others touches no overflow page.

CREATE TABLE names (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL,
    peer          TEXT    NOT NULL,
    guest_mailbox BLOB    NOT NULL,
    seq           INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    bundle        BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX names_by_name ON names (name);
CREATE UNIQUE INDEX names_by_peer ON names (peer);
CREATE UNIQUE INDEX names_by_guest_mailbox ON names (guest_mailbox);

CREATE TABLE blocked_names (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL,
    former_peer   TEXT    NOT NULL,
    released_at   INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX blocked_names_by_name ON blocked_names (name);

CREATE TABLE invites (
    id         INTEGER PRIMARY KEY,
    code       BLOB    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX invites_by_code ON invites (code);
CREATE INDEX invites_by_expiry ON invites (expires_at);

-- `id` grows in the order of arrival. `peer` is the one the knock was stored for, also after it has changed its
-- guest mailbox.
CREATE TABLE knocks (
    id          INTEGER PRIMARY KEY,
    peer        TEXT    NOT NULL,
    mailbox     BLOB    NOT NULL,
    knock_id    BLOB    NOT NULL,
    received_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    body        BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX knocks_by_knock_id ON knocks (mailbox, knock_id);
CREATE INDEX knocks_by_peer ON knocks (peer);
CREATE INDEX knocks_by_expiry ON knocks (expires_at);

-- What the server keeps for itself.
CREATE TABLE server_values (
    id    INTEGER PRIMARY KEY,
    key   TEXT NOT NULL,
    value BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX server_values_by_key ON server_values (key);
