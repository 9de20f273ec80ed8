//! The start of an attempt. Owns what is recorded of it: the intention before anything is started, so that a
//! repetition asks for the same, and what was started. Who starts it, and how, is not known here. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::document::{Unknown, Version};
use crate::time::Time;
use crate::writer::Writer;

/// `jobs/ID/launches/N.json`: created before the container of attempt N is asked for, rewritten by whoever
/// asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Launch {
    /// Version of the record.
    pub version: Version,
    /// The attempt that it is to make.
    pub number: u32,
    /// Who intended it.
    #[serde(default = "Writer::unknown")]
    pub writer: Writer,
    /// What starts it: `ecs`, `docker`, `process`, `worker`.
    pub launcher: String,
    /// Counts the requests of which each is a new one for the launcher; from 1.
    pub series: u32,
    /// Sizes above the function's own, after attempts that ran out of memory.
    #[serde(default)]
    pub larger: u32,
    /// Where and how, in the launcher's words: the same for every repetition.
    pub placement: Value,
    /// When it was intended.
    pub intended: Time,
    /// When it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
    /// What the launcher calls it: task ARN, container, process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why it could not be started when it was asked for last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Not before this moment is it asked for again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// How what was started ended, where its end was seen from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Fields of others.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Launch {
    /// One that is intended.
    pub fn new(number: u32, launcher: &str, placement: Value, intended: Time) -> Self {
        Self {
            version: Version,
            number,
            writer: Writer::random(),
            launcher: launcher.to_owned(),
            series: 1,
            larger: 0,
            placement,
            intended,
            started: None,
            id: None,
            refused: None,
            not_before: None,
            ended: None,
            unknown: Unknown::new(),
        }
    }

    /// The same, started.
    #[must_use]
    pub fn as_started(self, id: &str, when: Time) -> Self {
        let (id, started) = (Some(id.to_owned()), Some(when));
        Self { id, started, refused: None, not_before: None, ..self }
    }

    /// The same, refused for now. The next request is a new one where the launcher would only repeat itself.
    #[must_use]
    pub fn as_refused(self, why: &str, not_before: Time, anew: bool) -> Self {
        let series = self.series + u32::from(anew);
        Self { series, refused: Some(why.to_owned()), not_before: Some(not_before), ..self }
    }
}
