-- From version 1 to version 2. Once that is released it stays as it is.

CREATE INDEX changes_awaited ON changes (document) WHERE state = 1;

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

INSERT INTO unindexed (document) SELECT no FROM documents;

ALTER TABLE enrolment ADD COLUMN heard INTEGER NOT NULL DEFAULT 0;
ALTER TABLE enrolment DROP COLUMN revoked; -- never written
ALTER TABLE enrolment ADD COLUMN is_mending INTEGER NOT NULL DEFAULT 0;
ALTER TABLE frames ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0; -- not again before, by this phone's clock
CREATE INDEX frames_waiting ON frames (due_at) WHERE due_at > 0;
ALTER TABLE boxed ADD COLUMN asked_at INTEGER NOT NULL DEFAULT 0;
