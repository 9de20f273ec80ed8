//! State changes of ECS tasks and Batch jobs as EventBridge tells them (ECS developer guide, "Amazon ECS task state
//! change events"; Batch user guide, "Batch EventBridge events"): at least once, in any order. They only say which job to look at; what is true is asked. Pure.

use ledger::JobId;
use serde::Deserialize;

#[derive(Deserialize)]
struct Event {
    source: String,
    #[serde(rename = "detail-type")]
    kind: String,
    detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    #[serde(default)]
    last_status: String,
    #[serde(default)]
    overrides: Overrides,
    #[serde(default)]
    status: String,
    #[serde(default)]
    container: Option<Container>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Overrides {
    #[serde(default)]
    container_overrides: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    #[serde(default)]
    environment: Vec<Variable>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: String,
}

/// What a body means.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// The container of this job has ended.
    Stopped(JobId),
    /// A state change that nobody has to look at.
    Nothing,
    /// Something else.
    Other,
}

/// Reads the body of a message, or the event of a function.
pub fn read(body: &[u8]) -> Told {
    let Ok(event) = serde_json::from_slice::<Event>(body) else { return Told::Other };
    let detail = event.detail;
    let (ended, containers) = match (event.source.as_str(), event.kind.as_str()) {
        ("aws.ecs", "ECS Task State Change") => {
            (detail.last_status == "STOPPED", detail.overrides.container_overrides)
        }
        ("aws.batch", "Batch Job State Change") => {
            let ended = matches!(detail.status.as_str(), "SUCCEEDED" | "FAILED");
            (ended, detail.container.into_iter().collect())
        }
        _ => return Told::Other,
    };
    if !ended {
        return Told::Nothing;
    }
    let containers = containers.iter();
    let mut variables = containers.flat_map(|container| &container.environment);
    let address = variables.find(|variable| variable.name == "IMMORTAL_JOB");
    let address = address.and_then(|found| found.value.parse::<ledger::Address>().ok());
    address.and_then(|address| address.job).map_or(Told::Nothing, Told::Stopped)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(status: &str, value: &str) -> Vec<u8> {
        json!({
            "version": "0", "source": "aws.ecs", "detail-type": "ECS Task State Change",
            "detail": { "lastStatus": status, "version": 6, "overrides": { "containerOverrides": [
                { "name": "aws-guardduty-agent-x" },
                { "name": "runner", "environment": [{ "name": "IMMORTAL_JOB", "value": value }] },
            ]}},
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn a_stopped_task_names_its_job() {
        let address = "s3://jobs/x/jobs/8f0d0d9a";
        assert_eq!(read(&event("STOPPED", address)), Told::Stopped("8f0d0d9a".parse().unwrap()));
        assert_eq!(read(&event("RUNNING", address)), Told::Nothing);
        assert_eq!(read(&event("STOPPED", "somewhere")), Told::Nothing);
        assert_eq!(read(b"{\"source\":\"aws.s3\"}"), Told::Other);
    }

    #[test]
    fn a_job_of_batch_that_has_ended_names_its_own() {
        let event = |status: &str| {
            json!({
                "version": "0", "source": "aws.batch", "detail-type": "Batch Job State Change",
                "detail": { "jobName": "immortal-8f0d0d9a-1-0a1b2c3d", "jobId": "4c7599ae", "status": status, "attempts": [],
                    "container": { "environment": [{ "name": "IMMORTAL_JOB", "value": "s3://jobs/x/jobs/8f0d0d9a" }] } },
            })
            .to_string()
        };
        for status in ["SUCCEEDED", "FAILED"] {
            let told = read(event(status).as_bytes());
            assert_eq!(told, Told::Stopped("8f0d0d9a".parse().unwrap()), "{status}");
        }
        assert_eq!(read(event("RUNNABLE").as_bytes()), Told::Nothing);
    }
}
