//! The geometry of a feature: a point, or an outline of which a point inside is kept.
//!
//! What it cannot be sure of is a fault: holes, outlines that are not closed, other geometries.

use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Reason, each};

/// Longitude and latitude. What follows them, a height, is passed over.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Position(pub(super) f64, pub(super) f64);

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> Visitor<'de> for Numbers {
            type Value = Position;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a longitude and a latitude")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Position, A::Error> {
                let mut next = |at| {
                    let number = numbers.next_element()?;
                    number.ok_or_else(|| serde::de::Error::invalid_length(at, &self))
                };
                let position = Position(next(0)?, next(1)?);
                while numbers.next_element::<IgnoredAny>()?.is_some() {}
                Ok(position)
            }
        }
        from.deserialize_seq(Numbers)
    }
}

#[derive(Deserialize)]
struct Geometry<'j> {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(borrow)]
    coordinates: &'j RawValue,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
enum Kind {
    Point,
    Polygon,
    MultiPolygon,
    #[serde(other)]
    Other,
}

type Ring = Vec<Position>;

/// A point of a geometry, and whether that is an outline.
pub(super) fn point(geometry: &RawValue) -> Result<(Position, bool), Reason> {
    let geometry: Geometry<'_> = read(geometry)?;
    let ring = match geometry.kind {
        Kind::Point => return Ok((read(geometry.coordinates)?, false)),
        Kind::Polygon => ring(geometry.coordinates)?,
        Kind::MultiPolygon => largest(geometry.coordinates)?,
        Kind::Other => return Err(Reason::NotGeoJson),
    };
    let inside = inside(&ring).ok_or(Reason::OpenOutline)?;
    Ok((inside, true))
}

pub(super) fn read<'j, T: Deserialize<'j>>(json: &'j RawValue) -> Result<T, Reason> {
    serde_json::from_str(json.get()).map_err(|_| Reason::NotGeoJson)
}

/// The ring of the largest outline.
fn largest(outlines: &RawValue) -> Result<Ring, Reason> {
    let mut largest = None;
    each(outlines, |outline| {
        let ring = ring(outline)?;
        let area = area(&ring).abs();
        if largest.as_ref().is_none_or(|(most, _)| *most < area) {
            largest = Some((area, ring));
        }
        Ok(())
    })?;
    largest.map(|(_, ring)| ring).ok_or(Reason::NoGeometry)
}

/// The one ring of an outline.
fn ring(rings: &RawValue) -> Result<Ring, Reason> {
    let mut first: Option<Ring> = None;
    each(rings, |ring| {
        if first.is_some() {
            return Err(Reason::OutlineWithHoles);
        }
        first = Some(read(ring)?);
        Ok(())
    })?;
    let ring = first.ok_or(Reason::NoGeometry)?;
    if ring.len() < 4 || ring.first() != ring.last() {
        return Err(Reason::OpenOutline);
    }
    Ok(ring)
}

/// The sides of a ring.
fn sides(ring: &[Position]) -> impl Iterator<Item = (Position, Position)> + '_ {
    ring.iter().copied().zip(ring.iter().copied().skip(1))
}

/// Twice the area, signed.
fn area(ring: &[Position]) -> f64 {
    sides(ring).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum()
}

/// A point inside a ring: the middle of its widest stretch at the height of its centre.
fn inside(ring: &[Position]) -> Option<Position> {
    let lats = ring.iter().map(|position| position.1);
    let (low, high) = (
        lats.clone().fold(f64::INFINITY, f64::min),
        lats.fold(f64::NEG_INFINITY, f64::max),
    );
    let lat = f64::midpoint(low, high);
    let mut crossings: Vec<f64> = sides(ring)
        .filter(|(a, b)| (a.1 > lat) != (b.1 > lat))
        .map(|(a, b)| a.0 + (lat - a.1) / (b.1 - a.1) * (b.0 - a.0))
        .collect();
    crossings.sort_by(f64::total_cmp);
    let stretches = crossings.chunks_exact(2).filter_map(|pair| match pair {
        [from, to] => Some((*from, *to)),
        _ => None,
    });
    let widest = stretches.max_by(|one, other| (one.1 - one.0).total_cmp(&(other.1 - other.0)));
    widest.map(|(from, to)| Position(f64::midpoint(from, to), lat))
}
