//! Registers as JSON: where a matter is, what it is, the matter in words, both ways.

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::place::{Datum, Place, Point, VillageCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bad;
use crate::error::ApiError;

/// A position.
#[derive(Serialize, Deserialize, ToSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct PointJson {
    lon_e7: i64,
    lat_e7: i64,
    datum: String,
    accuracy_m: Option<u64>,
}

/// Where a matter is.
#[derive(Serialize, Deserialize, ToSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct PlaceJson {
    village: u64,
    point: Option<PointJson>,
    words: Option<String>,
}

/// What a matter is.
#[derive(Serialize, Deserialize, ToSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct CategoryJson {
    scheme: u64,
    kind: String,
    code: u64,
    condition: Option<u64>,
}

/// Registers to write.
#[derive(Serialize, Deserialize, ToSchema, Debug, Default)]
#[serde(default, deny_unknown_fields)]
pub(in crate::api) struct FieldsJson {
    place: Option<PlaceJson>,
    category: Option<CategoryJson>,
    words: Option<String>,
}

impl FieldsJson {
    /// What values look like.
    pub(in crate::api) fn of(values: impl IntoIterator<Item = FieldValue>) -> Self {
        let mut fields = Self::default();
        for value in values {
            match value {
                FieldValue::Place(place) => fields.place = Some(place_json(&place)),
                FieldValue::Category(category) => fields.category = Some(category_json(&category)),
                FieldValue::Words(words) => fields.words = Some(words),
            }
        }
        fields
    }

    /// As domain values; a code names what is wrong.
    pub(in crate::api) fn into_fields(self) -> Result<Vec<FieldValue>, ApiError> {
        let place = |place: PlaceJson| {
            let village = VillageCode::new(place.village).ok_or_else(bad("village"))?;
            let point = place.point.map(point).transpose()?;
            Ok::<_, ApiError>(FieldValue::Place(Place {
                village,
                point,
                words: place.words,
            }))
        };
        let category = |category: CategoryJson| {
            let kind = match category.kind.as_str() {
                "component" => CategoryKind::Component,
                "matter" => CategoryKind::Matter,
                _ => return Err(ApiError::BadRequest("category")),
            };
            let CategoryJson {
                scheme,
                code,
                condition,
                ..
            } = category;
            Ok(FieldValue::Category(Category {
                scheme,
                kind,
                code,
                condition,
            }))
        };
        let place = self.place.map(place).transpose()?;
        let category = self.category.map(category).transpose()?;
        Ok(place
            .into_iter()
            .chain(category)
            .chain(self.words.map(FieldValue::Words))
            .collect())
    }
}

fn point(point: PointJson) -> Result<Point, ApiError> {
    let datum = match point.datum.as_str() {
        "wgs84" => Datum::Wgs84,
        "cgcs2000" => Datum::Cgcs2000,
        "gcj02" => Datum::Gcj02,
        _ => return Err(ApiError::BadRequest("datum")),
    };
    Ok(Point {
        lon_e7: point.lon_e7,
        lat_e7: point.lat_e7,
        datum,
        accuracy_m: point.accuracy_m,
    })
}

pub(super) fn place_json(place: &Place) -> PlaceJson {
    let datum = |datum: Datum| match datum {
        Datum::Wgs84 => "wgs84",
        Datum::Cgcs2000 => "cgcs2000",
        Datum::Gcj02 => "gcj02",
    };
    let point = place.point.map(|point| PointJson {
        lon_e7: point.lon_e7,
        lat_e7: point.lat_e7,
        datum: datum(point.datum).to_owned(),
        accuracy_m: point.accuracy_m,
    });
    PlaceJson {
        village: place.village.number(),
        point,
        words: place.words.clone(),
    }
}

pub(super) fn category_json(category: &Category) -> CategoryJson {
    let kind = if category.kind == CategoryKind::Component {
        "component"
    } else {
        "matter"
    };
    CategoryJson {
        scheme: category.scheme,
        kind: kind.to_owned(),
        code: category.code,
        condition: category.condition,
    }
}
