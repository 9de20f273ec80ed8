//! What jobs live in: a ledger, Lambda's API, a queue, and the networks between, all of which fail.

use std::path::PathBuf;

use e2e::{ControlPlane, Deployed, Moto, Package, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::proxy;
use super::queue::Queue;
use super::schedule::Seed;

const BUCKET: &str = "chaos-jobs";

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    /// What happens.
    pub seed: Seed,
    /// Where outcomes go.
    pub queue: Queue,
    directory: TempDir,
    moto: Option<Moto>,
    variables: Vec<(String, String)>,
}

impl World {
    /// A world with its ledger in S3, or else in a directory.
    pub(crate) fn new(seed: Seed, bucket: bool, mutant: Option<&str>) -> Self {
        let function = std::fs::read(env!("CARGO_BIN_EXE_chaotic")).unwrap();
        let package = Package::default().executable("bootstrap", function);
        let plane = ControlPlane::with(Deployed::new(&package, "provided.al2023", "h"));
        let queue = Queue::open();
        let mut variables: Vec<(String, String)> = plane
            .variables()
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let mut set = |name: &str, value: String| variables.push((name.to_owned(), value));
        set("AWS_ENDPOINT_URL_LAMBDA", proxy::open(seed, "lambda", plane.address().to_owned()));
        set("AWS_ENDPOINT_URL_SQS", proxy::open(seed, "sqs", queue.address.clone()));
        set(
            "IMMORTAL_DESTINATIONS",
            "sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/done".into(),
        );
        set("IMMORTAL_STOP_TIMEOUT", "4s".into());
        set("IMMORTAL_MUTANT", mutant.unwrap_or_default().to_owned());
        let moto = bucket.then(Moto::start);
        if let Some(moto) = &moto {
            moto.bucket(BUCKET);
            let target = moto.url().trim_start_matches("http://").to_owned();
            set("AWS_ENDPOINT_URL_S3", proxy::open(seed, "s3", target));
        }
        // It answers from threads of its own.
        std::mem::forget(plane);
        Self { seed, queue, directory: TempDir::new().unwrap(), moto, variables }
    }

    /// Records a job, as a dispatcher does: the marker first.
    pub(crate) fn record(&self, number: usize) -> String {
        let id = format!("job-{number}");
        let event = json!({
            "job": id, "notes": self.notes(&id), "millis": self.seed.millis(number), "bytes": self.seed.bytes(number),
        });
        let job = json!({
            "version": 1, "id": id, "function": "resize", "event": event, "context": { "requestId": id },
            "origin": { "kind": "direct" }, "created": "2026-10-09T16:43:26.568Z",
        });
        self.put(&format!("active/{id}"), "");
        self.put(&format!("jobs/{id}/job.json"), &job.to_string());
        id
    }

    fn put(&self, key: &str, text: &str) {
        if let Some(moto) = &self.moto {
            return moto.put(&format!("{BUCKET}/{key}"), text.as_bytes());
        }
        let path = self.path(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// An object of the ledger.
    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        match &self.moto {
            Some(moto) => moto.get(&format!("{BUCKET}/{key}")),
            None => std::fs::read(self.path(key)).ok(),
        }
    }

    /// A record of the ledger.
    pub(crate) fn json(&self, key: &str) -> Option<Value> {
        self.get(key).map(|bytes| serde_json::from_slice(&bytes).unwrap())
    }

    fn path(&self, key: &str) -> PathBuf {
        self.directory.path().join("ledger").join(key)
    }

    /// Where the function notes that it began.
    fn notes(&self, id: &str) -> PathBuf {
        self.directory.path().join(format!("{id}.notes"))
    }

    /// How often the function began.
    pub(crate) fn begun(&self, id: &str) -> usize {
        std::fs::read_to_string(self.notes(id)).unwrap_or_default().lines().count()
    }

    /// A runner for an attempt.
    pub(crate) fn runner(&self, id: &str, attempt: u32) -> Sandbox {
        let root = match &self.moto {
            Some(_) => format!("s3://{BUCKET}"),
            None => format!("file://{}", self.path("").display()).trim_end_matches('/').to_owned(),
        };
        let sandbox = Sandbox::new(&[])
            .variable("IMMORTAL_JOB", &format!("{root}/jobs/{id}"))
            .variable("IMMORTAL_ATTEMPT", &attempt.to_string());
        self.variables.iter().fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value))
    }
}
