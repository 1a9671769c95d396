//! What the reader of workbooks does not tell: in which part each sheet stands, which cells are merged, and which formulas have no result.
//!
//! Where a cell stands twice, out of order or outside of any sheet, it is no workbook. It reads no values. Cells are named by their order, which is the same for the reader of values.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read as _};

use patrol_core::domain::limits;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::Reason;

/// How text begins that is written as it is.
const RAW_TEXT: &[u8] = b"<![CDATA[";

/// The last row and the last column that a sheet of Excel's has.
const LAST: (u32, u32) = (1_048_576, 16_384);

pub(super) type Archive<'b> = ZipArchive<Cursor<&'b [u8]>>;

/// What is odd about a sheet.
#[derive(Default)]
pub(super) struct Odd {
    /// Cells with a formula and no result, or with text that is not read, counted from 0 in the order of the file.
    pub(super) without_value: BTreeSet<usize>,
    /// Cells with a number that is a day, which the reader of values does not know, counted alike.
    pub(super) days: BTreeSet<usize>,
    /// Whether days are counted from 1904 on.
    pub(super) is_1904: bool,
    /// Merged cells as `B2:B5`, with the row of the first; as many as are shown.
    pub(super) merged: Vec<(usize, String)>,
}

/// The parts of a workbook.
pub(super) struct Parts<'b> {
    archive: Archive<'b>,
    /// Where each sheet of cells stands.
    paths: BTreeMap<String, String>,
    /// The styles of days in Chinese that Excel knows by their numbers alone.
    day_styles: BTreeSet<usize>,
    is_1904: bool,
    /// How many texts the cells share.
    shared: usize,
}

fn broken<E>(_: E) -> Reason {
    Reason::NotAWorkbook
}

impl<'b> Parts<'b> {
    /// Finds the sheets; no two of them are one part, which would be read again and again.
    pub(super) fn new(mut archive: Archive<'b>) -> Result<Self, Reason> {
        let mut targets = BTreeMap::new();
        let links = part(&mut archive, "xl/_rels/workbook.xml.rels")?;
        each(&links, b"Relationship", |link| {
            let kind = optional(link, b"Type")?;
            let is_of_cells = kind.is_none_or(|kind| kind.ends_with("/worksheet"));
            let target = (attribute(link, b"Target")?, is_of_cells);
            targets.insert(attribute(link, b"Id")?, target);
            Ok(())
        })?;
        let (mut paths, mut used) = (BTreeMap::new(), BTreeSet::new());
        let book = part(&mut archive, "xl/workbook.xml")?;
        each(&book, b"sheet", |sheet| {
            let id =
                attribute(sheet, b"r:id").or_else(|_| attribute(sheet, b"relationships:id"))?;
            let (target, is_of_cells) = targets.get(&id).ok_or(Reason::NotAWorkbook)?;
            // A sheet that is a chart has none.
            if !is_of_cells {
                return Ok(());
            }
            let path = target.strip_prefix('/').unwrap_or(target);
            let path = path.strip_prefix("xl/").unwrap_or(path);
            let is_new = used.insert(path.to_ascii_lowercase());
            let name = attribute(sheet, b"name")?;
            if paths.insert(name, format!("xl/{path}")).is_some() || !is_new {
                return Err(Reason::NotAWorkbook);
            }
            if paths.len() > limits::WORKBOOK_SHEETS_MAX {
                return Err(Reason::TooLarge);
            }
            Ok(())
        })?;
        // Charts alone say nothing.
        if paths.is_empty() {
            return Err(Reason::NotAWorkbook);
        }
        let shared = if archive.index_for_name("xl/sharedStrings.xml").is_some() {
            let (mut count, texts) = (0, part(&mut archive, "xl/sharedStrings.xml")?);
            if has_raw_text(&texts) {
                return Err(Reason::NotAWorkbook);
            }
            each(&texts, b"si", |_| {
                count += 1;
                Ok(())
            })?;
            count
        } else {
            0
        };
        let mut is_1904 = false;
        each(&book, b"workbookPr", |about| {
            let said = optional(about, b"date1904")?;
            is_1904 = said.is_some_and(|said| said == "1" || said == "true");
            Ok(())
        })?;
        let day_styles = match archive.index_for_name("xl/styles.xml") {
            Some(_) => day_styles(&part(&mut archive, "xl/styles.xml")?)?,
            None => BTreeSet::new(),
        };
        Ok(Self {
            archive,
            paths,
            day_styles,
            is_1904,
            shared,
        })
    }

    /// Looks through a sheet; none where it is not one of cells.
    pub(super) fn odd(&mut self, sheet: &str) -> Result<Option<Odd>, Reason> {
        let Some(path) = self.paths.get(sheet) else {
            return Ok(None);
        };
        let bytes = part(&mut self.archive, path)?;
        let (mut odd, mut cells) = (Odd::default(), 0);
        odd.is_1904 = self.is_1904;
        let (mut xml, mut at) = (reader(&bytes), At::default());
        loop {
            match xml.read_event().map_err(broken)? {
                Event::Start(start) if start.local_name().as_ref() == b"dimension" => {
                    is_range(&attribute(&start, b"ref")?)?;
                }
                Event::Start(start) if start.local_name().as_ref() == b"sheetData" => {
                    at.is_inside = true;
                }
                Event::End(end) if end.local_name().as_ref() == b"sheetData" => {
                    at.is_inside = false;
                }
                Event::Start(start) if start.local_name().as_ref() == b"row" => at.row(&start)?,
                Event::Start(start) if start.local_name().as_ref() == b"c" => {
                    at.cell(&start)?;
                    let style = optional(&start, b"s")?;
                    let style = style.and_then(|style| style.parse().ok());
                    if style.is_some_and(|style| self.day_styles.contains(&style)) {
                        odd.days.insert(cells);
                    }
                    if !has_value(&mut xml, &start, self.shared)? {
                        odd.without_value.insert(cells);
                    }
                    cells += 1;
                }
                Event::Start(start) if start.local_name().as_ref() == b"mergeCell" => {
                    let cells = attribute(&start, b"ref")?;
                    let row = cells.split(':').next().unwrap_or_default();
                    let row = row.trim_start_matches(|char: char| !char.is_ascii_digit());
                    let row = row.parse().map_err(broken)?;
                    if odd.merged.len() < limits::IMPORT_FAULTS_SHOWN {
                        odd.merged.push((row, cells));
                    }
                }
                Event::Eof => return Ok(Some(odd)),
                _ => {}
            }
        }
    }
}

/// The styles whose format is one of Excel's own for days and times in Chinese: 2026年1月31日 and the like. A workbook need not write them
/// down, and does not where Excel made it.
fn day_styles(styles: &[u8]) -> Result<BTreeSet<usize>, Reason> {
    let mut written = BTreeSet::new();
    // Others are of what changes with a cell's value, under numbers of their own.
    let (mut xml, mut is_inside) = (reader(styles), false);
    loop {
        match xml.read_event().map_err(broken)? {
            Event::Start(start) if start.local_name().as_ref() == b"numFmts" => is_inside = true,
            Event::End(end) if end.local_name().as_ref() == b"numFmts" => break,
            Event::Start(start) if is_inside && start.local_name().as_ref() == b"numFmt" => {
                written.extend(optional(&start, b"numFmtId")?);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let is_of_day = |format: &str| {
        let number = format.parse::<u8>();
        number.is_ok_and(|number| matches!(number, 27..=36 | 50..=58)) && !written.contains(format)
    };
    let (mut days, mut number) = (BTreeSet::new(), 0);
    let (mut xml, mut is_inside) = (reader(styles), false);
    loop {
        match xml.read_event().map_err(broken)? {
            Event::Start(start) if start.local_name().as_ref() == b"cellXfs" => is_inside = true,
            Event::End(end) if end.local_name().as_ref() == b"cellXfs" => return Ok(days),
            Event::Start(start) if is_inside && start.local_name().as_ref() == b"xf" => {
                let format = optional(&start, b"numFmtId")?;
                if format.is_some_and(|format| is_of_day(&format)) {
                    days.insert(number);
                }
                number += 1;
            }
            Event::Eof => return Ok(days),
            _ => {}
        }
    }
}

/// Where the cell stands that is looked at, counted from 1.
#[derive(Default)]
struct At {
    is_inside: bool,
    row: u32,
    column: u32,
}

impl At {
    /// Goes to a row, which stands behind the one before.
    fn row(&mut self, row: &BytesStart<'_>) -> Result<(), Reason> {
        if !self.is_inside {
            return Ok(());
        }
        let next = match optional(row, b"r")? {
            Some(text) => up_to(&text, LAST.0)?,
            None => self.row + 1,
        };
        let is_behind = next > self.row && next <= LAST.0;
        (self.row, self.column) = (next, 0);
        is_behind.then_some(()).ok_or(Reason::NotAWorkbook)
    }

    /// Goes to a cell of the row, which stands behind the one before.
    fn cell(&mut self, cell: &BytesStart<'_>) -> Result<(), Reason> {
        let next = match optional(cell, b"r")? {
            Some(text) => position(&text)?,
            None => (self.row, self.column + 1),
        };
        let is_behind = next.0 == self.row && next.1 > self.column && next.1 <= LAST.1;
        self.column = next.1;
        is_behind.then_some(()).ok_or(Reason::NotAWorkbook)
    }
}

fn up_to(text: &str, last: u32) -> Result<u32, Reason> {
    // With more digits than these the reader of values overflows.
    let is_short = text.len() <= 7 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_short);
    let is_there = |number: &u32| (1..=last).contains(number);
    number.filter(is_there).ok_or(Reason::NotAWorkbook)
}

/// The row and the column of a name such as `B2`.
fn position(text: &str) -> Result<(u32, u32), Reason> {
    let digits = text.trim_start_matches(|char: char| char.is_ascii_alphabetic());
    let letters = text.strip_suffix(digits).unwrap_or_default();
    if !(1..=3).contains(&letters.len()) {
        return Err(Reason::NotAWorkbook);
    }
    let column = letters.bytes().fold(0, |column, letter| {
        column * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1
    });
    if column > LAST.1 {
        return Err(Reason::NotAWorkbook);
    }
    Ok((up_to(digits, LAST.0)?, column))
}

/// Asks that a range such as `A1:B2` is one.
fn is_range(text: &str) -> Result<(), Reason> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let (first, last) = (position(first)?, position(last)?);
    let is_one = first.0 <= last.0 && first.1 <= last.1;
    is_one.then_some(()).ok_or(Reason::NotAWorkbook)
}

/// Reads a part of the archive, whose size has been measured.
fn part(archive: &mut Archive<'_>, path: &str) -> Result<Vec<u8>, Reason> {
    let is_it = |name: &&str| name.replace('\\', "/").eq_ignore_ascii_case(path);
    let name = archive.file_names().find(is_it).map(str::to_owned);
    let part = archive.by_name(&name.ok_or(Reason::NotAWorkbook)?);
    let mut bytes = Vec::new();
    let part = part.map_err(broken)?;
    part.take(limits::WORKBOOK_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(broken)?;
    Ok(bytes)
}

fn reader(bytes: &[u8]) -> Reader<&[u8]> {
    let mut reader = Reader::from_reader(bytes);
    reader.config_mut().expand_empty_elements = true;
    reader.config_mut().check_end_names = false;
    reader
}

/// Goes through the elements of a name.
fn each(
    bytes: &[u8],
    name: &[u8],
    mut found: impl FnMut(&BytesStart<'_>) -> Result<(), Reason>,
) -> Result<(), Reason> {
    let mut xml = reader(bytes);
    loop {
        match xml.read_event().map_err(broken)? {
            Event::Start(start) if start.local_name().as_ref() == name => found(&start)?,
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &[u8]) -> Result<String, Reason> {
    optional(element, name)?.ok_or(Reason::NotAWorkbook)
}

fn optional(element: &BytesStart<'_>, name: &[u8]) -> Result<Option<String>, Reason> {
    let Some(value) = element.try_get_attribute(name).map_err(broken)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&value.value).map_err(broken)?;
    Ok(Some(unescape(text).map_err(broken)?.into_owned()))
}

/// Whether there is text that the reader of values passes over (`CDATA`).
fn has_raw_text(xml: &[u8]) -> bool {
    xml.windows(RAW_TEXT.len()).any(|begin| begin == RAW_TEXT)
}

/// Reads to the end of a cell; says whether it has a value that is read, or no formula that should give one.
fn has_value(
    xml: &mut Reader<&[u8]>,
    cell: &BytesStart<'_>,
    shared: usize,
) -> Result<bool, Reason> {
    let kind = attribute(cell, b"t").unwrap_or_default();
    let (mut has_formula, mut is_raw, mut value) = (false, false, None);
    loop {
        match xml.read_event().map_err(broken)? {
            Event::Start(start) if start.local_name().as_ref() == b"f" => {
                has_formula = true;
                xml.read_to_end(start.name()).map_err(broken)?;
            }
            Event::Start(start) if start.local_name().as_ref() == b"v" => {
                let text = xml.read_text(start.name()).map_err(broken)?;
                is_raw |= has_raw_text(text.as_bytes());
                value = Some(text.trim().to_owned());
            }
            Event::CData(_) => is_raw = true,
            Event::End(end) if end.local_name().as_ref() == b"c" => break,
            Event::Eof => return Err(Reason::NotAWorkbook),
            _ => {}
        }
    }
    if is_raw {
        return Ok(false);
    }
    if kind == "s" {
        let text = value.as_deref().unwrap_or("0").parse::<usize>();
        let is_there = text.is_ok_and(|text| text < shared);
        return is_there.then_some(true).ok_or(Reason::NotAWorkbook);
    }
    // The empty text is a result too, and says that it is a text.
    let is_value = value.is_some_and(|value| !value.is_empty() || kind == "str");
    Ok(is_value || !has_formula)
}
