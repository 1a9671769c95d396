//! The features of a GeoJSON collection as rows: their properties, and a point of each in WGS-84, as RFC 7946 has it.
//!
//! Of an outline only a point inside it is kept: the directory has no outlines.

use std::collections::BTreeSet;
use std::sync::Arc;

use patrol_core::domain::limits;
use serde_json::{Map, Value};

use super::{ImportFault, Reason, Record, Rows};

/// Columns beside the properties.
const COORDINATES: [&str; 2] = ["lon_wgs84", "lat_wgs84"];

/// The rows of a collection, and whether it has outlines. A property that is absent is an empty field.
pub(crate) fn rows(file: &Arc<str>, bytes: &[u8]) -> Result<(Rows, bool), ImportFault> {
    let fault = |line| ImportFault {
        line,
        ..ImportFault::of_file(file, Reason::NotGeoJson)
    };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value: Value = serde_json::from_slice(bytes).map_err(|_| fault(None))?;
    let features = value.get("features").and_then(Value::as_array);
    let features = features.ok_or_else(|| fault(None))?;
    let properties = |feature: &Value| match feature.get("properties") {
        Some(Value::Object(properties)) => properties.clone(),
        _ => Map::new(),
    };
    let names: BTreeSet<String> = features
        .iter()
        .flat_map(|feature| properties(feature).into_iter().map(|(name, _)| name))
        .collect();
    let is_large = names.len() > limits::SHEET_COLUMNS_MAX
        || (names.len() + 2).saturating_mul(features.len()) > limits::SHEET_CELLS_MAX;
    if is_large {
        return Err(ImportFault::of_file(file, Reason::TooLarge));
    }
    let mut fields: Vec<String> = names.iter().cloned().collect();
    fields.extend(COORDINATES.map(str::to_owned));
    let mut rows = vec![Ok(Record { line: 1, fields })];
    let mut has_outlines = false;
    for (number, feature) in (1..).zip(features) {
        let Some((lon, lat)) = point(feature.get("geometry"), &mut has_outlines) else {
            rows.push(Err(fault(Some(number))));
            continue;
        };
        let properties = properties(feature);
        let mut fields: Vec<String> = names
            .iter()
            .map(|name| text(properties.get(name)))
            .collect();
        fields.extend([lon, lat].map(degrees));
        rows.push(Ok(Record {
            line: number,
            fields,
        }));
    }
    Ok((Box::new(rows.into_iter()), has_outlines))
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// Degrees to 10⁻⁷, as a column has them.
fn degrees(value: f64) -> String {
    let text = format!("{value:.7}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

type Position = (f64, f64);

fn point(geometry: Option<&Value>, has_outlines: &mut bool) -> Option<Position> {
    let geometry = geometry?;
    let coordinates = geometry.get("coordinates")?;
    match geometry.get("type")?.as_str()? {
        "Point" => position(coordinates),
        "Polygon" => {
            *has_outlines = true;
            inside(&ring(coordinates.get(0)?)?)
        }
        "MultiPolygon" => {
            *has_outlines = true;
            let rings: Option<Vec<_>> = coordinates
                .as_array()?
                .iter()
                .map(|outline| ring(outline.get(0)?))
                .collect();
            let largest = rings?
                .into_iter()
                .max_by(|one, other| area(one).abs().total_cmp(&area(other).abs()))?;
            inside(&largest)
        }
        _ => None,
    }
}

fn position(value: &Value) -> Option<Position> {
    Some((value.get(0)?.as_f64()?, value.get(1)?.as_f64()?))
}

fn ring(value: &Value) -> Option<Vec<Position>> {
    let ring: Option<Vec<Position>> = value.as_array()?.iter().map(position).collect();
    ring.filter(|ring| ring.len() >= 4)
}

/// The sides of a ring.
fn sides(ring: &[Position]) -> impl Iterator<Item = (Position, Position)> + '_ {
    ring.iter().copied().zip(ring.iter().copied().skip(1))
}

/// Twice the area, signed.
fn area(ring: &[Position]) -> f64 {
    sides(ring)
        .map(|((ax, ay), (bx, by))| ax * by - bx * ay)
        .sum()
}

/// A point inside a ring: the middle of its widest stretch at the height of its centre.
fn inside(ring: &[Position]) -> Option<Position> {
    let lats = ring.iter().map(|(_, lat)| *lat);
    let (low, high) = (
        lats.clone().fold(f64::INFINITY, f64::min),
        lats.fold(f64::NEG_INFINITY, f64::max),
    );
    let lat = f64::midpoint(low, high);
    let mut crossings: Vec<f64> = sides(ring)
        .filter(|((_, ay), (_, by))| (*ay > lat) != (*by > lat))
        .map(|((ax, ay), (bx, by))| ax + (lat - ay) / (by - ay) * (bx - ax))
        .collect();
    crossings.sort_by(f64::total_cmp);
    let stretches = crossings.chunks_exact(2).filter_map(|pair| match pair {
        [from, to] => Some((*from, *to)),
        _ => None,
    });
    let widest = stretches.max_by(|one, other| (one.1 - one.0).total_cmp(&(other.1 - other.0)));
    widest.map(|(from, to)| (f64::midpoint(from, to), lat))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_stay_and_outlines_give_a_point_inside() {
        let text = r#"{"type":"FeatureCollection","features":[
            {"properties":{"code":440403100201,"name":"鱼月村"},"geometry":{"type":"Point","coordinates":[113.25,22.125]}},
            {"properties":{"name":"凹村"},"geometry":{"type":"Polygon","coordinates":[[[0,0],[6,0],[6,4],[5,4],[5,1],[1,1],[1,4],[0,4],[0,0]]]}},
            {"properties":null,"geometry":{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]],[[[10,0],[20,0],[20,10],[10,10],[10,0]]]]}},
            {"properties":{},"geometry":{"type":"LineString","coordinates":[[0,0],[1,1]]}}]}"#;
        let (rows, has_outlines) = rows(&"x.geojson".into(), text.as_bytes()).expect("GeoJSON");
        let rows: Vec<_> = rows
            .map(|row| {
                row.map(|row| row.fields.join("|"))
                    .map_err(|fault| fault.to_string())
            })
            .collect();
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(
            rows,
            [
                ok("code|name|lon_wgs84|lat_wgs84"),
                ok("440403100201|鱼月村|113.25|22.125"),
                ok("|凹村|5.5|2"),
                ok("||15|5"),
                Err("x.geojson:4: NotGeoJson".to_owned()),
            ]
        );
        assert!(has_outlines);
    }

    #[test]
    fn what_is_no_collection_is_refused() {
        let wide: Vec<String> = (0..=limits::SHEET_COLUMNS_MAX)
            .map(|n| format!("{{\"properties\":{{\"{n}\":1}}}}"))
            .collect();
        let wide = format!("{{\"features\":[{}]}}", wide.join(","));
        let refused = rows(&"x".into(), wide.as_bytes()).map(drop);
        assert_eq!(refused.map_err(|fault| fault.reason), Err(Reason::TooLarge));
        for text in ["", "[]", "{\"features\":{}}", "{\"type\":\"Point\"}"] {
            assert!(rows(&"x".into(), text.as_bytes()).is_err(), "{text}");
        }
    }
}
