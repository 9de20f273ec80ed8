//! The same program as a Lambda function (custom runtime): SQS batches with partial batch responses, ECS task state
//! changes, and a schedule for looking after unfinished jobs.

use futures_util::stream::{self, StreamExt as _};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::warn;

use crate::dispatch::Desk;
use crate::reconcile::states::{self, Told};
use crate::resolve::directory::Directory;
use crate::{file, reconcile, told};

/// Messages of a batch that are taken at the same time: a whole one, as event source mappings have it by default.
const AT_ONCE: usize = 10;

/// What an event source mapping with `ReportBatchItemFailures` wants to hear.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    batch_item_failures: Vec<Item>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    item_identifier: String,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<&'a RawValue>,
}

/// Answers invocations for ever.
pub async fn serve<D: Directory>(desk: &Desk<D>) -> Result<(), Error> {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        Ok::<_, Error>(Box::pin(answer(desk, event.payload.get())).await)
    }))
    .await
}

async fn answer<D: Directory>(desk: &Desk<D>, event: &str) -> Answer {
    match states::read(event.as_bytes()) {
        Told::Stopped(id) => {
            if let Err(error) = Box::pin(reconcile::one(desk, &id)).await {
                warn!(job = %id, "{}", runner::causes::causes(&error));
            }
            return Answer::default();
        }
        Told::Nothing => return Answer::default(),
        Told::Other => {}
    }
    let batch: Option<Batch<'_>> = serde_json::from_str(event).ok();
    let Some(batch) = batch else {
        match reconcile::sweep(desk).await {
            Ok(report) => told::look(desk, &report).await,
            Err(error) => warn!("{}", runner::causes::causes(&error)),
        }
        return Answer::default();
    };
    // Each waits for others to share its calls with: one after the other, each would wait alone.
    let taken = batch.records.into_iter().map(|record| taken(desk, record));
    let taken: Vec<_> = stream::iter(taken).buffered(AT_ONCE).collect().await;
    Answer { batch_item_failures: taken.into_iter().flatten().collect() }
}

/// A message of a batch, if it has to come again.
async fn taken<D: Directory>(desk: &Desk<D>, record: &RawValue) -> Option<Item> {
    let message = file::read(record.get().as_bytes(), "").remove(0);
    let queue = desk.config.queue_named(Some(&message.queue_arn));
    let body = message.body.expose();
    let ended = if queue.task_states {
        reconcile::state(desk, body).await
    } else {
        Box::pin(desk.take(&message, &queue)).await
    };
    told::message(&message.id, &ended);
    ended.is_err().then_some(Item { item_identifier: message.id })
}
