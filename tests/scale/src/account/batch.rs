//! AWS Batch with a queue on Fargate: takes jobs at its rate, starts them in order as launch rate and quota allow.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use super::fargate::{self, Size};
use super::limits::{LAUNCHES, SCHEDULER};
use super::{Account, clock};
use crate::runner::End;

/// Finished jobs are known for so long, milliseconds: AWS keeps them for longer.
const KNOWN: u64 = 3_600_000;

/// The queue, and the jobs that are known.
#[derive(Debug, Default)]
pub struct Batch(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    jobs: HashMap<String, Job>,
    names: HashMap<String, Vec<String>>,
    queue: VecDeque<String>,
    finished: VecDeque<(u64, String)>,
    submitted: u64,
}

#[derive(Debug)]
struct Job {
    name: String,
    status: &'static str,
    end: Option<End>,
    environment: Value,
    size: Size,
    created: u64,
}

impl Batch {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("one thread")
    }

    fn step(&self, id: &str, status: &'static str) {
        if let Some(job) = self.inner().jobs.get_mut(id) {
            job.status = status;
        }
    }
}

/// `SubmitJob`, but for throttles.
pub fn submit_job(account: &Account, body: &Value) -> Value {
    let requirement = |kind: &str| {
        let all = body["containerOverrides"]["resourceRequirements"].as_array();
        let found = all.into_iter().flatten().find(|one| one["type"] == kind);
        found.and_then(|one| one["value"].as_str()?.parse::<f64>().ok()).unwrap_or_default()
    };
    let name = body["jobName"].as_str().unwrap_or_default().to_owned();
    let size =
        Size { vcpus: requirement("VCPU"), gb: requirement("MEMORY") / 1_024.0, spot: false };
    let environment = body["containerOverrides"]["environment"].clone();
    let job = Job {
        name: name.clone(),
        status: "RUNNABLE",
        end: None,
        environment,
        size,
        created: clock::now(),
    };
    let mut inner = account.batch.inner();
    inner.submitted += 1;
    let id = format!("{:08x}-0000-4000-8000-000000000000", inner.submitted);
    inner.jobs.insert(id.clone(), job);
    inner.names.entry(name.clone()).or_default().push(id.clone());
    inner.queue.push_back(id.clone());
    json!({ "jobName": name, "jobId": id })
}

/// `ListJobs` by name.
pub fn list_jobs(account: &Account, body: &Value) -> Value {
    let name = body["filters"][0]["values"][0].as_str().unwrap_or_default();
    let inner = account.batch.inner();
    let ids = inner.names.get(name).cloned().unwrap_or_default();
    let summary = |id: &String| {
        let job = inner.jobs.get(id)?;
        Some(
            json!({ "jobId": id, "jobName": job.name, "createdAt": job.created, "status": job.status }),
        )
    };
    json!({ "jobSummaryList": ids.iter().filter_map(summary).collect::<Vec<_>>() })
}

/// `DescribeJobs`.
pub fn describe_jobs(account: &Account, body: &Value) -> Value {
    let inner = account.batch.inner();
    let ids = body["jobs"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let jobs: Vec<_> = ids.filter_map(|id| Some(described(id, inner.jobs.get(id)?))).collect();
    json!({ "jobs": jobs })
}

fn described(id: &str, job: &Job) -> Value {
    let mut told = json!({ "jobId": id, "jobName": job.name, "jobQueue": "long", "jobDefinition": "d", "status": job.status, "startedAt": 0 });
    match job.end {
        None | Some(End::Exited(0)) => {}
        Some(End::Exited(code)) => {
            told["statusReason"] = "Essential container in task exited".into();
            told["container"] = json!({ "exitCode": code });
        }
        Some(End::Reclaimed) => told["statusReason"] = "Your Spot Task was interrupted.".into(),
        Some(End::Lost) => told["statusReason"] = "InternalError: the host is gone".into(),
    }
    told
}

/// Starts what waits, for ever.
pub async fn schedule(account: Arc<Account>) {
    loop {
        tokio::time::sleep(SCHEDULER).await;
        while let Some((id, number)) = next(&account) {
            tokio::spawn(job_of(Arc::clone(&account), id, number));
        }
        let mut inner = account.batch.inner();
        while inner.finished.front().is_some_and(|(until, _)| *until < clock::now()) {
            let Some((_, id)) = inner.finished.pop_front() else { break };
            if let Some(job) = inner.jobs.remove(&id) {
                inner.names.remove(&job.name);
            }
        }
    }
}

/// The next job, if it may be started now.
fn next(account: &Account) -> Option<(String, u64)> {
    let mut inner = account.batch.inner();
    let id = inner.queue.front()?.clone();
    let size = inner.jobs.get(&id)?.size;
    if !account.admits("launches", LAUNCHES) {
        return None;
    }
    let number = account.fargate.start(size)?;
    inner.queue.pop_front();
    Some((id, number))
}

async fn job_of(account: Arc<Account>, id: String, number: u64) {
    let (environment, size) = {
        let inner = account.batch.inner();
        let Some(job) = inner.jobs.get(&id) else { return };
        (job.environment.clone(), job.size)
    };
    let step = |status| {
        account.batch.step(&id, if status == "RUNNING" { "RUNNING" } else { "STARTING" });
    };
    let end = fargate::container(&account, &environment, number, size, step).await;
    let status = if matches!(end, End::Exited(0)) { "SUCCEEDED" } else { "FAILED" };
    {
        let mut inner = account.batch.inner();
        inner.finished.push_back((clock::now() + KNOWN, id.clone()));
        if let Some(job) = inner.jobs.get_mut(&id) {
            (job.status, job.end) = (status, Some(end));
        }
    }
    let event = json!({
        "version": "0", "source": "aws.batch", "detail-type": "Batch Job State Change",
        "detail": { "jobId": id, "status": status, "container": { "environment": environment } },
    });
    fargate::told(&account, &event, number).await;
}
