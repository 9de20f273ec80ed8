//! Alarms count log lines: the lines that the dispatcher writes are those that the stack's filters look for.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stack::Stack;

/// What a filter pattern of `CloudWatch` Logs asks of a field, as far as the template uses them: `{ $.a = "b" && $.c >= 0 }`.
fn matches(pattern: &str, line: &Value) -> bool {
    let inner = pattern.trim_matches(['{', '}', ' ']);
    inner.split(" && ").all(|condition| {
        let mut words = condition.splitn(3, ' ');
        let [field, operator, value] = [(); 3].map(|()| words.next().unwrap());
        let found = &line[field.strip_prefix("$.").unwrap()];
        match (operator, value.trim_matches('"')) {
            ("=", "*") => !found.is_null(),
            ("=", text) => found == text,
            (">=", number) => found.as_f64().is_some_and(|found| found >= number.parse().unwrap()),
            other => panic!("{other:?} of {pattern}"),
        }
    })
}

#[test]
fn what_alarms_count_is_what_the_dispatcher_says() {
    let stack = Stack::with(&[]);
    let filters = stack.ask("client('logs').describe_metric_filters()['metricFilters']");
    let lines = lines_of_a_dispatcher(&stack);
    let mut counted = BTreeMap::new();
    for filter in filters.as_array().unwrap() {
        let pattern = filter["filterPattern"].as_str().unwrap();
        let metric = &filter["metricTransformations"][0];
        let found: Vec<&Value> = lines.iter().filter(|line| matches(pattern, line)).collect();
        // A value that is a field has to be a number in each line that counts.
        if let Some(field) = metric["metricValue"].as_str().unwrap().strip_prefix("$.") {
            assert!(found.iter().all(|line| line[field].is_number()), "{field}: {found:?}");
        }
        counted.insert(metric["metricName"].as_str().unwrap().to_owned(), found.len());
    }
    let expected = ["LostJobs", "Messages", "Quarantined", "UnfinishedJobs"];
    assert_eq!(counted.keys().collect::<Vec<_>>(), expected);
    assert!(counted.values().all(|count| *count > 0), "{counted:?} of {lines:#?}");
    assert_eq!(counted["LostJobs"], 1, "{lines:#?}");
    // What is shown and alarmed about is what is counted.
    let alarms = stack.ask("client('cloudwatch').describe_alarms()['MetricAlarms']");
    for alarm in alarms.as_array().unwrap() {
        let own = alarm["Namespace"] == "Immortal/immortal";
        assert!(!own || counted.contains_key(alarm["MetricName"].as_str().unwrap()), "{alarm}");
    }
}

/// A message that nobody understands, and a job whose only attempt is lost: the lines that a dispatcher writes of them.
fn lines_of_a_dispatcher(stack: &Stack) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let plane = e2e::ControlPlane::with(e2e::Deployed::new(&e2e::python(), "python3.11", "app.ok"));
    let queue = stack.output("FailureQueueUrl");
    for body in
        ["text of nobody", "{\"immortal\":1,\"id\":\"lost\",\"function\":\"resize\",\"event\":1}"]
    {
        stack.moto.script(&format!(
            "client('sqs').send_message(QueueUrl={queue:?}, MessageBody={body:?})"
        ));
    }
    // A runner that ends without a word.
    let text = format!(
        "ledger = \"file://{}\"\n[[queue]]\nurl = {queue:?}\n[allow]\nprovenance = false\n[launch]\nlauncher = \"process\"\n\
         [process]\nrunner = \"/bin/true\"\n[watch]\nattempts = 1\npause = \"0s\"\ngrace = \"0s\"\nunseen = \"0s\"\n[serve]\nevery = \"1s\"\n",
        path("ledger")
    );
    let log = directory.path().join("log");
    let mut command = Command::new(e2e::dispatcher());
    command.args(["serve", "--log-format", "json", "--config", &text]).env_clear();
    command.envs(stack.moto.variables()).envs(plane.variables()).env("PATH", "/usr/bin:/bin");
    command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let mut serving = command.spawn().unwrap();
    let since = Instant::now();
    let said = loop {
        let said = fs::read_to_string(&log).unwrap();
        // A look after it was given up has counted all there is to count.
        let (_, after) = said.split_once("\"give-up\"").unwrap_or_default();
        if after.contains("\"unfinished\"") || since.elapsed() > Duration::from_mins(1) {
            break said;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let _ = serving.kill();
    let _ = serving.wait();
    said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
