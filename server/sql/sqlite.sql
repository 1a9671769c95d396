-- What the server keeps, in SQLite. This file is always the whole truth about a new database; older ones are brought
-- here by the files in upgrades/. Unsigned numbers of 64 bits that are only compared for
-- equality are stored as the signed number with the same bits. Times are milliseconds since 1970 in UTC.

CREATE TABLE identity (
  one           INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- a single row
  server        BLOB    NOT NULL,
  epoch         BLOB    NOT NULL,
  device        BLOB    NOT NULL, -- the server's own device of this epoch
  actor         BLOB    NOT NULL, -- of its ordinary commits
  number_block  TEXT    NOT NULL, -- marks the case numbers of this epoch
  page_key      BLOB    NOT NULL,
  rescue_key    BLOB    NOT NULL
) STRICT;

CREATE TABLE counters (
  one           INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- a single row
  commit_no     INTEGER NOT NULL, -- the last write that added rows to feeds
  device_no     INTEGER NOT NULL  -- the number of the last device enrolled
) STRICT;

-- A row per document: what lists show of it, and what the feeds need.
CREATE TABLE documents (
  no            INTEGER NOT NULL PRIMARY KEY, -- names it in other tables, which is much shorter than its id
  id            BLOB    NOT NULL UNIQUE,
  len           INTEGER NOT NULL, -- how many changes it has
  digest        BLOB    NOT NULL, -- what it adds to the digest of each feed it is in (16 bytes)
  opened_by     BLOB,             -- device
  kind          TEXT    NOT NULL,
  number        TEXT,             -- the one shown
  numbers       TEXT    NOT NULL, -- all, a JSON array
  stage         TEXT    NOT NULL,
  rework        INTEGER NOT NULL,
  village       INTEGER,          -- the one shown; null when no register says where
  category      TEXT,             -- scheme, kind and code, a JSON array
  words         TEXT    NOT NULL,
  units         TEXT    NOT NULL, -- a JSON array
  reporter      BLOB,             -- person
  conflicts     INTEGER NOT NULL,
  anomalies     INTEGER NOT NULL,
  opened_at     INTEGER NOT NULL,
  changed_at    INTEGER NOT NULL,
  ended_at      INTEGER,          -- null while it is open
  retired       INTEGER NOT NULL DEFAULT 0 -- it has left its feeds by age, and has not joined again
) STRICT;

-- Lists: in the order shown; what they filter by stands in the index, so rows that do not match are not read.
CREATE INDEX documents_changed ON documents (kind, changed_at, id, stage, conflicts);
-- How many documents a device has opened of late. Written once per document.
CREATE INDEX documents_opened ON documents (opened_by, opened_at) WHERE opened_by IS NOT NULL;

-- What may leave its feeds by age.
CREATE INDEX documents_ended ON documents (ended_at) WHERE ended_at IS NOT NULL AND retired = 0;

CREATE TABLE numbers (
  number        TEXT    NOT NULL,
  document      INTEGER NOT NULL REFERENCES documents (no),
  PRIMARY KEY (number, document)
) STRICT, WITHOUT ROWID;

CREATE TABLE changes (
  document      INTEGER NOT NULL REFERENCES documents (no),
  ordinal       INTEGER NOT NULL, -- 0, 1, 2 … in the order of admission
  hash          BLOB    NOT NULL,
  body          BLOB    NOT NULL, -- the uncompressed chunk
  received_at   INTEGER NOT NULL,
  commit_no     INTEGER NOT NULL, -- the write in which it came; 0: one that told no feed
  PRIMARY KEY (document, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE scopes (
  number        INTEGER NOT NULL PRIMARY KEY, -- the handle: 1, 2, 3 …
  kind          INTEGER NOT NULL, -- village, unit, person
  id            INTEGER NOT NULL,
  head          INTEGER NOT NULL, -- the number of the last row of its feed
  digest        BLOB    NOT NULL, -- the sum over the documents in its feed (16 bytes)
  UNIQUE (kind, id)
) STRICT;

CREATE TABLE feed (
  scope         INTEGER NOT NULL REFERENCES scopes (number),
  seq           INTEGER NOT NULL, -- 1, 2, 3 … without a gap
  commit_no     INTEGER NOT NULL, -- shared by the rows of one write
  document      INTEGER NOT NULL REFERENCES documents (no),
  event         INTEGER NOT NULL, -- 0 change, 1 join, 2 leave
  ordinal       INTEGER NOT NULL, -- of the change, or of the last one when joining; 0 when leaving
  PRIMARY KEY (scope, seq)
) STRICT, WITHOUT ROWID;

-- The scopes of each document.
CREATE TABLE members (
  document      INTEGER NOT NULL REFERENCES documents (no),
  scope         INTEGER NOT NULL REFERENCES scopes (number),
  joined        INTEGER NOT NULL, -- the feed's row of joining; 0 when it has left the feed by age
  PRIMARY KEY (document, scope)
) STRICT, WITHOUT ROWID;

-- The members of a feed, by row of joining.
CREATE INDEX members_joined ON members (scope, joined);

-- Changes that were not admitted.
CREATE TABLE boxed (
  no            INTEGER NOT NULL PRIMARY KEY, -- in the order in which they came
  device        BLOB    NOT NULL,
  hash          BLOB    NOT NULL,
  document      BLOB    NOT NULL, -- its id, for it may not exist
  body          BLOB    NOT NULL,
  person        BLOB,             -- the entry's author
  refusal       INTEGER,          -- the reason's number; absent: held for review
  boxed_at      INTEGER NOT NULL,
  settled_by    BLOB,             -- person; the settled_ columns are there all or none
  settled_at    INTEGER,          -- null while it is held
  settled_words TEXT,             -- why
  released      INTEGER,          -- 1 admitted, 0 refused
  UNIQUE (device, hash)
) STRICT;

-- How much one device has put into boxes of late, told by this index alone.
CREATE INDEX boxed_device ON boxed (device, boxed_at, length(body));

CREATE INDEX boxed_held ON boxed (document) WHERE refusal IS NULL AND settled_at IS NULL;

-- The log by which losses are found.
CREATE TABLE fates (
  device        BLOB    NOT NULL,
  n             INTEGER NOT NULL,
  entry         BLOB    NOT NULL,
  fate          TEXT    NOT NULL,
  PRIMARY KEY (device, n, entry)
) STRICT, WITHOUT ROWID;

-- Who pushed a frame, with proof.
CREATE TABLE batches (
  no            INTEGER NOT NULL PRIMARY KEY, -- in the order in which they came
  device        BLOB    NOT NULL,
  first_n       INTEGER NOT NULL,
  last_n        INTEGER NOT NULL,
  leaves        BLOB    NOT NULL, -- 32 bytes each
  signature     BLOB    NOT NULL,
  received_at   INTEGER NOT NULL
) STRICT;

-- How much of one device's proofs has been kept of late, told by this index alone.
CREATE INDEX batches_device ON batches (device, received_at, length(leaves));

CREATE TABLE notices (
  device        BLOB    NOT NULL,
  number        INTEGER NOT NULL, -- 1, 2, 3 … for each device
  notice        BLOB    NOT NULL, -- as it travels
  PRIMARY KEY (device, number)
) STRICT, WITHOUT ROWID;

-- Stays when notices go, so that no number is used again.
CREATE TABLE notice_heads (
  device        BLOB    NOT NULL PRIMARY KEY,
  last          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
  id            BLOB    NOT NULL PRIMARY KEY,
  person        BLOB    NOT NULL,
  public_key    BLOB    NOT NULL,
  token         BLOB    NOT NULL UNIQUE, -- its SHA-256
  enrolled_at   INTEGER NOT NULL,
  revoked_at    INTEGER,          -- null: it is not
  revoked_bytes INTEGER NOT NULL DEFAULT 0,
  revoked_empty INTEGER NOT NULL DEFAULT 0,
  seen_at       INTEGER,          -- the last contact; null: none yet
  n_told        INTEGER NOT NULL DEFAULT 0, -- up to here it has been told which n are missing
  -- What it last told; absent: never told.
  free_bytes      INTEGER, -- of the disk
  version         TEXT,    -- of the app
  clock_offset_ms INTEGER, -- of the wall clock against the server's
  outbox          INTEGER, -- changes without a fate
  outbox_age_ms   INTEGER, -- of the oldest of them
  kept_back       TEXT,    -- the n in the refused box, a JSON array
  photo_bytes_due INTEGER, -- of photos not yet sent
  last_error      TEXT     -- its code
) STRICT;

CREATE TABLE enrol_codes (
  code          BLOB    NOT NULL PRIMARY KEY, -- its SHA-256; the row goes when it is used
  person        BLOB    NOT NULL,
  until         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE directories (
  no            INTEGER NOT NULL PRIMARY KEY, -- the highest is in force
  bytes         BLOB    NOT NULL,
  kept_at       INTEGER NOT NULL,
  by_leave      INTEGER,          -- 1: a leave made it of the one before, 0: something else; null in versions older than this column
  said          BLOB,             -- what files say of people, as a directory of people alone; null as by_leave: the people in `bytes`
  leaves        TEXT              -- all leaves up to it, as JSON, which with `said` give the people in `bytes`; null as by_leave: none
) STRICT;

CREATE TABLE accounts (
  person        BLOB    NOT NULL PRIMARY KEY,
  login         TEXT    NOT NULL UNIQUE,
  password_hash TEXT    NOT NULL -- Argon2id, in PHC form
) STRICT;

CREATE TABLE sessions (
  token         BLOB    NOT NULL PRIMARY KEY, -- its SHA-256
  person        BLOB    NOT NULL,
  until         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- With this the first account is made; it goes when anybody has one.
CREATE TABLE setup_code (
  one           INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- a single row
  code          BLOB    NOT NULL, -- its SHA-256
  until         INTEGER NOT NULL
) STRICT;

-- What was last put in force from a folder of files, by hashes: what is unchanged is not put again, so that what was changed since stays.
CREATE TABLE folder (
  one           INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- a single row
  places        BLOB    NOT NULL, -- everything but people
  people        BLOB              -- null where the folder had none
) STRICT;

CREATE TABLE last_backup (
  one           INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- a single row
  taken_at      INTEGER NOT NULL
) STRICT;

-- How far cases that ended have left the feeds by age. It moves on by small steps, so that a clock that is years ahead takes little away.
CREATE TABLE retiring (
  one           INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- a single row
  up_to         INTEGER NOT NULL
) STRICT;

-- The components that stand in the city and those that stood there. A row counts from the import that brought it until the one that replaced it;
-- what an import brings or replaces that is not among component_imports yet is being prepared, and does not count.
CREATE TABLE components (
  code          INTEGER NOT NULL, -- 16 or 17 digits
  since         INTEGER NOT NULL, -- import
  until         INTEGER,          -- import
  village       INTEGER NOT NULL,
  cell          INTEGER NOT NULL, -- of a grid over the earth, by which the nearest are found
  lon_e7        INTEGER NOT NULL,
  lat_e7        INTEGER NOT NULL,
  row           BLOB    NOT NULL, -- all of it, as it travels
  PRIMARY KEY (code, since)
) STRICT, WITHOUT ROWID;

CREATE INDEX components_cell ON components (cell, lon_e7, lat_e7, until);
CREATE INDEX components_village ON components (village, until);
-- What an import replaced.
CREATE INDEX components_until ON components (until, code) WHERE until IS NOT NULL;

-- What each village has, in short, so that a phone fetches only what has changed.
CREATE TABLE component_villages (
  village       INTEGER NOT NULL PRIMARY KEY,
  tag           BLOB    NOT NULL
) STRICT;

CREATE TABLE component_imports (
  no            INTEGER NOT NULL PRIMARY KEY, -- the highest is the last
  kept_at       INTEGER NOT NULL,
  added         INTEGER NOT NULL,
  changed       INTEGER NOT NULL,
  removed       INTEGER NOT NULL,
  unchanged     INTEGER NOT NULL
) STRICT;

-- The import that is being prepared. Where another has begun since, an earlier one writes no more.
CREATE TABLE component_preparing (
  one           INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- a single row
  turn          INTEGER NOT NULL, -- 1, 2, 3 …
  is_open       INTEGER NOT NULL  -- it has not ended: what it has prepared is there
) STRICT;

-- Browsers that serve as the terminals of village halls.
CREATE TABLE terminals (
  village       INTEGER NOT NULL PRIMARY KEY,
  registered_at INTEGER NOT NULL,
  registered_by BLOB    NOT NULL  -- person
) STRICT;

PRAGMA application_id = 0x58434e31; -- XCN1
PRAGMA user_version = 2;
