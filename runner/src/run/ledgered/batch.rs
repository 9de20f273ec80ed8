//! Answers that say which items of a batch failed (`ReportBatchItemFailures`): whether the function's mapping has
//! it is asked only where an answer would make a difference.

use std::fmt::Write as _;

use crate::aws;
use crate::causes::causes;
use crate::destination::batch::{Batch, Items};
use crate::run::attempt::Ran;
use crate::run::deliver::say;

/// Answers with more bytes name no items: ten thousand ids have fewer.
const LARGEST: usize = 1 << 20;
/// Larger events are no batches: Lambda makes none of more than 6 MB.
const LARGEST_BATCH: usize = 8 << 20;

/// The items that failed although the function answered; none where the answer is a success as a whole.
pub(super) async fn failed_items(ran: &Ran, region: Option<String>) -> Vec<String> {
    let response = ran.answer.payload.small(LARGEST).filter(|_| !ran.answer.failed);
    let Some(response) = response else { return Vec::new() };
    let event = ran.event.payload.expose().small(LARGEST_BATCH).await;
    let Some(items) = event.ok().flatten().and_then(|event| Items::of(&event)) else {
        return Vec::new();
    };
    let (source, all) = (items.source_arn.clone(), items.len());
    let (failed, mut why) = match items.judge(response) {
        Batch::Done => return Vec::new(),
        Batch::Partial(failed) => (failed, None),
        Batch::Failed { items, why } => (items, Some(why)),
    };
    let config = aws::config(region).await;
    match aws::reports_items(&config, &source, &ran.event.function_arn).await {
        Ok(true) => {}
        Ok(false) => return Vec::new(),
        Err(error) => {
            say(&format!(
                "whether the function reports items of batches is not known: {}",
                causes(&error)
            ));
            // An answer that names items of the batch was meant so; any other may mean anything.
            if why.take().is_some() {
                return Vec::new();
            }
        }
    }
    let mut text = format!("{} of {all} items of the batch from {source} failed", failed.len());
    if let Some(why) = why {
        let _infallible = write!(text, ", all of them, because {why}");
    }
    say(&text);
    failed
}
