//! The event, from wherever the settings say that it is. A large one goes to a file as it comes, so that it is
//! never held, is whole before anything is started, and can be given out again.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use ledger::{INLINE, Job, Ledger, Redacted};
use reqwest::header::{ETAG, HeaderValue, IF_MATCH, RANGE};

use super::error::{RunError, machine};
use crate::aws;
use crate::config::EventSource;
use crate::fetch::client;
use crate::job::{self, EventError};
use crate::payload::{Payload, Pieces};

/// How often an object is asked for without another byte of it.
const TRIES: u32 = 4;

/// Reads the event.
pub(super) async fn read(source: &EventSource, region: Option<String>) -> Result<Pieces, RunError> {
    let source = match source {
        EventSource::S3(object) => {
            let place = format!("s3://{}/{}", object.bucket, object.key);
            let config = aws::config(region).await;
            let url = aws::presigned(&config, object).await?;
            let read = patiently(url.expose()).await.and_then(Payload::into_pieces);
            let read = read.map_err(|source| EventError::Unreadable { place, source })?;
            EventSource::Recorded(Redacted::new(read))
        }
        other => other.clone(),
    };
    // What is in memory already, a worker's thousand small events a second, is only checked.
    if let EventSource::Recorded(pieces) = &source
        && pieces.expose().at_hand().is_some_and(|bytes| bytes.len() <= INLINE)
    {
        return Ok(job::read(&source)?);
    }
    // On a thread of its own: standard input may take its time, and signals are not to wait.
    let reading = tokio::task::spawn_blocking(move || job::read(&source));
    Ok(reading.await.map_err(machine("reading the event"))??)
}

/// The event of a job.
pub(super) async fn recorded(ledger: &Ledger, job: &Job) -> Result<Redacted<Pieces>, RunError> {
    let mut payload = Payload::default();
    let keep = |piece: Bytes| payload.push(&piece).map_err(machine("keeping the event"));
    ledger.read_event(job, keep).await?;
    Ok(Redacted::new(payload.into_pieces().map_err(machine("keeping the event"))?))
}

/// S3 asks to try again where it answers 5xx, and so do networks: what has come is not asked for again.
async fn patiently(url: &str) -> io::Result<Payload> {
    let client = client::new().map_err(io::Error::other)?;
    let mut object = Arriving::default();
    let mut tries = 1;
    loop {
        let before = object.payload.length;
        match object.receive(&client, url).await {
            Ok(()) => return Ok(object.payload),
            Err((error, true)) => {
                tries = if object.payload.length > before { 1 } else { tries };
                if tries == TRIES {
                    return Err(error);
                }
                tokio::time::sleep(Duration::from_millis(200 << tries)).await;
                tries += 1;
            }
            Err((error, false)) => return Err(error),
        }
    }
}

/// An object, as far as it has come.
#[derive(Default)]
struct Arriving {
    payload: Payload,
    /// Which of its contents it is.
    etag: Option<HeaderValue>,
}

impl Arriving {
    /// Receives the rest, or says what is wrong and whether it may be better in a moment.
    async fn receive(
        &mut self,
        client: &reqwest::Client,
        url: &str,
    ) -> Result<(), (io::Error, bool)> {
        // The address is a secret.
        let failed = |error: reqwest::Error| (io::Error::other(error.without_url()), true);
        let mut request = client.get(url);
        match (self.payload.length, &self.etag) {
            (1.., Some(etag)) => {
                let range = format!("bytes={}-", self.payload.length);
                request = request.header(RANGE, range).header(IF_MATCH, etag);
            }
            _ => self.payload = Payload::default(),
        }
        let expected = if self.payload.length > 0 { 206 } else { 200 };
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        if status.as_u16() != expected {
            let error = format!("expected {expected} from S3, found {status}");
            return Err((io::Error::other(error), status.is_server_error()));
        }
        self.etag = answer.headers().get(ETAG).cloned();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            self.payload.push(&piece).map_err(|error| (error, false))?;
        }
        Ok(())
    }
}
