//! Where this program runs, as the ECS agent tells it (ECS developer guide, "Task metadata endpoint version 4").

use std::time::Duration;

use serde::Deserialize;

/// The agent answers in milliseconds or not at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// What an attempt says of its container.
#[derive(Debug, Default, Deserialize)]
pub struct Task {
    /// ARN of the task.
    #[serde(rename = "TaskARN")]
    pub arn: Option<String>,
    /// Id of the container.
    #[serde(skip)]
    pub container: Option<String>,
}

#[derive(Deserialize)]
struct Container {
    #[serde(rename = "DockerId")]
    id: Option<String>,
}

/// Asks the agent at this address (`ECS_CONTAINER_METADATA_URI_V4`). One that does not answer is no reason not to run.
pub async fn ask(address: &str) -> Task {
    let task = get::<Task>(format!("{address}/task"));
    let container = get::<Container>(address.to_owned());
    let (task, container) = tokio::join!(task, container);
    Task { container: container.and_then(|container| container.id), ..task.unwrap_or_default() }
}

async fn get<T: for<'de> Deserialize<'de>>(url: String) -> Option<T> {
    let client = crate::fetch::client::new().ok()?;
    let answer = client.get(url).timeout(PATIENCE).send().await.ok()?;
    serde_json::from_slice(&answer.bytes().await.ok()?).ok()
}
