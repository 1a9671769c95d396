-- From version 1 to version 2. Once version 2 is released, it stays as it is.

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

-- What followed a released change and was refused had been noted as released.
UPDATE boxed SET released = 0 WHERE released = 1 AND refusal IS NOT NULL;

-- How much one device has put into boxes of late, told by this index alone.
DROP INDEX boxed_device;
CREATE INDEX boxed_device ON boxed (device, boxed_at, length(body));

-- How much of one device's proofs has been kept of late, told by this index alone.
DROP INDEX batches_device;
CREATE INDEX batches_device ON batches (device, received_at, length(leaves));

-- Whether a leave made a version of the one before, and from what it follows which people are in a version: what files say, and all leaves.
ALTER TABLE directories ADD COLUMN by_leave INTEGER;
ALTER TABLE directories ADD COLUMN said BLOB;
ALTER TABLE directories ADD COLUMN leaves TEXT;
