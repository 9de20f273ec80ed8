//! An extension as users build it: AWS's `lambda-extension`, told of events and telemetry. What it is told it writes to
//! the file `NOTES`, one line each.
#![expect(
    clippy::disallowed_methods,
    reason = "the bans are the runner's: users read their environment"
)]

use std::io::Write as _;

use lambda_extension::{
    Error, Extension, LambdaEvent, LambdaTelemetry, NextEvent, SharedService, service_fn,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let port = std::env::var("TELEMETRY_PORT")?.parse()?;
    Extension::new()
        .with_events(&["INVOKE", "SHUTDOWN"])
        .with_events_processor(service_fn(event))
        .with_telemetry_types(&["platform", "function", "extension"])
        .with_telemetry_port_number(port)
        .with_telemetry_processor(SharedService::new(service_fn(telemetry)))
        .run()
        .await
}

async fn event(event: LambdaEvent) -> Result<(), Error> {
    match event.next {
        NextEvent::Invoke(invoke) => note(&format!("INVOKE {}", invoke.request_id)),
        NextEvent::Shutdown(shutdown) => note(&format!("SHUTDOWN {}", shutdown.shutdown_reason)),
    }
}

async fn telemetry(records: Vec<LambdaTelemetry>) -> Result<(), Error> {
    records.iter().try_for_each(|record| note(&serde_json::to_string(record)?))
}

fn note(line: &str) -> Result<(), Error> {
    let options = std::fs::OpenOptions::new().append(true).create(true).clone();
    let mut notes = options.open(std::env::var("NOTES")?)?;
    Ok(notes.write_all(format!("{line}\n").as_bytes())?)
}
