//! JSON looked at leniently: names at hand, values kept as the bytes that arrived. Of a name that is there twice the
//! last value counts, as in most parsers. Pure.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::value::RawValue;

/// An object whose values have not been read yet.
#[derive(Debug)]
pub(super) struct View<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> View<'a> {
    /// The object that these bytes are; nothing if they are anything else.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(Self)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// A count; strings of digits are taken for what they say.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let raw = self.get(name)?.get();
        serde_json::from_str(raw).ok().or_else(|| self.text(name)?.parse().ok())
    }

    /// An object within.
    pub(super) fn object(&self, name: &str) -> Option<View<'a>> {
        View::of(self.get(name)?.get().as_bytes())
    }

    /// The first object of a list.
    pub(super) fn first(&self, name: &str) -> Option<View<'a>> {
        let list: Vec<&'a RawValue> = serde_json::from_str(self.get(name)?.get()).ok()?;
        View::of(list.first()?.get().as_bytes())
    }

    /// Strings of a list.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }
}

/// A value as bytes of its own.
pub(super) fn bytes(raw: &RawValue) -> Bytes {
    Bytes::copy_from_slice(raw.get().as_bytes())
}

/// Whether this is one JSON text.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}
