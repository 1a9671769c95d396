//! The serial within a case number, by which a server finds where it was. It makes no numbers.

/// The serial of a case number with this block: `2026-000042` without one, `2026-K7Q-000042` with block `K7Q`.
pub(crate) fn serial(number: &str, block: &str) -> Option<u64> {
    let (_, rest) = number.split_once('-')?;
    let digits = match block {
        "" => rest,
        block => rest.strip_prefix(block)?.strip_prefix('-')?,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}
