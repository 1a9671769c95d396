-- The phone's database as it is today (version 2). One enrolment, one file. Older ones are brought here by the files in upgrades/.
-- Times are milliseconds since 1970 UTC.

CREATE TABLE enrolment (
    -- The one row of this file: who is enrolled where, and what a round must remember.
    id INTEGER PRIMARY KEY CHECK (id = 1),
    server_url TEXT NOT NULL,
    server BLOB NOT NULL,
    epoch BLOB NOT NULL,
    device BLOB NOT NULL,
    person BLOB NOT NULL,
    person_name TEXT NOT NULL,
    token TEXT NOT NULL,
    seed BLOB NOT NULL,              -- Ed25519
    rescue_key BLOB NOT NULL,        -- the server's X25519 public key
    certificate BLOB NOT NULL,       -- takes this phone back after a restore
    actor BLOB NOT NULL,             -- device id and 8 random bytes, for this install
    n_last INTEGER NOT NULL DEFAULT 0,
    place_last INTEGER NOT NULL DEFAULT 0,   -- counter of local changes, see `changes.place`
    scopes_tag BLOB NOT NULL,
    frame_bytes INTEGER NOT NULL,    -- of the next push frame
    raw_pages INTEGER NOT NULL DEFAULT 0,
    notice_last INTEGER NOT NULL DEFAULT 0,
    synced_at INTEGER,               -- end of the last complete round, by the server's clock
    failures INTEGER NOT NULL DEFAULT 0,     -- failed rounds in a row
    last_error TEXT,                 -- of the last round, if it failed
    relics_due INTEGER NOT NULL DEFAULT 0,   -- frames of another epoch may have to go back
    -- The last contact, for estimating the time: server's clock, monotonic clock, boot, error.
    anchor_server_ms INTEGER,
    anchor_monotonic_ms INTEGER,
    anchor_boot INTEGER,
    anchor_error_ms INTEGER,
    heard INTEGER NOT NULL DEFAULT 0,        -- parts of answers that have been applied, see `enrolment::hear`
    is_mending INTEGER NOT NULL DEFAULT 0    -- what was spoilt here is still to be listed
) STRICT;

CREATE TABLE documents (
    -- What lists show, and where a document stands in syncing. Rewritten with every change of it.
    no INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    number TEXT,                     -- the one shown; null until the server has given it
    stage TEXT NOT NULL,
    rework INTEGER NOT NULL,
    village INTEGER,                 -- null when no register says where
    category TEXT,                   -- scheme-kind-code
    words TEXT NOT NULL,
    conflicts INTEGER NOT NULL,
    fold INTEGER NOT NULL,           -- a newer fold version than this program's: update needed
    changed_at INTEGER NOT NULL,     -- of the latest entry: receipt, else the device's reckoning
    placed INTEGER NOT NULL,         -- changes whose ordinal is known: 0 .. placed - 1
    digest BLOB NOT NULL,            -- what the placed changes add to a scope's digest
    actor BLOB,                      -- a new actor after re-making; else the install's
    confirmed INTEGER NOT NULL DEFAULT 1     -- 0: from an older epoch, not named since
) STRICT;
CREATE INDEX documents_changed ON documents (kind, changed_at);

CREATE TABLE changes (
    -- Every change of every document here, once. Its place is its ordinal while the server's list is known to hold
    -- it there; local changes have places from 2^40 on, in the order in which they were made on this phone.
    document INTEGER NOT NULL REFERENCES documents (no),
    place INTEGER NOT NULL,
    hash BLOB NOT NULL,
    state INTEGER NOT NULL,          -- 0 placed, 1 acknowledged, 2 in the outbox, 3 follows a held change
    received_at INTEGER,             -- by the server; null until a page has told it
    body BLOB NOT NULL,
    PRIMARY KEY (document, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX changes_unsent ON changes (place) WHERE state >= 2;
CREATE INDEX changes_awaited ON changes (document) WHERE state = 1;

CREATE TABLE boxed (
    -- Refused and held changes, until a person has dealt with them. Only what was released goes with its document.
    id INTEGER PRIMARY KEY,
    document BLOB NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    entry BLOB,                      -- null when it cannot be read
    n INTEGER,                       -- its counter; null likewise
    state TEXT NOT NULL,             -- held, released, refused
    code TEXT NOT NULL,              -- why
    body BLOB NOT NULL,
    boxed_at INTEGER NOT NULL,
    dismissed INTEGER NOT NULL DEFAULT 0,
    asked_at INTEGER NOT NULL DEFAULT 0 -- when the server last said what is with it, by this phone's clock
) STRICT;
CREATE INDEX boxed_document ON boxed (document);

CREATE TABLE cursors (
    -- How far this phone has caught up in each of its scopes.
    scope INTEGER PRIMARY KEY,       -- the server's handle
    kind INTEGER NOT NULL,
    id INTEGER NOT NULL,
    position INTEGER NOT NULL,       -- row of the feed: caught up to, or as of
    before INTEGER,                  -- while listing members: down to this row; else null
    digest BLOB NOT NULL,            -- sum over the members here
    generation INTEGER NOT NULL,     -- counts listings; a member not named in the latest is dropped at its end
    mismatches INTEGER NOT NULL DEFAULT 0    -- digests that differed in a row
) STRICT;

CREATE TABLE members (
    -- Which documents are in which scope.
    scope INTEGER NOT NULL REFERENCES cursors (scope) ON DELETE CASCADE,
    document INTEGER NOT NULL REFERENCES documents (no),
    generation INTEGER NOT NULL,
    PRIMARY KEY (scope, document)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_document ON members (document);

-- What no page of this epoch has placed yet.
CREATE INDEX documents_doubted ON documents (no) WHERE confirmed = 0;

CREATE TABLE leaving (
    -- Documents that may be in no scope: what the end of a round looks at, instead of at all documents.
    document INTEGER NOT NULL PRIMARY KEY REFERENCES documents (no) ON DELETE CASCADE
) STRICT;
CREATE TRIGGER document_is_new AFTER INSERT ON documents BEGIN
    INSERT OR IGNORE INTO leaving (document) VALUES (new.no);
END;
CREATE TRIGGER member_is_gone AFTER DELETE ON members BEGIN
    INSERT OR IGNORE INTO leaving (document) VALUES (old.document);
END;

CREATE TABLE frames (
    -- What the server said it had, and when: its tag over each page's list. Pushed back after a restore.
    id INTEGER PRIMARY KEY,
    epoch BLOB NOT NULL,
    tag BLOB NOT NULL,
    list BLOB NOT NULL,              -- per change: document 16, hash 32, received_at 8
    tries INTEGER NOT NULL DEFAULT 0, -- how often it was pushed back in this epoch without an answer for good
    answered INTEGER NOT NULL DEFAULT 0, -- in this epoch: 1 all of it is there, 2 something of it was refused, 3 it was not read
    due_at INTEGER NOT NULL DEFAULT 0 -- not again before, by this phone's clock
) STRICT;
CREATE INDEX frames_waiting ON frames (due_at) WHERE due_at > 0;

CREATE TABLE notices (
    -- What the server told.
    number INTEGER PRIMARY KEY,
    item BLOB NOT NULL,
    seen INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE directory (
    -- Villages, units, people and dated rights, as the server last sent them.
    id INTEGER PRIMARY KEY CHECK (id = 1),
    tag BLOB NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE drafts (
    -- What a person has begun to write and not yet done. Goes in the transaction that records the deed.
    id BLOB NOT NULL PRIMARY KEY,
    document BLOB,                   -- the one that it is about; null: a new one
    form BLOB NOT NULL,              -- the app's, as it is
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE found_drafts (
    -- Drafts that were found in a damaged file: none is taken out of it twice.
    id BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What can be found of each document: single characters and pairs of neighbours, made by core. The row's number is the document's.
CREATE VIRTUAL TABLE search USING fts5 (
    ones, pairs, content = '', contentless_delete = 1, tokenize = 'ascii'
);

CREATE TABLE unindexed (
    -- Documents that came here before there was a search.
    document INTEGER NOT NULL PRIMARY KEY REFERENCES documents (no) ON DELETE CASCADE
) STRICT;

CREATE TABLE bundles (
    -- Rescue bundles of other phones that this one carries or has carried.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,       -- SHA-256 of the file
    device BLOB NOT NULL,            -- whose
    made_at INTEGER NOT NULL,        -- by that device's clock
    taken_at INTEGER NOT NULL,       -- by this one's
    pieces INTEGER NOT NULL,         -- how many were whole
    damaged INTEGER NOT NULL         -- how many were not
) STRICT;

CREATE TABLE pieces (
    -- Pieces of these bundles, until a person gives them up, or the server has had them for a while. Sealed: this phone cannot read them.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bundle INTEGER NOT NULL REFERENCES bundles (id),
    tries INTEGER NOT NULL DEFAULT 0, -- how often the server answered, but not for good; 1 at least once it was handed in
    due_at INTEGER NOT NULL DEFAULT 0, -- not again before, by this phone's clock
    code TEXT,                       -- why the server says that it will never take it; null while it may
    handed_in_at INTEGER,            -- when the server took it, by its clock; null until then
    body BLOB NOT NULL
) STRICT;
CREATE INDEX pieces_bundle ON pieces (bundle);

CREATE TABLE component_villages (
    -- The villages whose components are here.
    village INTEGER PRIMARY KEY,
    tag BLOB NOT NULL                -- names what the server last sent
) STRICT;

CREATE TABLE components (
    -- What stands in these villages: reference data of the server's.
    code INTEGER PRIMARY KEY,        -- 16 or 17 digits
    village INTEGER NOT NULL REFERENCES component_villages (village) ON DELETE CASCADE,
    cell INTEGER NOT NULL,           -- of a grid over the earth, by which the nearest are found
    lon_e7 INTEGER NOT NULL,
    lat_e7 INTEGER NOT NULL,
    row BLOB NOT NULL                -- all of it, as it came
) STRICT;
CREATE INDEX components_cell ON components (cell, lon_e7, lat_e7);
CREATE INDEX components_village ON components (village);
