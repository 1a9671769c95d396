//! The features of a GeoJSON collection as rows: their properties, and a point of each, in WGS-84 as RFC 7946 has it, or in CGCS2000 where `crs` says so.
//!
//! Of an outline only a point inside it is kept: the directory has no outlines. Features are read one by one, at first for their properties'
//! names.

mod outline;
mod properties;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use patrol_core::domain::limits;
use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::spoilt::{LOST_DIGITS, mark};
use super::{ImportFault, Reason, Record, Rows};
use outline::{point, read};
use properties::Properties;

#[derive(Deserialize)]
struct Collection<'j> {
    #[serde(borrow)]
    features: &'j RawValue,
    #[serde(borrow)]
    crs: Option<&'j RawValue>,
}

#[derive(Deserialize)]
struct Feature<'j> {
    #[serde(borrow)]
    properties: Option<Properties<'j>>,
    #[serde(borrow)]
    geometry: Option<&'j RawValue>,
}

#[derive(Deserialize)]
struct Crs<'j> {
    #[serde(borrow)]
    properties: Properties<'j>,
}

/// How a fault of a feature names its place: what follows it is the feature's number, and no line of the file.
pub(crate) fn place(file: &str) -> Arc<str> {
    format!("{file} [features]").into()
}

/// The rows of a collection, and whether it has outlines. A property that is absent is an empty field.
pub(crate) fn rows(file: &Arc<str>, bytes: &[u8]) -> Result<(Rows, bool), ImportFault> {
    let fault = |reason| ImportFault::of_file(file, reason);
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let collection: Collection<'_> =
        serde_json::from_slice(bytes).map_err(|error| match error.classify() {
            Category::Data => fault(Reason::NotGeoJson),
            _ => ImportFault {
                line: Some(error.line()),
                column: Some(error.column().to_string()),
                ..fault(Reason::NotJson)
            },
        })?;
    let coordinates = coordinates(collection.crs).map_err(fault)?;
    let names = names(collection.features).map_err(fault)?;
    let mut fields: Vec<String> = names.keys().map(|name| name.clone().into_owned()).collect();
    fields.extend(coordinates.map(str::to_owned));
    let first = names.values().copied().collect();
    let head = Record {
        first,
        ..Record::new(1, fields)
    };
    let mut rows = vec![Ok(head)];
    let mut has_outlines = false;
    let of_feature = |reason| ImportFault::of_file(&place(file), reason);
    each(collection.features, |feature| {
        let line = rows.len();
        let row = read(feature).map(|feature| {
            let (fields, is_outline) = fields_of(&feature, &names);
            has_outlines |= is_outline;
            Record::new(line, fields)
        });
        rows.push(row.map_err(|reason| ImportFault {
            line: Some(line),
            ..of_feature(reason)
        }));
        Ok(())
    })
    .map_err(fault)?;
    // Without features there are no names of columns to ask for.
    if rows.len() == 1 {
        return Err(fault(Reason::NoRows));
    }
    Ok((Box::new(rows.into_iter()), has_outlines))
}

/// The columns of the positions.
fn coordinates(crs: Option<&RawValue>) -> Result<[&'static str; 2], Reason> {
    const WGS84: [&str; 2] = ["lon_wgs84", "lat_wgs84"];
    let Some(crs) = crs else { return Ok(WGS84) };
    let crs: Crs<'_> = read(crs).map_err(|_| Reason::OtherDatum)?;
    let name = crs.properties.get("name");
    let name = name.ok().flatten().ok_or(Reason::OtherDatum)?;
    let name: Cow<'_, str> = read(name).map_err(|_| Reason::OtherDatum)?;
    match name.rsplit(':').next() {
        Some("CRS84" | "4326") => Ok(WGS84),
        Some("4490") => Ok(["lon_cgcs2000", "lat_cgcs2000"]),
        _ => Err(Reason::OtherDatum),
    }
}

/// The names of all properties, and which feature has each first. A collection that would be too large a table is refused here.
fn names(features: &RawValue) -> Result<BTreeMap<Cow<'_, str>, usize>, Reason> {
    let (mut names, mut count) = (BTreeMap::new(), 0_usize);
    each(features, |feature| {
        count += 1;
        // What cannot be read is told with its number when its row is made.
        let feature = read::<Feature<'_>>(feature).ok();
        let properties = feature.and_then(|feature| feature.properties);
        for name in properties.into_iter().flat_map(Properties::into_names) {
            names.entry(name).or_insert(count);
        }
        let cells = (names.len() + 2).saturating_mul(count);
        if names.len() > limits::SHEET_COLUMNS_MAX || cells > limits::SHEET_CELLS_MAX {
            return Err(Reason::TooLarge);
        }
        Ok(())
    })?;
    Ok(names)
}

/// Goes through the features.
fn each<'j>(
    features: &'j RawValue,
    look: impl FnMut(&'j RawValue) -> Result<(), Reason>,
) -> Result<(), Reason> {
    struct Each<'r, F>(F, &'r mut Reason);
    impl<'de, F: FnMut(&'de RawValue) -> Result<(), Reason>> Visitor<'de> for Each<'_, F> {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("features")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut features: A) -> Result<(), A::Error> {
            let Self(mut look, told) = self;
            while let Some(feature) = features.next_element()? {
                look(feature).map_err(|reason| {
                    *told = reason;
                    A::Error::custom("it ends here")
                })?;
            }
            Ok(())
        }
    }
    let mut reason = Reason::NotGeoJson;
    let mut json = serde_json::Deserializer::from_str(features.get());
    let done = json.deserialize_seq(Each(look, &mut reason));
    done.map_err(|_| reason)
}

/// The fields of a feature's row, and whether it has an outline. In place of what cannot be read stands a mark.
fn fields_of(feature: &Feature<'_>, names: &BTreeMap<Cow<'_, str>, usize>) -> (Vec<String>, bool) {
    let properties = feature.properties.as_ref();
    let of_name = |name: &Cow<'_, str>| match properties.map(|properties| properties.get(name)) {
        Some(Err(reason)) => mark(reason).to_owned(),
        Some(Ok(value)) => text(value),
        None => String::new(),
    };
    let mut fields: Vec<String> = names.keys().map(of_name).collect();
    match feature.geometry.ok_or(Reason::NoGeometry).and_then(point) {
        Ok((point, is_outline)) => {
            fields.extend([point.0, point.1].map(degrees));
            (fields, is_outline)
        }
        Err(reason) => {
            fields.extend([mark(reason); 2].map(str::to_owned));
            (fields, false)
        }
    }
}

/// A property as text. A number stands as it is written; one with an exponent has been rounded on its way.
fn text(value: Option<&RawValue>) -> String {
    let json = value.map_or("null", RawValue::get);
    match json.bytes().next() {
        Some(b'"') => {
            serde_json::from_str(json).unwrap_or_else(|_| mark(Reason::NotAValue).to_owned())
        }
        Some(b'n') => String::new(),
        Some(b'{' | b'[') => mark(Reason::NotAValue).to_owned(),
        Some(b'-' | b'0'..=b'9') if json.contains(['e', 'E']) => LOST_DIGITS.to_owned(),
        _ => json.to_owned(),
    }
}

/// Degrees to 10⁻⁷, as a column has them.
fn degrees(value: f64) -> String {
    let text = format!("{value:.7}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::spoilt;
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
                ok("||\u{fdd0}{|\u{fdd0}{"),
            ]
        );
        assert!(has_outlines);
    }

    /// The rows of one feature with that geometry, and more of the collection.
    fn of(geometry: &str, more: &str) -> Result<String, Reason> {
        let text = format!("{{\"features\":[{{\"geometry\":{geometry}}}]{more}}}");
        let (rows, _) = rows(&"x".into(), text.as_bytes()).map_err(|fault| fault.reason)?;
        let rows: Result<Vec<Record>, ImportFault> = rows.collect();
        let rows = rows.map_err(|fault| fault.reason)?;
        let spoilt = |field: &String| spoilt::reason("remarks", field);
        if let Some(reason) = rows.iter().flat_map(|row| &row.fields).find_map(spoilt) {
            return Err(reason);
        }
        let fields = rows.into_iter().map(|row| row.fields.join(","));
        Ok(fields.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn geometries_that_leave_something_open_are_faults_with_words() {
        let closed = "[[0,0],[4,0],[4,4],[0,0]]";
        let hole = "[[1,1],[2,1],[2,2],[1,1]]";
        for (geometry, reason) in [
            ("null".to_owned(), Reason::NoGeometry),
            (
                format!("{{\"type\":\"Polygon\",\"coordinates\":[{closed},{hole}]}}"),
                Reason::OutlineWithHoles,
            ),
            (
                format!(
                    "{{\"type\":\"MultiPolygon\",\"coordinates\":[[{closed}],[{closed},{hole}]]}}"
                ),
                Reason::OutlineWithHoles,
            ),
            (
                "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[4,0],[4,4],[0,4]]]}".to_owned(),
                Reason::OpenOutline,
            ),
            (
                "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[4,0],[0,0]]]}".to_owned(),
                Reason::OpenOutline,
            ),
            (
                "{\"type\":\"Polygon\",\"coordinates\":[]}".to_owned(),
                Reason::NoGeometry,
            ),
            (
                "{\"type\":\"Point\",\"coordinates\":[1]}".to_owned(),
                Reason::NotGeoJson,
            ),
        ] {
            assert_eq!(of(&geometry, ""), Err(reason), "{geometry}");
        }
        let nested =
            "{\"type\":\"Point\",\"coordinates\":[1,2,30]},\"properties\":{\"name\":[\"甲\"]}";
        assert_eq!(of(nested, ""), Err(Reason::NotAValue));
    }

    #[test]
    fn positions_of_another_system_are_refused_and_those_of_the_national_one_are_called_so() {
        let point = "{\"type\":\"Point\",\"coordinates\":[113.5,22.5,30]}";
        let of_crs = |name: &str| {
            let crs = format!(",\"crs\":{{\"type\":\"name\",\"properties\":{{\"name\":{name}}}}}");
            of(point, &crs)
        };
        let wgs84 = Ok("lon_wgs84,lat_wgs84 113.5,22.5".to_owned());
        assert_eq!(of(point, ""), wgs84);
        assert_eq!(of_crs("\"urn:ogc:def:crs:OGC:1.3:CRS84\""), wgs84);
        assert_eq!(of_crs("\"EPSG:4326\""), wgs84);
        assert_eq!(
            of_crs("\"urn:ogc:def:crs:EPSG::4490\""),
            Ok("lon_cgcs2000,lat_cgcs2000 113.5,22.5".to_owned())
        );
        for other in ["\"urn:ogc:def:crs:EPSG::4547\"", "\"\"", "7"] {
            assert_eq!(of_crs(other), Err(Reason::OtherDatum), "{other}");
        }
        assert_eq!(
            of(point, ",\"crs\":{\"type\":\"link\"}"),
            Err(Reason::OtherDatum)
        );
    }

    #[test]
    fn numbers_stand_as_they_are_written() {
        let feature = |code: &str| {
            format!("{{\"type\":\"Point\",\"coordinates\":[1,2]}},\"properties\":{{\"c\":{code}}}")
        };
        for (json, text) in [
            ("44040301003000001", "44040301003000001"),
            ("1.0", "1.0"),
            ("\"1\\u0030\"", "10"),
            ("true", "true"),
            ("null", ""),
        ] {
            let rows = of(&feature(json), "");
            assert_eq!(
                rows,
                Ok(format!("c,lon_wgs84,lat_wgs84 {text},1,2")),
                "{json}"
            );
        }
        assert_eq!(of(&feature("4.4e16"), ""), Err(Reason::LostDigits));
        assert_eq!(of(&feature("\"\\ud800\""), ""), Err(Reason::NotAValue));
    }

    #[test]
    fn everything_is_told_that_is_wrong_with_a_feature_and_where_the_text_itself_is() {
        const COLUMNS: crate::sheet::Columns = crate::sheet::Columns {
            required: &["code", "name"],
            optional: &["lon_wgs84", "lat_wgs84"],
        };
        let text = r#"{"features":[{"properties":{"code":4.4e16,"name":["甲"]},"geometry":null}]}"#;
        let (rows, _) = rows(&"x.geojson".into(), text.as_bytes()).expect("GeoJSON");
        let mut faults = crate::sheet::Faults::default();
        let sheet = crate::sheet::Sheet::new(place("x.geojson"), rows, &COLUMNS, &mut faults);
        let (mut told, mut rows) = (Vec::new(), 0);
        for row in sheet {
            match row {
                Err(fault) => told.push(fault.to_string()),
                Ok(line) => {
                    rows += 1;
                    let read = line.read("code", Reason::NotACode, |_| Some(()), &mut faults);
                    let point = crate::directory::fields::point(&line, &mut faults);
                    assert_eq!((read, point), (None, None));
                }
            }
        }
        assert_eq!(
            told,
            [
                "x.geojson [features]:1: code: lost_digits",
                "x.geojson [features]:1: no_geometry",
                "x.geojson [features]:1: name: not_a_value",
            ]
        );
        assert_eq!((rows, faults.total), (1, 0));
        let broken = text
            .replace("null}", "null,}")
            .replace("{\"prop", "\n {\"prop");
        let fault = super::rows(&"x.geojson".into(), broken.as_bytes()).map(drop);
        assert_eq!(
            fault.map_err(|fault| fault.to_string()),
            Err("x.geojson:2: 63: not_json".to_owned())
        );
    }

    #[test]
    fn a_property_that_stands_twice_in_a_feature_is_a_fault_at_its_place() {
        const COLUMNS: crate::sheet::Columns = crate::sheet::Columns {
            required: &["code", "name"],
            optional: &["lon_wgs84", "lat_wgs84"],
        };
        let feature = |properties: &str| {
            format!(
                "{{\"properties\":{{{properties}}},\"geometry\":{{\"type\":\"Point\",\"coordinates\":[1,2]}}}}"
            )
        };
        let features = [
            r#""code":1,"name":"甲""#,
            // Also where both say the same, or one is spelt otherwise.
            r#""code":2,"name":"乙","code":2"#,
            r#""code":3,"name":"丙","n\u0061me":null"#,
        ];
        let features = features.map(feature).join(",");
        let text = format!("{{\"features\":[{features}]}}");
        let (rows, _) = rows(&"x.geojson".into(), text.as_bytes()).expect("GeoJSON");
        let mut faults = crate::sheet::Faults::default();
        let sheet = crate::sheet::Sheet::new(place("x.geojson"), rows, &COLUMNS, &mut faults);
        let told = sheet.map(|row| match row {
            Err(fault) => fault.to_string(),
            Ok(line) => format!("{} {}", line.field("code"), line.field("name")),
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                "1 甲",
                "x.geojson [features]:2: code: stands_twice",
                " 乙",
                "x.geojson [features]:3: name: stands_twice",
                "3 ",
            ]
        );
        assert_eq!(faults.total, 0);
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
        let empty = rows(&"x".into(), b"{\"features\":[]}").map(drop);
        let empty = empty.map_err(|fault| fault.to_string());
        assert_eq!(empty, Err("x: no_rows".to_owned()));
    }
}
