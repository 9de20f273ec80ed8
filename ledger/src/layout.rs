//! Which object is where below a ledger's root, both ways (design.md, 4.4). Pure.

use crate::id::JobId;

/// Keys, relative to the root.
#[derive(Debug, Clone, Copy)]
pub struct Layout;

impl Layout {
    /// What the markers of unfinished jobs begin with.
    pub const ACTIVE: &str = "active";

    /// What all jobs begin with.
    pub const JOBS: &str = "jobs";

    /// The job.
    pub fn job(id: &JobId) -> String {
        format!("jobs/{id}/job.json")
    }

    /// Its event, where that is large.
    pub fn event(id: &JobId) -> String {
        format!("jobs/{id}/event")
    }

    /// What its attempts begin with.
    pub fn attempts(id: &JobId) -> String {
        format!("jobs/{id}/attempts")
    }

    /// An attempt.
    pub fn attempt(id: &JobId, number: u32) -> String {
        format!("jobs/{id}/attempts/{number}.json")
    }

    /// The large response of an attempt that has not decided the outcome, or not yet.
    pub fn undecided(id: &JobId, number: u32) -> String {
        format!("jobs/{id}/attempts/{number}.response")
    }

    /// What its launches begin with.
    pub fn launches(id: &JobId) -> String {
        format!("jobs/{id}/launches")
    }

    /// The launch of an attempt.
    pub fn launch(id: &JobId, number: u32) -> String {
        format!("jobs/{id}/launches/{number}.json")
    }

    /// What messages that are kept out of the way begin with.
    pub const QUARANTINE: &str = "quarantine";

    /// A message that is kept out of the way.
    pub fn quarantined(id: &JobId) -> String {
        format!("quarantine/{id}.json")
    }

    /// The outcome.
    pub fn outcome(id: &JobId) -> String {
        format!("jobs/{id}/outcome.json")
    }

    /// The large response that belongs to the outcome.
    pub fn response(id: &JobId) -> String {
        format!("jobs/{id}/response")
    }

    /// The marker of an unfinished job.
    pub fn active(id: &JobId) -> String {
        format!("active/{id}")
    }

    /// The number of the attempt that has this file name.
    pub(crate) fn number(file_name: &str) -> Option<u32> {
        let digits = file_name.strip_suffix(".json")?;
        digits.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_told_from_its_neighbours() {
        let table = [("1.json", Some(1)), ("42.json", Some(42)), ("0.json", None)];
        for (name, expected) in table {
            assert_eq!(Layout::number(name), expected, "{name}");
        }
        for other in ["01.json", "+1.json", "1.response", "x.json", "4294967296.json", ".json"] {
            assert_eq!(Layout::number(other), None, "{other}");
        }
    }
}
