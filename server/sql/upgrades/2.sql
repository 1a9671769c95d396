-- From version 1 to version 2. Released: it stays as it is.

-- With this the first account is made; it goes when anybody has one.
CREATE TABLE setup_code (
  one           INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- a single row
  code          BLOB    NOT NULL, -- its SHA-256
  until         INTEGER NOT NULL
) STRICT;

-- Which people were last put in force from a file: the same file is not put again, so that what was changed here since stays.
CREATE TABLE people_file (
  one           INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- a single row
  hash          BLOB    NOT NULL  -- SHA-256 of the people as a directory of them alone
) STRICT;

CREATE TABLE last_backup (
  one           INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- a single row
  taken_at      INTEGER NOT NULL
) STRICT;
