//! ECS on Fargate: tokens that are kept to, launch rates, a quota of vCPUs, capacity that is not there, images that are
//! pulled, Spot reclaims, hosts that are lost, and events that are late, lost or doubled.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};

use super::limits::{self, START};
use super::{Account, clock};
use crate::runner::{self, End, Fate};

/// Stopped tasks, and tokens, are known for an hour, milliseconds.
const KNOWN: u64 = 3_600_000;

/// Tasks, and what they cost.
#[derive(Debug, Default)]
pub struct Fargate(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tasks: HashMap<String, Task>,
    tokens: HashMap<String, Value>,
    known: VecDeque<(u64, String, String)>,
    used: f64,
    started: u64,
    at_work: u64,
    most: f64,
    bill: Bill,
}

/// What was used.
#[derive(Debug, Default, Clone, Copy)]
pub struct Bill {
    /// Hours of vCPUs, on demand and on Spot, as they are billed.
    pub vcpu_hours: f64,
    /// USD.
    pub usd: f64,
}

#[derive(Debug)]
struct Task {
    status: &'static str,
    end: Option<End>,
    environment: Value,
    number: u64,
}

/// What a container has.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// vCPUs.
    pub vcpus: f64,
    /// GB.
    pub gb: f64,
    /// Whether it is on Spot.
    pub spot: bool,
}

impl Fargate {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("one thread")
    }

    /// How many containers were started, the most vCPUs at a time, and the bill.
    pub fn figures(&self) -> (u64, f64, Bill) {
        let inner = self.inner();
        (inner.started, inner.most, inner.bill)
    }

    /// How many containers are at work.
    pub fn at_work(&self) -> u64 {
        self.inner().at_work
    }

    /// Takes vCPUs of the quota, if they are there; the number of the container.
    pub fn start(&self, size: Size) -> Option<u64> {
        let mut inner = self.inner();
        let spot = size.spot;
        if !spot && inner.used + size.vcpus > f64::from(limits::VCPUS) {
            return None;
        }
        if !spot {
            inner.used += size.vcpus;
        }
        inner.most = inner.most.max(inner.used);
        inner.started += 1;
        inner.at_work += 1;
        Some(inner.started)
    }

    /// Gives them back, and bills what they were used for.
    pub fn stop(&self, size: Size, used: Duration) {
        let mut inner = self.inner();
        inner.at_work -= 1;
        if !size.spot {
            inner.used -= size.vcpus;
        }
        let hours = used.max(limits::LEAST_BILLED).as_secs_f64() / 3_600.0;
        let price = size.vcpus * limits::VCPU_HOUR + size.gb * limits::GB_HOUR;
        inner.bill.vcpu_hours += size.vcpus * hours;
        inner.bill.usd += hours * price * if size.spot { limits::SPOT } else { 1.0 };
    }

    fn step(&self, arn: &str, status: &'static str) {
        if let Some(task) = self.inner().tasks.get_mut(arn) {
            task.status = status;
        }
    }
}

impl Inner {
    fn forget(&mut self, now: u64) {
        while self.known.front().is_some_and(|(until, ..)| *until < now) {
            let Some((_, arn, token)) = self.known.pop_front() else { return };
            self.tasks.remove(&arn);
            self.tokens.remove(&token);
        }
    }
}

/// `RunTask`, but for throttles.
pub fn run_task(account: &Arc<Account>, body: &Value) -> Value {
    let token = body["clientToken"].as_str().unwrap_or_default().to_owned();
    if let Some(answer) = account.fargate.inner().tokens.get(&token) {
        return answer.clone();
    }
    let (answer, arn) = launched(account, body, &token);
    let mut inner = account.fargate.inner();
    inner.tokens.insert(token.clone(), answer.clone());
    if arn.is_none() {
        inner.known.push_back((clock::now() + KNOWN, String::new(), token));
    }
    inner.forget(clock::now());
    answer
}

fn launched(account: &Arc<Account>, body: &Value, token: &str) -> (Value, Option<String>) {
    let failure = |reason: &str| (json!({ "tasks": [], "failures": [{ "reason": reason }] }), None);
    if account.dice.happens(limits::NO_CAPACITY, ("capacity", token)) {
        return failure(
            "Capacity is unavailable at this time. Please try again later or in a different availability zone",
        );
    }
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
    let overrides = &body["overrides"];
    let size = Size {
        vcpus: number(&overrides["cpu"]).unwrap_or_default() / 1_024.0,
        gb: number(&overrides["memory"]).unwrap_or_default() / 1_024.0,
        spot: spot(account, &body["capacityProviderStrategy"], token),
    };
    let Some(number) = account.fargate.start(size) else {
        return failure("You've reached the limit on the number of vCPUs you can run concurrently");
    };
    let arn = format!("arn:aws:ecs:us-east-1:123456789012:task/immortal/{number:032x}");
    let environment = overrides["containerOverrides"][0]["environment"].clone();
    let task = Task { status: "PROVISIONING", end: None, environment: environment.clone(), number };
    account.fargate.inner().tasks.insert(arn.clone(), task);
    account.tally.launched();
    tokio::spawn(task_of(
        Arc::clone(account),
        arn.clone(),
        token.to_owned(),
        environment,
        number,
        size,
    ));
    let answer =
        json!({ "tasks": [{ "taskArn": arn, "lastStatus": "PROVISIONING" }], "failures": [] });
    (answer, Some(arn))
}

/// Which provider a task gets, by their weights.
fn spot(account: &Account, strategy: &Value, token: &str) -> bool {
    let items = strategy.as_array().cloned().unwrap_or_default();
    let weight = |item: &Value| item["weight"].as_f64().unwrap_or_default();
    let all: f64 = items.iter().map(weight).sum();
    let of_spot: f64 =
        items.iter().filter(|item| item["capacityProvider"] == "FARGATE_SPOT").map(weight).sum();
    account.dice.happens(of_spot / all.max(1.0), ("provider", token))
}

async fn task_of(
    account: Arc<Account>,
    arn: String,
    token: String,
    environment: Value,
    number: u64,
    size: Size,
) {
    let step = |status| account.fargate.step(&arn, status);
    let end = container(&account, &environment, number, size, step).await;
    let now = clock::now();
    {
        let mut inner = account.fargate.inner();
        if let Some(task) = inner.tasks.get_mut(&arn) {
            (task.status, task.end) = ("STOPPED", Some(end));
        }
        inner.known.push_back((now + KNOWN, arn.clone(), token));
    }
    let event = json!({
        "version": "0", "source": "aws.ecs", "detail-type": "ECS Task State Change",
        "detail": { "taskArn": arn, "lastStatus": "STOPPED", "overrides": {
            "containerOverrides": [{ "name": "runner", "environment": environment }] } },
    });
    told(&account, &event, number).await;
}

/// A container on Fargate from its start to its end, and what is billed for it.
pub async fn container(
    account: &Arc<Account>,
    environment: &Value,
    number: u64,
    size: Size,
    step: impl Fn(&'static str),
) -> End {
    let began = clock::now();
    step("PENDING");
    tokio::time::sleep(account.dice.between(START, 1.0, ("start", number))).await;
    step("RUNNING");
    let reclaimed = size.spot.then(|| account.dice.when(limits::RECLAIMED, ("reclaimed", number)));
    let lost = account.dice.when(limits::HOSTS_LOST, ("host", number));
    let end = runner::run(account, environment, Fate { reclaimed, lost }).await;
    account.fargate.stop(size, Duration::from_millis(clock::now() - began));
    end
}

/// EventBridge puts it into the queue of state changes: late, twice, or not at all.
pub async fn told(account: &Arc<Account>, event: &Value, number: u64) {
    if account.dice.happens(limits::EVENTS_LOST, ("lost", number)) {
        return;
    }
    let late = (Duration::from_millis(200), Duration::from_secs(5));
    tokio::time::sleep(account.dice.between(late, 2.0, ("late", number))).await;
    let text = event.to_string();
    account.states.send(&text);
    if account.dice.happens(limits::EVENTS_TWICE, ("again", number)) {
        tokio::time::sleep(account.dice.between(late, 1.0, ("later", number))).await;
        account.states.send(&text);
    }
}

/// `DescribeTasks`, but for throttles.
pub fn describe_tasks(account: &Account, body: &Value) -> Value {
    let inner = account.fargate.inner();
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for arn in body["tasks"].as_array().into_iter().flatten() {
        match inner.tasks.get(arn.as_str().unwrap_or_default()) {
            Some(task) => tasks.push(described(arn, task)),
            None => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
        }
    }
    json!({ "tasks": tasks, "failures": failures })
}

fn described(arn: &Value, task: &Task) -> Value {
    let mut told = json!({
        "taskArn": arn, "lastStatus": task.status, "containers": [{ "name": "runner" }],
        "overrides": { "containerOverrides": [{ "name": "runner", "environment": task.environment }] },
        "version": task.number,
    });
    let Some(end) = task.end else { return told };
    let (code, reason, exit) = match end {
        End::Exited(code) => {
            ("EssentialContainerExited", "Essential container in task exited", Some(code))
        }
        End::Reclaimed => ("SpotInterruption", "Your Spot Task was interrupted.", Some(143)),
        End::Lost => ("", "InternalError: the host is gone", None),
    };
    told["stopCode"] = code.into();
    told["stoppedReason"] = reason.into();
    if let Some(exit) = exit {
        told["containers"][0]["exitCode"] = exit.into();
    }
    told
}
