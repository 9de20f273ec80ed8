//! Whether the bytes that came are those that were deployed. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use super::error::Fault;

/// SHA-256 of what has come so far.
#[derive(Debug, Default, Clone)]
pub(super) struct Digest(Sha256);

impl Digest {
    /// The next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Compares it with `CodeSha256`, where that is known.
    pub(super) fn check(self, expected: Option<&str>) -> Result<(), Fault> {
        let Some(expected) = expected else { return Ok(()) };
        let found = BASE64.encode(self.0.finalize());
        if found == expected {
            return Ok(());
        }
        Err(Fault::Digest { expected: expected.to_owned(), found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_than_those_deployed_are_refused() {
        let mut digest = Digest::default();
        digest.update(b"hel");
        digest.update(b"lo");
        digest.clone().check(None).unwrap();
        digest.clone().check(Some("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")).unwrap();
        let error = digest.check(Some("AAAA")).unwrap_err().to_string();
        assert!(error.contains("expected CodeSha256 AAAA, found LPJN"), "{error}");
    }
}
