//! When to try again, given how often it failed and a random number.
//!
//! It neither waits nor draws.

use crate::domain::limits;

/// Milliseconds to wait after `failures` failed rounds in a row: full jitter below a bound that doubles, but never less
/// than the server asked for. `random` is uniform over all 64-bit numbers.
pub fn delay_ms(failures: u32, random: u64, retry_after_ms: Option<u64>) -> u64 {
    let asked = retry_after_ms.unwrap_or(0);
    if failures == 0 {
        return asked;
    }
    let bound = limits::RETRY_MS_FIRST
        .saturating_mul(1u64.checked_shl(failures - 1).unwrap_or(u64::MAX))
        .min(limits::RETRY_MS_MAX);
    let jitter = (u128::from(random) * u128::from(bound)) >> 64;
    asked.saturating_add(u64::try_from(jitter).unwrap_or(bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_and_ends() {
        let bounds: Vec<u64> = [0, 1, 2, 3, 9, 10, 63, 200]
            .map(|failures| delay_ms(failures, u64::MAX, None))
            .to_vec();
        assert_eq!(
            bounds,
            [0, 1_999, 3_999, 7_999, 511_999, 899_999, 899_999, 899_999]
        );
        assert_eq!(delay_ms(5, 0, None), 0);
    }

    #[test]
    fn the_server_is_never_asked_sooner_than_it_said() {
        assert_eq!(delay_ms(0, u64::MAX, Some(60_000)), 60_000);
        assert_eq!(delay_ms(1, 0, Some(60_000)), 60_000);
    }
}
