//! Every bound of the system. Both ends import these; no other file holds a numeric limit.

use super::time::DAY_MS;

/// Bytes of one change, with its chunk header.
pub const CHANGE_BYTES_MAX: usize = 16 * 1024;
/// Operations of one change.
pub const CHANGE_OPS_MAX: usize = 64;
/// Predecessors of all operations of one change.
pub const CHANGE_PREDS_MAX: u64 = 1_024;
/// Dependencies of one change.
pub const CHANGE_DEPS_MAX: usize = 64;
/// Heads of a document beyond which the server merges them by a change of its own.
pub const HEADS_MAX: usize = 8;
/// Actors of one device within one document.
pub const DEVICE_ACTORS_MAX: usize = 8;
/// Changes of one device within one document.
pub const DEVICE_CHANGES_MAX: usize = 1_000;
/// Bytes of the changes of one device within one document.
pub const DEVICE_BYTES_MAX: usize = 256 * 1024;
/// Transition entries of one device within one document that no other entry names.
pub const DEVICE_HEADS_MAX: usize = 8;
/// Bytes of the changes of one document.
pub const DOCUMENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Documents that one device may open in a day.
pub const DEVICE_DOCUMENTS_A_DAY_MAX: u64 = 5_000;
/// Changes of one device that come into boxes within a day.
pub const BOXED_A_DAY_MAX: u64 = 20_000;
/// Bytes of these.
pub const BOXED_BYTES_A_DAY_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of the proofs of push frames that are kept of one device in a day, 32 for each change that its frames name: those of two million.
pub const PROOF_BYTES_A_DAY_MAX: u64 = 64 * 1024 * 1024;
/// Changes of a push frame up to which its proof is small: it is taken without asking how much there is.
pub const PROOF_CHANGES_SMALL: usize = 64;
/// How long after its frame a change may have come, to `check`: older programs asked the clock for the one and then for the other.
pub const BEHIND_FRAME_MS: i64 = 1_000;
/// Highest operation counter within a document.
pub const OP_COUNTER_MAX: u64 = 1 << 30;

/// Bytes of one entry.
pub const ENTRY_BYTES_MAX: usize = 4096;
/// Bytes of one register's value.
pub const REGISTER_BYTES_MAX: usize = 8192;
/// Nesting of a CBOR item within an entry or a register.
pub const CBOR_DEPTH_MAX: usize = 6;
/// Transition heads that one entry names.
pub const ON_MAX: usize = 128;
/// Characters of the words of an entry.
pub const ENTRY_WORDS_MAX: usize = 1_000;
/// Characters of the description of a matter, and of a place in words.
pub const CASE_WORDS_MAX: usize = 2_000;
/// Photos named by one entry.
pub const ENTRY_PHOTOS_MAX: usize = 9;
/// Units named by one dispatch.
pub const ASSIGN_MAX: usize = 8;
/// Bytes of an idempotency key.
pub const KEY_BYTES_MAX: usize = 32;
/// Latest time that an entry may state, in milliseconds since 1970.
pub const TIME_MS_MAX: i64 = 1 << 48;
/// Largest error of a time estimate that an entry may state, in milliseconds.
pub const TIME_ERROR_MS_MAX: u64 = 1 << 40;
/// Bound of the name of a boot.
pub const BOOT_MAX: u64 = 1 << 53;
/// Bound of codes and of the counter `n`.
pub const CODE_MAX: u64 = 1 << 32;
/// Characters of the short words in `status`: the app's version, the last error.
pub const STATUS_WORD_CHARS_MAX: usize = 64;
/// Largest count of one entry of a tally, either way.
pub const COUNT_MAX: i64 = 1_000_000;
/// Bound of the numbers of departments and enterprises.
pub const UNIT_NUMBER_MAX: u64 = 1_000_000;

/// Bytes of a push frame at first.
pub const PUSH_FRAME_BYTES_FIRST: usize = 16 * 1024;
/// Bytes of a push frame at most.
pub const PUSH_FRAME_BYTES_MAX: usize = 128 * 1024;
/// Bytes of a push frame at least: below this, halving stops.
pub const PUSH_FRAME_BYTES_MIN: usize = 2 * 1024;
/// Bytes of a page frame that the server aims at.
pub const PAGE_FRAME_BYTES: usize = 64 * 1024;
/// Changes of one page at which the server begins another.
pub const PAGE_CHANGES: usize = 2_048;
/// Rows of one feed, or members of one scope, that the server looks at for one page.
pub const PAGE_ROWS_MAX: usize = 1_024;
/// Bytes of one frame at most, decompressed: the largest document fits.
pub const FRAME_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Changes of one push frame at most.
pub const PUSH_FRAME_CHANGES_MAX: usize = 4_096;
/// Bytes of the documents that the server loads for one push frame: thousands of usual ones, and eight of the largest.
pub const FRAME_LOADS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of one request at most, decompressed, and as it travels.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Frames of one request at most: half as many again as relics, which are the smallest.
pub const REQUEST_FRAMES_MAX: usize = 1_536;
/// Page frames that a device gives back in one request at most.
pub const REQUEST_RELICS_MAX: usize = 1_024;
/// Bytes of one response at most, decompressed: a bound against a broken server, not a limit of a phone.
pub const RESPONSE_BYTES_MAX: usize = 1 << 30;
/// Bytes of frames that the server makes at a time, before it hands them to the socket.
pub const RESPONSE_PIECE_BYTES: usize = 128 * 1024;
/// What a device pushes in one request before it begins another, in frames of the size of the first: 2 MB where they are large.
pub const REQUEST_FRAMES_AIM: usize = 16;
/// Bytes that a revoked device may still push, in all.
pub const REVOKED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Memory that a zstd decoder may use for its window, as a power of two.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 21;
/// Milliseconds before the end of the server's certificate from which on that is said once a day.
pub const CERTIFICATE_WARNING_MS: i64 = 14 * DAY_MS;
/// Bytes of a backup that are brought to the disk at once: a disk of 100 MB/s takes 10 ms for them.
pub const BACKUP_PIECE: u64 = 1 << 20;
/// Steps of SQLite's in a backup between two looks at how long it has become.
pub const BACKUP_STEPS: i32 = 1_000;
/// Milliseconds without a byte after which a connection counts as stalled.
pub const STALL_MS: u64 = 30_000;
/// Connections that the server holds open at once, with its own files below the 1,024 handles that systems give a program.
pub const CONNECTIONS_MAX: usize = 900;
/// Milliseconds before the server tries again to take in a connection, where it could not.
pub const ACCEPT_PAUSE_MS: u64 = 1_000;
/// Milliseconds within which contacts of a device are noted as one.
pub const CONTACT_NOTE_MS: i64 = 60_000;
/// Entries in its refused box that a device tells of.
pub const KEPT_BACK_MAX: usize = 1_024;
/// Rows of a device's log that one round reads when it looks for losses.
pub const LOG_ROWS: usize = 1_000;
/// Ranges of missing entries that one notice tells.
pub const RESEND_RANGES_MAX: usize = 64;
/// Times that a device pushes one page frame back in vain, in calls that follow each other, before it waits longer each time.
pub const RELIC_TRIES_IN_A_ROW: u32 = 8;
/// Bytes of the changes in one piece of a rescue bundle at which another begins.
pub const PIECE_BYTES: usize = 64 * 1024;
/// Bytes of one such piece at most, opened: some hundred changes of the largest size.
pub const PIECE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of one rescue bundle at most.
pub const BUNDLE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Rescue bundles that people hand in at the same time at most: each is held in memory.
pub const BUNDLES_AT_ONCE: usize = 2;
/// Milliseconds that handing in a file may take in all, before its work begins: one of the largest over a slow line.
pub const UPLOAD_MS_MAX: u64 = 10 * 60 * 1_000;
/// Pieces of one rescue bundle at most.
pub const BUNDLE_PIECES_MAX: usize = 4_096;
/// Milliseconds for which a phone keeps a carried piece that the server has taken: as long as a backup may be gone back to.
pub const PIECE_KEPT_MS: i64 = 30 * DAY_MS;
/// By how much the notices of each device are numbered on when a server goes back whose clock is behind them: more than the lost one can
/// have told. Where its clock is not, that says how far.
pub const NOTICE_LEAP: u64 = 1 << 32;
/// Pieces that a phone hands in with one request at most.
pub const REQUEST_PIECES_MAX: usize = 256;
/// Milliseconds before what has got no answer for good goes to the server again, a carried piece or a page frame; twice as long each time,
/// and a day at most.
pub const RETRY_FIRST_MS: i64 = 60 * 1_000;
/// Milliseconds before the first retry of a failed round, at most.
pub const RETRY_MS_FIRST: u64 = 2_000;
/// Milliseconds before any retry, at most.
pub const RETRY_MS_MAX: u64 = 15 * 60 * 1_000;
/// Pieces of requests' work that the server does at once; the others wait without holding anything.
pub const WORKS_AT_ONCE: usize = 16;
/// Pieces of work of one device that the server does at once: its others wait, and nobody else for them.
pub const DEVICE_WORKS_AT_ONCE: usize = 1;
/// Milliseconds after which a turn of a device ends with the frame that it has begun.
pub const DEVICE_TURN_MS: u64 = 50;
/// Milliseconds of work that a device may have done in a row: thousands of changes. Of more it must rest in between, while others want less.
pub const DEVICE_BURST_MS: u64 = 1_000;
/// How many times as long as the work took a device rests then, the work itself counted.
pub const DEVICE_REST: u32 = 4;
/// Pieces of work that the server does at once for all devices together that have had much of it, while others want less: the other cores
/// are for those.
pub const IMMODEST_WORKS_AT_ONCE: usize = 1;
/// Milliseconds after the last work of a device that wanted less in which others still rest for its sake.
pub const DEVICE_MODEST_MS: u64 = 500;
/// Bytes that all open requests of one device may keep in memory together: the frames that are not whole yet, and what unpacking needs of
/// what came before. One request alone never has as many.
pub const DEVICE_KEPT_BYTES_MAX: usize = 12 * 1024 * 1024;
/// Requests of one device that are open at once. An honest phone has one, and those besides whose cut the server has not noticed yet.
pub const DEVICE_REQUESTS_AT_ONCE: usize = 16;
/// Pieces of requests' work at the server, done or waiting, above which phones are asked to come later.
pub const WORKS_BUSY: usize = 256;
/// Milliseconds after which they come again at the earliest; at the latest after twice as many.
pub const BUSY_RETRY_MS: u64 = 60_000;
/// Writes of the server that share a transaction at most. More would help on a slow disk, and leave processors idle where few clients
/// push: all wait then for the same commit.
pub const WRITES_SHARED_MAX: usize = 4;
/// Pages of the server's write-ahead log after which it is copied: 32 MB. A page that changes often is copied once for many commits.
pub const LOG_PAGES: u32 = 8_192;
/// Pages of that log at which the writer itself copies what is left, so that the log begins anew: 128 MB.
pub const LOG_PAGES_MAX: u32 = 32_768;
/// Times that a write of the server is tried again because a document grew in the meantime.
pub const COMMIT_TRIES: usize = 256;
/// Rounds in a row that one call of `sync` makes at most.
pub const ROUNDS_MAX: usize = 64;

/// Bytes of a draft on a phone.
pub const DRAFT_BYTES_MAX: usize = 64 * 1024;
/// Characters of a document that stand in the index of a phone's search.
pub const SEARCH_TEXT_CHARS_MAX: usize = 16_000;
/// Characters of what a person typed that are looked for.
pub const SEARCH_CHARS_MAX: usize = 40;

/// Days after which a closed case leaves the feeds of its scopes.
pub const CLOSED_FEED_DAYS: i64 = 90;
/// Milliseconds by which the age at which they leave moves on in one go: a clock that jumps takes no more than that out of them.
pub const RETIRE_STEP_MS: i64 = 2 * 24 * 3_600_000;
/// Frames received last whose times a server compares its clock with: enough that one that was set back is noticed, so few that one that
/// was ahead and is right again is soon believed.
pub const RECEIPTS_LOOKED_AT: usize = 1_000;
/// Differences that `check` tells one by one; of the others it tells how many.
pub const CHECK_FINDINGS_MAX: usize = 1_000;
/// Milliseconds by which a clock may be before them: less is how clocks are set right.
pub const CLOCK_BACK_MS: i64 = 600_000;
/// Closed cases that leave their feeds in one transaction.
pub const RETIRE_ROWS: usize = 200;
/// Milliseconds that an enrolment code is good for.
pub const ENROL_CODE_MS: i64 = 24 * 60 * 60 * 1000;
/// Milliseconds that the code is good for with which the first account is made.
pub const SETUP_CODE_MS: i64 = 24 * 60 * 60 * 1000;
/// Characters of a person's name that is not read from a file.
pub const PERSON_NAME_CHARS_MAX: usize = 64;
/// Passwords that are hashed at once: each takes 19 MB and a tenth of a second.
pub const SIGN_INS_AT_ONCE: usize = 2;
/// Sign-ins that are worked on or wait; more are told to come again.
pub const SIGN_INS_WAITING: usize = 32;
/// Wrong passwords for one login, one behind the other, after which further tries wait.
pub const TRIES_FREE_MAX: u32 = 5;
/// Milliseconds that the first of these waits lasts; each further wrong password doubles it.
pub const TRIES_WAIT_MS: i64 = 30_000;
/// Milliseconds of such a wait at most.
pub const TRIES_WAIT_MS_MAX: i64 = 15 * 60 * 1_000;
/// Milliseconds after the last wrong password in which it is forgotten.
pub const TRIES_KEPT_MS: i64 = 60 * 60 * 1_000;
/// Logins of which the server remembers wrong passwords: a megabyte.
pub const TRIES_LOGINS_MAX: usize = 10_000;
/// Milliseconds that a browser session lasts.
pub const SIGN_IN_MS: i64 = 12 * 60 * 60 * 1000;
/// Characters of a password at least.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Bytes of a password at most.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// Characters of the name under which a person signs in.
pub const LOGIN_CHARS_MAX: usize = 64;
/// Bytes of such a name.
pub const LOGIN_BYTES_MAX: usize = 4 * LOGIN_CHARS_MAX;
/// Milliseconds after which a server looks again at what others may have changed: the directory, certificates.
pub const LOOK_AGAIN_MS: u64 = 10_000;
/// Milliseconds that open requests have when the server is told to stop.
pub const STOP_MS: u64 = 10_000;
/// Rows of one page of a list in the API, where nothing else is asked.
pub const LIST_ROWS: usize = 50;
/// Rows of one page of a list in the API, at most.
pub const LIST_ROWS_MAX: usize = 200;
/// Bytes of the id that a request brings for the log.
pub const REQUEST_ID_BYTES_MAX: usize = 64;
/// Bytes of a JSON request.
pub const JSON_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a directory.
pub const DIRECTORY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of one file that is imported and read as a whole, and of one request that uploads.
pub const IMPORT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of one row of a file that is imported.
pub const IMPORT_ROW_BYTES_MAX: usize = 64 * 1024;
/// Characters of a name in the directory at most: as many as GB/T 47678.5 allows the longest of its names.
pub const NAME_CHARS_MAX: usize = 100;
/// Rows of a table of the directory that is imported: some ten times those of a large city.
pub const IMPORT_ROWS_MAX: usize = 50_000;
/// Faults of an import that are listed; all are counted.
pub const IMPORT_FAULTS_SHOWN: usize = 1_000;
/// Rows of a table that a preview lists; all are counted.
pub const IMPORT_ROWS_SHOWN: usize = 200;
/// How often a change of people is tried where another program changes them at the same time.
pub const DIRECTORY_TRIES: usize = 8;
/// Previews that wait to be adopted; the oldest gives way.
pub const IMPORTS_WAITING: usize = 4;
/// Proposals for the register of components that are adopted at a time.
pub const PROPOSALS_AT_ONCE: usize = 50;
/// Milliseconds after which a proposal that nobody has answered is named by a check.
pub const PROPOSAL_WAIT_MS: i64 = 14 * 24 * 60 * 60 * 1_000;
/// Files within a workbook.
pub const WORKBOOK_FILES_MAX: usize = 1_000;
/// Sheets of a workbook.
pub const WORKBOOK_SHEETS_MAX: usize = 64;
/// Bytes of everything within a workbook, unpacked.
pub const WORKBOOK_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Columns of a table in a file.
pub const SHEET_COLUMNS_MAX: usize = 256;
/// Cells of a file that is read as a whole, the empty ones too: 200,000 components in a workbook.
pub const SHEET_CELLS_MAX: usize = 4_000_000;
/// Bytes of a village's components.
pub const COMPONENTS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Components that are imported at a time.
pub const COMPONENTS_MAX: usize = 2_000_000;
/// Components of an import that are written in one transaction: a push waits for a part of a second.
pub const COMPONENTS_A_WRITE: usize = 2_000;
/// Characters of a component's name and of where its data come from, as the city's tables have them.
pub const COMPONENT_NAME_CHARS_MAX: usize = 30;
/// Characters of the word for a component's state, likewise.
pub const COMPONENT_STATE_CHARS_MAX: usize = 10;
/// Characters of the names of its town and village, likewise.
pub const COMPONENT_PLACE_CHARS_MAX: usize = 50;
/// Characters of remarks on it, likewise.
pub const COMPONENT_REMARKS_CHARS_MAX: usize = 1_000;
/// Up to so many 10⁻⁷ degrees, about a metre, two positions of a row are one.
pub const POSITIONS_ONE_E7: i64 = 100;
/// Metres within which two components of a class are perhaps the same one.
pub const COMPONENTS_ONE_M: f64 = 5.0;
/// Metres from its village, as far as that is known, beyond which a component stands there by mistake: islands belong to villages.
pub const COMPONENT_FAR_M: f64 = 50_000.0;
/// Metres beyond which no component is near.
pub const COMPONENTS_NEAR_M: f64 = 5_000.0;
