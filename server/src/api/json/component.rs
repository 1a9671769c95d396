//! A component as JSON: its 18 fields and its position.

use patrol_core::domain::component::{Component, NamedBody};
use serde_json::{Value, json};

/// A component. Codes are texts: browsers cannot count so far.
pub(in crate::api) fn component(component: &Component) -> Value {
    let body = |body: &NamedBody| json!({ "code": body.code, "name": body.name });
    json!({
        "code": component.code.to_string(),
        "name": component.name,
        "authority": body(&component.authority),
        "owner": body(&component.owner),
        "keeper": body(&component.keeper),
        "unit_grid": component.unit_grid,
        "state": component.state,
        "first_on": component.first_on,
        "changed_on": component.changed_on,
        "source": component.source,
        "remarks": component.remarks,
        "town_code": component.town_code,
        "town_name": component.town_name,
        "village": component.village.number(),
        "village_name": component.village_name,
        "lon_e7": component.position.lon_e7,
        "lat_e7": component.position.lat_e7,
    })
}
