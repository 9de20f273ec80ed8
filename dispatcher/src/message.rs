//! A message as a queue delivers it. Owns its parts and the rule that its content is never printed. Pure; what it
//! means is `envelope`'s business, and the handle by which it is deleted `queue`'s.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::Redacted;

/// What was delivered (SQS API reference, `Message`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The queue's name for it.
    pub id: String,
    /// The queue that delivered it.
    pub queue_arn: String,
    /// Its body: UTF-8.
    pub body: Redacted<Bytes>,
    /// Attributes that its sender gave it, at most ten.
    pub attributes: BTreeMap<String, Attribute>,
    /// Attributes that SQS gave it, by SQS's names.
    pub system: BTreeMap<String, String>,
}

/// An attribute that a sender gave a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// `String` or `Number`, with an own label after a dot where the sender gave one.
    Text {
        /// Its data type.
        kind: String,
        /// Its value.
        value: Redacted<String>,
    },
    /// `Binary`
    Binary {
        /// Its data type.
        kind: String,
        /// Its value.
        value: Redacted<Bytes>,
    },
}
