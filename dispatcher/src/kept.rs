//! Answers that are kept for a while. Owns the cache; what is asked, and how fast, is the business of whoever asks.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long an answer counts. A function that was changed since is noticed by the runner too, which asks itself.
const FRESH: Duration = Duration::from_mins(1);
/// The most answers of one kind that are kept.
const MOST: usize = 10_000;

/// Answers of one kind. One question is asked at a time: those who wait have their answer by then.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    answers: Mutex<HashMap<String, (Instant, T)>>,
    asking: tokio::sync::Mutex<()>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { answers: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }
}

/// The answer that is known, or a new one. Refusals are not kept.
pub(crate) async fn keep<T: Clone, E, F: Future<Output = Result<T, E>>>(
    kept: &Kept<T>,
    key: &str,
    ask: impl FnOnce() -> F,
) -> Result<T, E> {
    if let Some(known) = known(kept, key) {
        return Ok(known);
    }
    let _turn = kept.asking.lock().await;
    if let Some(known) = known(kept, key) {
        return Ok(known);
    }
    let answer = ask().await?;
    let mut kept = kept.answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if kept.len() >= MOST {
        kept.retain(|_, (when, _)| when.elapsed() < FRESH);
    }
    if kept.len() < MOST {
        kept.insert(key.to_owned(), (Instant::now(), answer.clone()));
    }
    Ok(answer)
}

fn known<T: Clone>(kept: &Kept<T>, key: &str) -> Option<T> {
    let kept = kept.answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (when, answer) = kept.get(key)?;
    (when.elapsed() < FRESH).then(|| answer.clone())
}
