//! The files that are imported: of which kind each is, which table it holds, and its rows.
//!
//! The kind is told by the first bytes, the table by the name of the file or of a workbook's sheet.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Cursor, Read as _};
use std::path::PathBuf;
use std::sync::Arc;

use patrol_core::domain::limits;

use crate::directory::Table;
use crate::sheet::{self, Faults, ImportFault, Reason, Rows};

/// A file that is imported.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its name, without folders.
    pub name: String,
    /// What stands in it.
    pub content: Content,
}

/// Where the bytes of a file are.
#[derive(Clone, Debug)]
pub enum Content {
    /// In memory.
    Bytes(Arc<[u8]>),
    /// On the disk, from which they are read as often as need be.
    File(PathBuf),
}

/// What a table is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Of {
    Directory(Table),
    Components,
}

/// One table of a file.
pub(super) struct Part {
    pub(super) of: Of,
    pub(super) file: Arc<str>,
    pub(super) rows: Rows,
    /// Outlines, of which only points are kept.
    pub(super) has_outlines: bool,
}

/// What files and sheets are called that hold a table.
const NAMES: &[(&str, Of)] = &[
    ("districts", Of::Directory(Table::Districts)),
    ("区", Of::Directory(Table::Districts)),
    ("县区", Of::Directory(Table::Districts)),
    ("towns", Of::Directory(Table::Towns)),
    ("镇街", Of::Directory(Table::Towns)),
    ("villages", Of::Directory(Table::Villages)),
    ("村", Of::Directory(Table::Villages)),
    ("行政村", Of::Directory(Table::Villages)),
    ("beats", Of::Directory(Table::Beats)),
    ("网格", Of::Directory(Table::Beats)),
    ("责任网格", Of::Directory(Table::Beats)),
    ("units", Of::Directory(Table::Units)),
    ("单位", Of::Directory(Table::Units)),
    ("责任单位", Of::Directory(Table::Units)),
    ("people", Of::Directory(Table::People)),
    ("人员", Of::Directory(Table::People)),
    ("categories", Of::Directory(Table::Categories)),
    ("类别", Of::Directory(Table::Categories)),
    ("components", Of::Components),
    ("部件", Of::Components),
    ("管理部件", Of::Components),
];

/// The table that a name says: one of its words, as in `人员_2026-11`.
fn named(name: &str) -> Option<Of> {
    let mut words = name.split(|char: char| !char.is_alphanumeric());
    words.find_map(|word| {
        let mut known = NAMES.iter();
        let found = known.find(|(known, _)| *known == word.to_lowercase());
        found.map(|(_, of)| *of)
    })
}

/// Whether a file's name says a table, whatever its ending.
pub fn is_named(name: &str) -> bool {
    named(stem(name)).is_some()
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Whether programs leave such a file beside a table, under a name like the table's: it is none.
pub fn is_left_behind(name: &str) -> bool {
    name.starts_with("~$") || name.starts_with('.')
}

impl Content {
    fn open(&self) -> std::io::Result<Box<dyn BufRead>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
            Self::File(path) => Box::new(BufReader::new(std::fs::File::open(path)?)),
        })
    }

    /// All of it, where it is not too much to be read as a whole.
    fn whole(&self) -> Result<Cow<'_, [u8]>, Reason> {
        let unreadable = |error: std::io::Error| Reason::Unreadable(error.kind());
        if let Self::Bytes(bytes) = self
            && bytes.len() <= limits::IMPORT_BYTES_MAX
        {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut bytes = Vec::new();
        let most = limits::IMPORT_BYTES_MAX as u64 + 1;
        let mut source = self.open().map_err(unreadable)?.take(most);
        source.read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() > limits::IMPORT_BYTES_MAX {
            return Err(Reason::TooLarge);
        }
        Ok(Cow::Owned(bytes))
    }

    /// The first bytes, by which the kind of file is known.
    fn head(&self) -> Result<Vec<u8>, Reason> {
        let unreadable = |error: std::io::Error| Reason::Unreadable(error.kind());
        let mut head = Vec::new();
        let mut source = self.open().map_err(unreadable)?.take(16);
        source.read_to_end(&mut head).map_err(unreadable)?;
        Ok(head)
    }
}

/// The tables of a file.
pub(super) fn parts(upload: &Upload, faults: &mut Faults) -> Vec<Part> {
    let file: Arc<str> = upload.name.as_str().into();
    match split(upload, &file) {
        Ok(parts) => parts
            .into_iter()
            .filter_map(|part| part.map_err(|fault| faults.push(fault)).ok())
            .collect(),
        Err(fault) => {
            faults.push(fault);
            Vec::new()
        }
    }
}

fn split(upload: &Upload, file: &Arc<str>) -> Result<Vec<Result<Part, ImportFault>>, ImportFault> {
    let of_file = |reason| ImportFault::of_file(file, reason);
    if is_left_behind(&upload.name) {
        return Err(of_file(Reason::NotATable));
    }
    let by_name = named(stem(&upload.name)).ok_or_else(|| of_file(Reason::UnknownTable));
    let head = upload.content.head().map_err(of_file)?;
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    // An archive, or an older workbook, which the reader of archives refuses.
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"\xd0\xcf\x11\xe0") {
        let bytes = upload.content.whole().map_err(of_file)?;
        return workbook(file, &bytes, by_name);
    }
    let of = by_name?;
    if text.trim_ascii_start().starts_with(b"{") {
        let bytes = upload.content.whole().map_err(of_file)?;
        let (rows, has_outlines) = sheet::geojson::rows(file, &bytes)?;
        let file = sheet::geojson::place(file);
        return Ok(vec![Ok(Part {
            of,
            file,
            rows,
            has_outlines,
        })]);
    }
    if of != Of::Components {
        // Everything but components is held in memory.
        upload.content.whole().map_err(of_file)?;
    }
    let rows = sheet::csv::rows(file, &|| upload.content.open())?;
    let file = Arc::clone(file);
    Ok(vec![Ok(Part {
        of,
        file,
        rows,
        has_outlines: false,
    })])
}

/// The tables of a workbook, a sheet each. A single sheet may leave it to the file to say which.
fn workbook(
    file: &Arc<str>,
    bytes: &[u8],
    by_name: Result<Of, ImportFault>,
) -> Result<Vec<Result<Part, ImportFault>>, ImportFault> {
    let sheets = sheet::xlsx::sheets(file, bytes)?;
    let is_seen = |sheet: &&sheet::xlsx::Named| sheet.rows.is_some() && !sheet.is_hidden;
    let filled = sheets.iter().filter(is_seen).count();
    let is_single = filled <= 1;
    let has_rows = sheets.iter().any(|sheet| sheet.rows.is_some());
    // An empty sheet says something where it is called like a table, or where no other says anything.
    let is_said = has_rows || sheets.iter().any(|sheet| named(&sheet.name).is_some());
    let meant = (0..).zip(sheets).filter(|(at, sheet)| {
        sheet.rows.is_some() || named(&sheet.name).is_some() || (!is_said && *at == 0)
    });
    Ok(meant
        .map(|(_, sheet)| {
            let rows = sheet.rows.unwrap_or_else(|| Box::new(std::iter::empty()));
            let place = sheet::xlsx::place(file, &sheet.name);
            // What nobody sees, nobody has looked at; it might end everybody.
            if sheet.is_hidden {
                return Err(ImportFault::of_file(&place, Reason::HiddenSheet));
            }
            let unknown = ImportFault::of_file(&place, Reason::UnknownTable);
            let of = match named(&sheet.name) {
                Some(of) => Ok(of),
                None if is_single => by_name.clone(),
                None => Err(unknown),
            };
            of.map(|of| Part {
                of,
                file: place,
                rows,
                has_outlines: false,
            })
        })
        .collect())
}
