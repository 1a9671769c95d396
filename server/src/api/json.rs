//! The shapes of the JSON API, and how domain values become them and back. RFC 3339 for times, hexadecimal digits for ids.
//!
//! Nothing here asks whether a deed is allowed or fits.

mod case;
mod component;
mod entry;
mod fields;

use crate::error::ApiError;

pub(super) use case::{CaseJson, CaseRowJson, case, case_row};
pub(super) use component::component;
pub(super) use entry::{BodyJson, EntryJson, entry};
pub(super) use fields::FieldsJson;

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Hexadecimal digits as so many bytes.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    unhex_all(text)?.try_into().ok()
}

/// Hexadecimal digits as bytes.
pub(super) fn unhex_all(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
        }
        _ => None,
    });
    digits.collect()
}

fn bad(code: &'static str) -> impl Fn() -> ApiError {
    move || ApiError::BadRequest(code)
}
