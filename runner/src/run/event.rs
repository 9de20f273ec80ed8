//! The event, from wherever the settings say that it is.

use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::error::{RunError, machine};
use crate::aws;
use crate::config::EventSource;
use crate::fetch::client;
use crate::job::{self, EventError};

/// How often an object is asked for.
const TRIES: u32 = 4;

/// Reads the event.
pub(super) async fn read(source: &EventSource, region: Option<String>) -> Result<Bytes, RunError> {
    if let EventSource::S3(object) = source {
        let place = format!("s3://{}/{}", object.bucket, object.key);
        let config = aws::config(region).await;
        let url = aws::presigned(&config, object).await?;
        let bytes = patiently(url.expose()).await;
        let bytes =
            bytes.map_err(|source| EventError::Unreadable { place: place.clone(), source })?;
        return Ok(job::checked(&place, bytes)?);
    }
    // On a thread of its own: standard input may take its time, and signals are not to wait.
    let source = source.clone();
    let reading = tokio::task::spawn_blocking(move || job::read(&source));
    Ok(reading.await.map_err(machine("reading the event"))??)
}

/// S3 asks to try again where it answers 5xx, and so do networks.
async fn patiently(url: &str) -> io::Result<Bytes> {
    let client = client::new().map_err(io::Error::other)?;
    let mut tries = 1;
    loop {
        match get(&client, url).await {
            Err((error, true)) if tries < TRIES => {
                drop(error);
                tokio::time::sleep(Duration::from_millis(200 << tries)).await;
                tries += 1;
            }
            Err((error, _)) => return Err(error),
            Ok(bytes) => return Ok(bytes),
        }
    }
}

/// The object, or what is wrong and whether it may be better in a moment.
async fn get(client: &reqwest::Client, url: &str) -> Result<Bytes, (io::Error, bool)> {
    // The address is a secret.
    let failed = |error: reqwest::Error| (io::Error::other(error.without_url()), true);
    let answer = client.get(url).send().await.map_err(failed)?;
    let status = answer.status();
    if status.is_success() {
        return answer.bytes().await.map_err(failed);
    }
    let error = io::Error::other(format!("expected 200 from S3, found {status}"));
    Err((error, status.is_server_error()))
}
