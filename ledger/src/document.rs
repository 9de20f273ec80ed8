//! What all records have in common: JSON with a version, and fields that are not known kept. Pure.
//!
//! The rule: a record of a higher version is refused, since it may mean something else by the same
//! words; a field that is not known is kept and written back, since it was added for somebody.

use std::collections::BTreeMap;

use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Fields that this program does not know.
pub type Unknown = BTreeMap<String, serde_json::Value>;

/// The version of the records that this program reads and writes: always 1 in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version;

impl Version {
    /// As it is written.
    pub const NUMBER: u64 = 1;
}

/// A record that cannot be used.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// Somebody newer wrote it.
    #[error(
        "it has version {found}, this program knows version {}: run it with a newer one",
        Version::NUMBER
    )]
    Newer {
        /// What it says.
        found: u64,
    },
    /// It is not such a record.
    #[error("it is not a record of a ledger: {problem}")]
    Malformed {
        /// What the parser found, without quoting the record.
        problem: String,
    },
}

/// Reads a record.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DocumentError> {
    #[derive(Deserialize)]
    struct Any {
        version: u64,
    }
    match serde_json::from_slice(bytes).map_err(|error| malformed(&error))? {
        Any { version } if version > Version::NUMBER => {
            Err(DocumentError::Newer { found: version })
        }
        Any { .. } => serde_json::from_slice(bytes).map_err(|error| malformed(&error)),
    }
}

/// Writes a record.
pub(crate) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have string keys and are written to memory")
}

/// An error for what the parser found.
pub(crate) fn malformed(error: &serde_json::Error) -> DocumentError {
    DocumentError::Malformed { problem: problem(error) }
}

/// What the parser found. Its own text may quote a value, and a value may be a secret.
fn problem(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let place = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Eof => format!("it ends too early, at {place}"),
        Category::Syntax | Category::Io => format!("syntax error at {place}"),
        Category::Data => {
            let text = error.to_string();
            // "missing field `function` at line 1 column 20" names a field and quotes no value.
            if text.starts_with("missing field") {
                return text;
            }
            format!("a value of the wrong kind before {place}")
        }
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(Self::NUMBER)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            Self::NUMBER => Ok(Self),
            _ => Err(de::Error::custom("not version 1")),
        }
    }
}

/// Fields whose value is a secret that the ledger keeps: `#[serde(with = "exposed")]` marks them.
pub(crate) mod exposed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::Redacted;

    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        secret: &Option<Redacted<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Redacted::expose).serialize(serializer)
    }

    /// A `null` that is there is a value: an event may be `null`.
    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Redacted<T>>, D::Error> {
        T::deserialize(deserializer).map(Redacted::new).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Attempt;

    #[test]
    fn a_newer_record_is_refused_with_what_to_do() {
        let error = decode::<Attempt>(br#"{"version":2,"everything":"else"}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it has version 2, this program knows version 1: run it with a newer one"
        );
    }

    #[test]
    fn a_record_that_is_none_is_not_quoted() {
        for text in ["", "{", "[]", "{\"version\":1,\"number\":\"hunter2\"}", "hunter2"] {
            let error = decode::<Attempt>(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("it is not a record of a ledger: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = decode::<Attempt>(br#"{"version":1}"#).unwrap_err().to_string();
        assert!(error.contains("missing field `number`"), "{error}");
    }
}
