//! Which components are nearest to a place, found in a table that is ordered by cells of some hundred metres.
//!
//! The cells around the place say how far it is to enough of them, if they are dense; then rows of cells are looked through, from the
//! place's own outwards, no further than the farthest of those found. Beyond [`limits::COMPONENTS_NEAR_M`] nothing is near.

use super::Position;
use crate::domain::limits;

/// The side of a cell in 10⁻⁷ degrees.
const CELL_E7: i64 = 10_000;

/// Cells of a row of cells, as far as the numbers of two rows lie apart.
const ROW: i64 = 1 << 20;

/// Metres of 10⁻⁷ degrees of latitude.
const METRES_E7: f64 = 0.011_132;

/// Where a component stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Spot {
    /// Its code.
    pub code: u64,
    /// Its position.
    pub position: Position,
}

/// The number of the cell of a position: cells of a row from west to east follow each other.
pub fn cell(position: Position) -> i64 {
    let (row, column) = row_and_column(position);
    row * ROW + column
}

fn row_and_column(position: Position) -> (i64, i64) {
    let cells = |degrees_e7: i64, most: i64| {
        degrees_e7.clamp(-most * 10_000_000, most * 10_000_000) + most * 10_000_000
    };
    (
        cells(position.lat_e7, 90) / CELL_E7,
        cells(position.lon_e7, 180) / CELL_E7,
    )
}

/// Metres between two positions, on a plane: good to a thousandth within some kilometres.
pub fn metres(one: Position, other: Position) -> f64 {
    let across = (one.lon_e7 - other.lon_e7) as f64 * narrowing(one);
    let along = (one.lat_e7 - other.lat_e7) as f64;
    across.hypot(along) * METRES_E7
}

/// How much shorter a degree of longitude is here than one of latitude.
fn narrowing(position: Position) -> f64 {
    (position.lat_e7 as f64 / 1e7).to_radians().cos()
}

/// The nearest components, at most so many, the nearest first; of two as near the lower code. `scan` gives all that stand in any of the
/// stretches of cells, each from one number to another.
///
/// # Errors
/// What `scan` says.
pub fn nearest<E>(
    place: Position,
    count: usize,
    mut scan: impl FnMut(&[(i64, i64)]) -> Result<Vec<Spot>, E>,
) -> Result<Vec<(Spot, f64)>, E> {
    let (row, column) = row_and_column(place);
    let stretch = |row: i64, reach: i64| (row * ROW + column - reach, row * ROW + column + reach);
    let mut look = |stretches: &[(i64, i64)], found: &mut Vec<(Spot, f64)>| {
        let spots = scan(stretches)?.into_iter();
        found.extend(spots.map(|spot| (spot, metres(place, spot.position))));
        found.retain(|(_, metres)| *metres <= limits::COMPONENTS_NEAR_M);
        found.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(&other.0)));
        found.truncate(count);
        Ok(match found.last() {
            Some((_, metres)) if found.len() == count => *metres,
            _ => limits::COMPONENTS_NEAR_M,
        })
    };
    let around = [row - 1, row, row + 1].map(|row| stretch(row, 1));
    let mut reach_m = look(&around, &mut Vec::new())?;
    let height_m = CELL_E7 as f64 * METRES_E7;
    // Near the poles a row would have to go around the world; nobody patrols there.
    let width_m = height_m * narrowing(place).max(0.1);
    let mut found = Vec::new();
    let mut step = 0;
    // What stands in a row lies at least as far away as all rows between are high together.
    while step == 0 || (step - 1) as f64 * height_m <= reach_m {
        let columns = (1i32..).find(|columns| f64::from(*columns) * width_m > reach_m);
        let columns = columns.map_or(0, i64::from) + 1;
        let mut rows = vec![stretch(row + step, columns)];
        if step > 0 {
            rows.push(stretch(row - step, columns));
        }
        reach_m = reach_m.min(look(&rows, &mut found)?);
        step += 1;
    }
    Ok(found)
}

/// The nearest of those that `read` gives something of, at most so many: what stands nowhere any more is in no other's place.
///
/// # Errors
/// What `scan` and `read` say.
pub fn nearest_of<T, E>(
    place: Position,
    count: usize,
    mut scan: impl FnMut(&[(i64, i64)]) -> Result<Vec<Spot>, E>,
    mut read: impl FnMut(Spot) -> Result<Option<T>, E>,
) -> Result<Vec<(T, f64)>, E> {
    let mut asked = count;
    loop {
        let spots = nearest(place, asked, &mut scan)?;
        let is_all = spots.len() < asked;
        let mut found = Vec::new();
        for (spot, metres) in spots {
            found.extend(read(spot)?.map(|read| (read, metres)));
        }
        if is_all || found.len() >= count {
            found.truncate(count);
            return Ok(found);
        }
        asked *= 2;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn position(lon_e7: i64, lat_e7: i64) -> Position {
        Position { lon_e7, lat_e7 }
    }

    /// What is found by looking through cells, and by looking at everything.
    fn both(spots: &[Spot], place: Position, count: usize) -> [Vec<u64>; 2] {
        let Ok(found) = nearest::<Infallible>(place, count, |stretches| {
            let is_in = |spot: &&Spot| {
                let cell = cell(spot.position);
                stretches
                    .iter()
                    .any(|(from, to)| (*from..=*to).contains(&cell))
            };
            Ok(spots.iter().filter(is_in).copied().collect())
        });
        let mut all: Vec<(f64, u64)> = spots
            .iter()
            .map(|spot| (metres(place, spot.position), spot.code))
            .filter(|(metres, _)| *metres <= limits::COMPONENTS_NEAR_M)
            .collect();
        all.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        all.truncate(count);
        [
            found.iter().map(|(spot, _)| spot.code).collect(),
            all.iter().map(|(_, code)| *code).collect(),
        ]
    }

    proptest! {
        #[test]
        fn what_is_found_by_cells_is_what_looking_at_everything_finds(
            spots in prop::collection::vec((-2_000_000i64..2_000_000, -600_000i64..600_000), 0..120),
            place in (-300_000i64..300_000, -300_000i64..300_000),
            lat in prop::sample::select(vec![0i64, 221_000_000, -600_000_000]),
            spread in prop::sample::select(vec![1i64, 10, 1_000]),
            count in 1usize..15,
        ) {
            let centre = |lon: i64, east: i64| position(1_132_000_000 + lon, lat + east);
            let spots: Vec<Spot> = spots
                .iter()
                .zip(1..)
                .map(|((lon, east), code)| Spot { code, position: centre(lon / spread, east / spread) })
                .collect();
            let [found, all] = both(&spots, centre(place.0, place.1), count);
            prop_assert_eq!(found, all);
        }
    }

    #[test]
    fn a_metre_is_a_metre_and_beyond_some_kilometres_nothing_is_near() {
        let here = position(1_132_500_000, 221_250_000);
        let north = position(1_132_500_000, 221_250_900);
        let east = position(1_132_500_970, 221_250_000);
        for there in [north, east] {
            let metres = metres(here, there);
            assert!((9.9..10.1).contains(&metres), "{metres}");
        }
        let spot = |lat_e7| Spot {
            code: 1,
            position: position(1_132_500_000, lat_e7),
        };
        assert_eq!(both(&[spot(221_690_000)], here, 10), [[1], [1]]);
        assert_eq!(both(&[spot(221_710_000)], here, 10), [[0; 0], [0; 0]]);
    }
}
