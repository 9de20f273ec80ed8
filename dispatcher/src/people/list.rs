//! `jobs` and `quarantine`: what is recorded, newest first.

use futures_util::stream::{self, StreamExt as _};
use ledger::{JobId, Ledger, LedgerError, Quarantined};
use serde::Serialize;

use super::state::State;
use super::table::table;
use crate::cli::Jobs;

/// Jobs that are read together.
const TOGETHER: usize = 32;

/// A job in a line.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Its name.
    pub id: JobId,
    /// How far it is.
    pub state: State,
    /// Its function.
    pub function: String,
    /// Attempts so far.
    pub attempts: usize,
    /// When it was recorded.
    pub created: String,
    /// The shape of its message.
    pub origin: String,
}

/// The jobs that were asked for, newest first.
pub async fn jobs(ledger: &Ledger, asked: &Jobs) -> Result<Vec<Line>, LedgerError> {
    let ids = if asked.all {
        ledger.jobs().await?
    } else {
        ledger.active().await?.into_iter().map(|active| active.id).collect()
    };
    let read = ids.into_iter().map(|id| line(ledger, id));
    let found: Vec<_> = stream::iter(read).buffered(TOGETHER).collect().await;
    let found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(page(found.into_iter().flatten().collect(), asked))
}

async fn line(ledger: &Ledger, id: JobId) -> Result<Option<Line>, LedgerError> {
    let Some(job) = ledger.job(&id).await? else { return Ok(None) };
    let (outcome, launches, attempts) =
        futures_util::try_join!(ledger.outcome(&id), ledger.launches(&id), ledger.attempts(&id))?;
    Ok(Some(Line {
        state: State::of(outcome.as_ref(), &launches, &attempts),
        function: job.function,
        attempts: attempts.len(),
        created: job.created.to_string(),
        origin: job.origin.kind,
        id,
    }))
}

/// Sorted, filtered, cut. Pure.
fn page(mut lines: Vec<Line>, asked: &Jobs) -> Vec<Line> {
    lines.sort_by(|one, other| (&other.created, &one.id).cmp(&(&one.created, &other.id)));
    lines.retain(|line| asked.state.is_none_or(|state| line.state == state));
    let named =
        |line: &Line| asked.function.as_ref().is_none_or(|part| line.function.contains(part));
    lines.retain(named);
    if let Some(after) = &asked.after {
        let at = lines.iter().position(|line| line.id == *after).map_or(0, |at| at + 1);
        lines.drain(..at);
    }
    lines.truncate(asked.limit);
    lines
}

/// For people.
pub fn print(lines: &[Line]) -> String {
    let rows: Vec<[String; 5]> = lines
        .iter()
        .map(|line| {
            let function = line.function.rsplit(":function:").next().unwrap_or_default();
            [
                line.id.to_string(),
                line.state.as_str().to_owned(),
                function.to_owned(),
                line.attempts.to_string(),
                line.created.clone(),
            ]
        })
        .collect();
    table(["JOB", "STATE", "FUNCTION", "ATTEMPTS", "CREATED"], &rows)
}

/// Messages that are kept, for people.
pub fn print_kept(kept: &[Quarantined]) -> String {
    let rows: Vec<[String; 3]> = kept
        .iter()
        .map(|kept| [kept.id.to_string(), kept.at.to_string(), kept.reason.clone()])
        .collect();
    table(["MESSAGE", "SINCE", "REASON"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Printed;

    fn lines() -> Vec<Line> {
        let line = |id: &str, state, minute: u32| Line {
            id: id.parse().unwrap(),
            state,
            function: format!("arn:aws:lambda:x:1:function:{id}"),
            attempts: 1,
            created: format!("2026-10-09T16:{minute:02}:00.000Z"),
            origin: "dead-letter".into(),
        };
        vec![
            line("a", State::Running, 1),
            line("b", State::Failed, 3),
            line("c", State::Running, 2),
        ]
    }

    fn ids(asked: &Jobs) -> String {
        page(lines(), asked).iter().map(|line| line.id.as_str().to_owned()).collect()
    }

    #[test]
    fn newest_first_filtered_and_paged() {
        let asked = || Jobs {
            all: true,
            state: None,
            function: None,
            limit: 10,
            after: None,
            printed: Printed { json: false },
        };
        assert_eq!(ids(&asked()), "bca");
        assert_eq!(ids(&Jobs { state: Some(State::Running), ..asked() }), "ca");
        assert_eq!(ids(&Jobs { function: Some(":function:a".into()), ..asked() }), "a");
        assert_eq!(ids(&Jobs { limit: 1, ..asked() }), "b");
        assert_eq!(ids(&Jobs { after: Some("b".parse().unwrap()), ..asked() }), "ca");
        assert!(print(&page(lines(), &asked())).contains("b    failed   b         1"));
    }
}
