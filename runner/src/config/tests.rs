//! What the environment says and what it means.

use std::collections::HashMap;

use super::*;

impl<S: std::hash::BuildHasher> Environment for HashMap<&str, &str, S> {
    fn get(&self, variable: Variable) -> Option<OsString> {
        HashMap::get(self, variable.name()).map(|value| OsString::from(*value))
    }

    fn all(&self) -> Vec<(OsString, OsString)> {
        self.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }
}

fn run(pairs: &[(&'static str, &'static str)]) -> Result<Run, ConfigError> {
    match asked(pairs)?.task {
        Task::Run(run) => Ok(*run),
        other => panic!("{other:?}"),
    }
}

fn asked(pairs: &[(&'static str, &'static str)]) -> Result<Container, ConfigError> {
    from_environment(&pairs.iter().copied().collect::<HashMap<_, _>>())
}

fn refusal(pairs: &[(&'static str, &'static str)]) -> String {
    run(pairs).unwrap_err().to_string()
}

#[test]
fn a_function_and_its_event_start_a_run() {
    let run = run(&[("IMMORTAL_FUNCTION", "resize:live"), ("IMMORTAL_EVENT", "[1]")]).unwrap();
    let Source::Deployed(name) = run.source else { panic!("not deployed") };
    assert_eq!((name.name(), name.qualifier()), ("resize", Some("live")));
    assert!(matches!(run.event, EventSource::Text(text) if text.expose() == "[1]"));
    assert_eq!(run.limits.max_duration, DEFAULT_MAX_DURATION);
}

#[test]
fn an_event_may_be_in_a_file() {
    let run = run(&[("IMMORTAL_FUNCTION", "f"), ("IMMORTAL_EVENT", "file:///tmp/e.json")]).unwrap();
    assert!(matches!(run.event, EventSource::File(path) if path == *"/tmp/e.json"));
}

#[test]
fn the_ancestors_variables_still_start_a_run() {
    let context = r#"{"awsRequestId":"r","clientContext":{"a":1},"identity":null,"invokedFunctionArn":"arn"}"#;
    let run = run(&[
        ("AWS_LAMBDA_HANDLER_NAME", "f"),
        ("AWS_LAMBDA_HANDLER_EVENT", "{}"),
        ("AWS_LAMBDA_HANDLER_CONTEXT", context),
        ("AWS_LAMBDA_HANDLER_PATH", "src/other"),
        ("REGION", "eu-west-1"),
    ])
    .unwrap();
    assert_eq!(run.context.request_id.as_deref(), Some("r"));
    assert_eq!(run.context.client_context.unwrap().expose(), r#"{"a":1}"#);
    assert!(run.context.identity.is_none());
    assert_eq!(
        (run.module.as_deref(), run.region.as_deref()),
        (Some("src/other"), Some("eu-west-1"))
    );
}

#[test]
fn durations_are_read_with_and_without_units() {
    let seconds = |text| duration("X", text).unwrap().as_secs();
    assert_eq!([seconds("90"), seconds("2h 30m"), seconds("14d")], [90, 9_000, 1_209_600]);
}

#[test]
fn what_is_wrong_is_named_with_its_value() {
    let function = ("IMMORTAL_FUNCTION", "f");
    let table = [
        (vec![], "nothing to run: set IMMORTAL_FUNCTION"),
        (vec![("IMMORTAL_FUNCTION", "a b")], "IMMORTAL_FUNCTION is no function name"),
        (
            vec![function, ("IMMORTAL_MAX_DURATION", "long")],
            "IMMORTAL_MAX_DURATION: expected a duration",
        ),
        (vec![function, ("IMMORTAL_MAX_DURATION", "25d")], "at most 24 days"),
        (vec![function, ("IMMORTAL_STOP_TIMEOUT", "0")], "IMMORTAL_STOP_TIMEOUT: expected"),
        (vec![("IMMORTAL_JOB", "s3://b")], "IMMORTAL_JOB names no job"),
        (vec![("IMMORTAL_JOB", "s3://bucket/p")], "IMMORTAL_JOB: expected the address of a job"),
        (vec![("IMMORTAL_JOB", "s3://bucket/jobs/j")], "IMMORTAL_ATTEMPT is not"),
        (
            vec![("IMMORTAL_JOB", "s3://bucket/jobs/j"), ("IMMORTAL_ATTEMPT", "0")],
            "IMMORTAL_ATTEMPT: expected the number",
        ),
        (vec![function, ("IMMORTAL_EVENT", "s3://bucket")], "an object's address"),
        (
            vec![function, ("IMMORTAL_DESTINATIONS", "sqs:x")],
            "IMMORTAL_DESTINATIONS names something else",
        ),
        (
            vec![function, ("IMMORTAL_CREDENTIALS", "mine")],
            "IMMORTAL_CREDENTIALS: expected `task` or `function`",
        ),
        (
            vec![("AWS_LAMBDA_HANDLER_NAME", "f"), ("AWS_LAMBDA_HANDLER_CONTEXT", "x")],
            "AWS_LAMBDA_HANDLER_CONTEXT: expected a JSON object",
        ),
    ];
    for (settings, expected) in table {
        let found = refusal(&settings);
        assert!(found.contains(expected), "{settings:?} gave `{found}`");
    }
}

#[test]
fn a_job_of_a_ledger_comes_before_a_function() {
    let job = asked(&[
        ("IMMORTAL_JOB", "file:///var/ledger/jobs/j-1"),
        ("IMMORTAL_ATTEMPT", "2"),
        ("IMMORTAL_FUNCTION", "f"),
        ("IMMORTAL_DESTINATIONS", "stdout, s3://bucket/p"),
    ]);
    let Container { task: Task::Job(job), destinations } = job.unwrap() else { panic!("a run") };
    assert_eq!((job.id.as_str(), job.attempt), ("j-1", 2));
    assert_eq!(job.root.to_string(), "file:///var/ledger");
    assert_eq!(destinations.unwrap().len(), 2);
}

#[test]
fn a_queue_makes_a_worker_unless_there_is_a_job() {
    let queue = ("IMMORTAL_QUEUE", "http://localhost/1/q");
    let asked_for = asked(&[queue, ("IMMORTAL_FUNCTION", "f")]).unwrap();
    assert!(matches!(asked_for.task, Task::Work(work) if work.queue == "http://localhost/1/q"));
    let job = [queue, ("IMMORTAL_JOB", "file:///l/jobs/j"), ("IMMORTAL_ATTEMPT", "1")];
    assert!(matches!(asked(&job).unwrap().task, Task::Job(_)));
}

#[test]
fn no_event_reaches_a_debug_output() {
    let run = run(&[("IMMORTAL_FUNCTION", "f"), ("IMMORTAL_EVENT", "\"canary\"")]).unwrap();
    assert!(!format!("{run:?}").contains("canary"));
}
