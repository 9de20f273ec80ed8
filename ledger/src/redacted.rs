//! A value that must not reach a log: presigned URLs, credentials, environments, payloads.
//! Owns how such a value prints; where it may be used is its owner's business.

use std::fmt;

/// A secret. `Debug` and `Display` print `[redacted]`; [`Redacted::expose`] is the only way in, so
/// that a search for that word finds every place where the secret is used.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Wraps a secret.
    pub const fn new(secret: T) -> Self {
        Self(secret)
    }

    /// The secret itself. Never pass the result to a formatter.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Gives the secret away.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Redacted<T> {
    fn from(secret: T) -> Self {
        Self(secret)
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::Redacted;

    #[test]
    fn neither_debug_nor_display_shows_the_secret() {
        let secret = Redacted::new("X-Amz-Signature=abc");
        assert_eq!(format!("{secret} {secret:?} {:#?}", Some(&secret)).matches("abc").count(), 0);
        assert_eq!(*secret.expose(), "X-Amz-Signature=abc");
    }
}
