//! Who wrote a record: a nonce by which a writer knows its own record again after a write whose
//! answer was lost. Pure but for the randomness.

use serde::{Deserialize, Serialize};

/// 32 random hexadecimal characters. A write that decides something carries one; if it is answered
/// with "exists" or not at all, the record is read back, and the same nonce means: it was mine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Writer(String);

impl Writer {
    /// One that nobody else has.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// The characters.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whoever wrote a record without saying who: a person, or another program.
    pub(crate) fn unknown() -> Self {
        Self(String::new())
    }
}

impl From<&str> for Writer {
    fn from(nonce: &str) -> Self {
        Self(nonce.to_owned())
    }
}
