//! Fields that were spoilt before anybody read them: by a spreadsheet, or by signs that nobody sees.
//!
//! It mends nothing, and knows columns only by whether their words decide: names and states.

use super::Reason;

/// Stands in a field whose number has been rounded. Marks begin with a code point that is no character, so that no text has them.
pub(crate) const LOST_DIGITS: &str = "\u{fdd0}~";

/// Stands in a field whose value the file does not hold.
pub(crate) const NO_VALUE: &str = "\u{fdd0}=";

/// What stands in a field in place of what cannot be what was meant.
const MARKS: &[(&str, Reason)] = &[
    (LOST_DIGITS, Reason::LostDigits),
    (NO_VALUE, Reason::NoValue),
    ("\u{fdd0}[", Reason::NotAValue),
    ("\u{fdd0}2", Reason::StandsTwice),
    ("\u{fdd0}{", Reason::NotGeoJson),
    ("\u{fdd0}.", Reason::NoGeometry),
    ("\u{fdd0}o", Reason::OutlineWithHoles),
    ("\u{fdd0}c", Reason::OpenOutline),
];

/// What spreadsheets write where they could not compute.
const ERRORS: &[&str] = &[
    "#N/A",
    "#REF!",
    "#VALUE!",
    "#DIV/0!",
    "#NAME?",
    "#NUM!",
    "#NULL!",
    "#SPILL!",
    "#CALC!",
    "#DATA!",
    "#GETTING_DATA",
];

/// The mark that says why.
pub(crate) fn mark(reason: Reason) -> &'static str {
    let mut marks = MARKS.iter();
    marks
        .find(|(_, known)| *known == reason)
        .map_or(NO_VALUE, |(mark, _)| mark)
}

/// Why a field cannot be what was meant; none where it can.
pub(super) fn reason(column: &str, field: &str) -> Option<Reason> {
    let is_line = |char: char| matches!(char, '\n' | '\r' | '\t');
    // A state decides by its word, as a name does.
    let is_name = column.ends_with("name") || column == "state";
    let is_unseen = |char: char| {
        let is_control = char.is_control() && (is_name || !is_line(char));
        is_control || is_damage(char) || (is_name && is_invisible(char))
    };
    let is_escaped = is_name && has_escape(field);
    let marked = MARKS.iter().find(|(mark, _)| *mark == field);
    if let Some((_, reason)) = marked {
        Some(*reason)
    } else if is_rounded(field) {
        Some(Reason::LostDigits)
    } else if ERRORS.contains(&field) || is_too_narrow(field) {
        Some(Reason::ErrorCell)
    } else if is_escaped || field.contains(is_unseen) {
        Some(Reason::ControlCharacter)
    } else {
        None
    }
}

/// What stands for a character that was lost on its way, and code points that are none.
fn is_damage(char: char) -> bool {
    matches!(
        char,
        '\u{fffd}' | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}'
    )
}

/// Ends of lines, and what Unicode's `Default_Ignorable_Code_Point` names: signs without a width, those that turn the direction of writing,
/// fillers and what chooses among forms of a sign. Braille's empty one is none of those, and is not seen either.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// How a workbook writes a character that XML cannot hold: `_x000D_` for the end of a line.
fn has_escape(field: &str) -> bool {
    field.match_indices("_x").any(|(at, _)| {
        let rest = field.as_bytes().get(at + 2..at + 7);
        rest.is_some_and(|rest| {
            rest.ends_with(b"_") && rest.iter().take(4).all(u8::is_ascii_hexdigit)
        })
    })
}

/// What a spreadsheet makes of a long number: 4.40403E+11.
fn is_rounded(field: &str) -> bool {
    let Some((number, exponent)) = field.split_once(['E', 'e']) else {
        return false;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let is_signed = exponent.strip_prefix('+').is_some_and(is_number);
    is_signed && whole.len() == 1 && is_number(whole) && is_number(decimals)
}

/// A column that has no room for its numbers shows them as #####.
fn is_too_narrow(field: &str) -> bool {
    field.len() > 1 && field.bytes().all(|byte| byte == b'#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_has_spoilt_is_no_text() {
        for (field, found) in [
            ("4.40403E+11", Some(Reason::LostDigits)),
            ("1E+15", Some(Reason::LostDigits)),
            (LOST_DIGITS, Some(Reason::LostDigits)),
            (NO_VALUE, Some(Reason::NoValue)),
            ("\u{fffd}-", Some(Reason::ControlCharacter)),
            ("\u{fdd0}", Some(Reason::ControlCharacter)),
            ("#N/A", Some(Reason::ErrorCell)),
            ("#REF!", Some(Reason::ErrorCell)),
            ("######", Some(Reason::ErrorCell)),
            ("张\0伟", Some(Reason::ControlCharacter)),
            ("440403100201", None),
            ("1E+", None),
            ("SE+15", None),
            ("E栋+3", None),
            ("#3", None),
            ("", None),
        ] {
            assert_eq!(reason("remarks", field), found, "{field}");
        }
    }

    #[test]
    fn a_name_is_one_line_of_signs_that_are_seen() {
        for field in [
            "张\n伟",
            "张_x000D_伟",
            "张\t伟",
            "张\u{200b}伟",
            "张\u{202e}伟",
            "张\u{61c}伟",
            "张\u{ad}伟",
            "张\u{fe0f}",
            "\u{3164}",
        ] {
            let found = ["name", "state", "remarks"].map(|column| reason(column, field));
            let unseen = Some(Reason::ControlCharacter);
            assert_eq!(found, [unseen, unseen, None], "{field:?}");
        }
        for name in ["古丽·买买提 O'Neil", "a_x", "_x00_", "_x村委会村"] {
            assert_eq!(reason("name", name), None);
        }
    }
}
