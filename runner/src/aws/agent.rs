//! The ECS agent's word that a task is not to be ended (ECS developer guide, "Task scale-in protection endpoint").

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::causes::causes;

/// The agent asks ECS, which may be throttled.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Answer {
    failure: Option<Failure>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(rename = "Reason")]
    reason: Option<String>,
    #[serde(rename = "Code")]
    code: Option<String>,
    #[serde(rename = "Message")]
    message: Option<String>,
}

/// Asks the agent at this address (`ECS_AGENT_URI`) that the task be protected for so many minutes, or not any more.
pub async fn protect(address: &str, minutes: Option<u32>) -> Result<(), String> {
    let client = crate::fetch::client::new().map_err(|error| causes(&error))?;
    let body = match minutes {
        Some(minutes) => json!({ "ProtectionEnabled": true, "ExpiresInMinutes": minutes }),
        None => json!({ "ProtectionEnabled": false }),
    };
    let request = client
        .put(format!("{address}/task-protection/v1/state"))
        .header("Content-Type", "application/json")
        .body(body.to_string())
        .timeout(PATIENCE);
    let answer = request.send().await.map_err(|error| causes(&error))?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| causes(&error))?;
    let said: Option<Answer> = serde_json::from_slice(&body).ok();
    match said.and_then(|said| said.failure.or(said.error)) {
        Some(failure) => Err([failure.code, failure.reason, failure.message]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(": ")),
        None if status.is_success() => Ok(()),
        None => Err(format!("expected 200, found {status}")),
    }
}
