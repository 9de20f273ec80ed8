//! What is found of one thing: all is well, something is wrong and how it is mended, or it could not be told. Pure.

use serde::Serialize;

use crate::people::table::table;

/// How it is with a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Well,
    /// To be known, and nothing to be mended.
    Note,
    /// It could not be told.
    Untold,
    /// To be mended.
    Wrong,
}

/// What is found of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it is.
    pub verdict: Verdict,
    /// Of what: `queue https://…`.
    pub subject: String,
    /// What was expected, what was found.
    pub says: String,
    /// How it is mended: a command where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn well(subject: &str, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Well, subject: subject.to_owned(), says: says.into(), mend: None }
    }

    /// To be known.
    pub fn note(subject: &str, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Note, ..Self::well(subject, says) }
    }

    /// It could not be told, since this was refused or not answered.
    pub fn untold(subject: &str, why: impl std::fmt::Display) -> Self {
        Self {
            verdict: Verdict::Untold,
            ..Self::well(subject, format!("could not be told: {why}"))
        }
    }

    /// To be mended so.
    pub fn wrong(subject: &str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        let mend = Some(mend.into());
        Self { verdict: Verdict::Wrong, mend, ..Self::well(subject, says) }
    }
}

/// Whether there is nothing to be mended.
pub fn healthy(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.verdict != Verdict::Wrong)
}

/// For people.
pub fn print(findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        let word = match finding.verdict {
            Verdict::Well => "well",
            Verdict::Note => "note",
            Verdict::Untold => "?",
            Verdict::Wrong => "WRONG",
        };
        lines.push([word.to_owned(), finding.subject.clone(), finding.says.clone()]);
        lines.extend(
            finding
                .mend
                .iter()
                .map(|mend| [String::new(), String::new(), format!("to mend it: {mend}")]),
        );
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    format!(
        "{}\n{} to be mended, {} could not be told, {} well\n",
        table(["", "WHAT", "FOUND"], &lines),
        count(Verdict::Wrong),
        count(Verdict::Untold),
        count(Verdict::Well)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_out_with_its_cure() {
        let all = [
            Finding::well("queue q", "has 3 messages"),
            Finding::untold("role r", "iam:GetRole was refused"),
            Finding::wrong("cluster c", "expected one, found none", "aws ecs create-cluster"),
        ];
        assert!(healthy(&all[..2]) && !healthy(&all));
        let text = print(&all);
        for part in [
            "WRONG  cluster c",
            "to mend it: aws ecs create-cluster",
            "1 to be mended, 1 could not be told, 1 well",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
