//! Identifiers, each a type of its own so that one cannot be passed for another.
//!
//! Ids are drawn by the shells and passed in; nothing here draws one.

use std::fmt;

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Reads an id from exactly as many bytes as it has.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The bytes as lower-case hexadecimal digits.
            pub fn hex(&self) -> String {
                use fmt::Write as _;
                self.0.iter().fold(String::with_capacity(2 * $len), |mut text, byte| {
                    let _ = write!(text, "{byte:02x}");
                    text
                })
            }

            /// Reads lower- or upper-case hexadecimal digits.
            pub fn from_hex(text: &str) -> Option<Self> {
                let digits = text.as_bytes();
                if digits.len() != 2 * $len {
                    return None;
                }
                let mut bytes = [0u8; $len];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    *byte = pair.iter().try_fold(0, |byte, digit| {
                        Some(byte << 4 | u8::try_from(char::from(*digit).to_digit(16)?).ok()?)
                    })?;
                }
                Some(Self(bytes))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.hex())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.hex())
            }
        }
    };
}

byte_id! {
    /// A document: a UUIDv7 made on the device that opens it.
    DocumentId, 16
}
byte_id! {
    /// An entry: the first 16 bytes of the hash over document id and entry bytes.
    EntryId, 16
}
byte_id! {
    /// A draft: 16 random bytes, known on one phone only.
    DraftId, 16
}
byte_id! {
    /// A person of the directory: 8 random bytes.
    PersonId, 8
}
byte_id! {
    /// An enrolment: the server's epoch (4 bytes), then a number (4 bytes). Never used again.
    DeviceId, 8
}
byte_id! {
    /// Who writes changes: a device id, then 8 random bytes.
    Actor, 16
}
byte_id! {
    /// The SHA-256 of an Automerge change.
    ChangeHash, 32
}
byte_id! {
    /// The server, for as long as its record lives.
    ServerId, 16
}
byte_id! {
    /// One stretch of the server's history without a jump back: new after every restore.
    Epoch, 4
}

impl Actor {
    /// The actor of a device with the suffix kept per install.
    pub fn new(device: DeviceId, suffix: [u8; 8]) -> Self {
        let mut bytes = [0; 16];
        let (head, tail) = bytes.split_at_mut(8);
        head.copy_from_slice(&device.0);
        tail.copy_from_slice(&suffix);
        Self(bytes)
    }

    /// The device that owns this actor.
    pub fn device(&self) -> DeviceId {
        let mut device = [0; 8];
        device.copy_from_slice(self.0.split_at(8).0);
        DeviceId(device)
    }

    /// What is kept per install.
    pub fn suffix(&self) -> [u8; 8] {
        let mut suffix = [0; 8];
        suffix.copy_from_slice(self.0.split_at(8).1);
        suffix
    }
}

impl DeviceId {
    /// The `number`-th device of an epoch.
    pub fn new(epoch: Epoch, number: u32) -> Self {
        let mut bytes = [0; 8];
        let (head, tail) = bytes.split_at_mut(4);
        head.copy_from_slice(&epoch.0);
        tail.copy_from_slice(&number.to_be_bytes());
        Self(bytes)
    }
}

impl DocumentId {
    /// A UUIDv7 of the given time and 74 random bits.
    pub fn new(now: super::time::Timestamp, random: [u8; 10]) -> Self {
        let ms = u64::try_from(now.0).unwrap_or(0);
        Self(
            uuid::Builder::from_unix_timestamp_millis(ms, &random)
                .into_uuid()
                .into_bytes(),
        )
    }
}

/// A body that fixes, or the place for which a capability is held: the city (0), a village by its 12-digit code, a
/// town by its 9-digit code, a department or an enterprise by its number in the directory (below a million).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct UnitId(pub u64);

impl UnitId {
    /// The whole city.
    pub const CITY: Self = Self(0);
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_names_its_device() {
        let device = DeviceId::new(Epoch([1, 2, 3, 4]), 7);
        assert_eq!(device.hex(), "0102030400000007");
        assert_eq!(Actor::new(device, [9; 8]).device(), device);
    }

    #[test]
    fn hexadecimal_digits_come_back_and_others_do_not() {
        let id = EntryId([0xa5; 16]);
        assert_eq!(EntryId::from_hex(&id.hex()), Some(id));
        assert_eq!(EntryId::from_hex("a5"), None);
        for wrong in [
            "zz00000000000000",
            "+100000000000000",
            " 100000000000000",
            "é00000000000000",
        ] {
            assert_eq!(PersonId::from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_document_id_is_a_uuid_of_version_7() {
        let id = DocumentId::new(super::super::time::Timestamp(1_700_000_000_000), [0xff; 10]);
        assert_eq!(id.hex(), "018bcfe568007fffbfffffffffffffff");
    }
}
