//! The properties of a feature by their names.
//!
//! JSON does not say what a name means that stands twice: here it has no value.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Reason;

/// Properties as they are written.
pub(super) struct Properties<'j> {
    values: BTreeMap<Cow<'j, str>, &'j RawValue>,
    twice: BTreeSet<Cow<'j, str>>,
}

impl<'j> Properties<'j> {
    /// What stands under a name, if anything does.
    pub(super) fn get(&self, name: &str) -> Result<Option<&'j RawValue>, Reason> {
        if self.twice.contains(name) {
            return Err(Reason::StandsTwice);
        }
        Ok(self.values.get(name).copied())
    }

    /// All names.
    pub(super) fn into_names(self) -> impl Iterator<Item = Cow<'j, str>> {
        self.values.into_keys()
    }
}

impl<'de: 'j, 'j> Deserialize<'de> for Properties<'j> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Properties<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("properties")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
                let mut properties = Properties {
                    values: BTreeMap::new(),
                    twice: BTreeSet::new(),
                };
                while let Some((Name(name), value)) = pairs.next_entry::<Name<'de>, _>()? {
                    if properties.values.insert(name.clone(), value).is_some() {
                        properties.twice.insert(name);
                    }
                }
                Ok(properties)
            }
        }
        from.deserialize_map(Pairs)
    }
}

/// A name, which is copied only where it is written with escapes.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Name<'j>(#[serde(borrow)] Cow<'j, str>);
