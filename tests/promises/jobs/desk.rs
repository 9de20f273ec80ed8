//! A ledger with one job, in a directory or in a bucket, and whoever is to run it.

use std::path::PathBuf;
use std::process::Child;

use e2e::{ControlPlane, Deployed, Moto, Run, Sandbox, python};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(super) const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:resize:$LATEST";

/// A ledger with one job, written by hand as docs/ledger.md has it.
pub(super) struct Desk {
    pub(super) root: TempDir,
    pub(super) plane: ControlPlane,
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) destinations: String,
}

pub(super) fn desk(handler: &str, event: &str) -> Desk {
    with(Deployed::new(&python(), "python3.11", handler), event)
}

pub(super) fn with(function: Deployed, event: &str) -> Desk {
    let desk = Desk {
        root: TempDir::new().unwrap(),
        plane: ControlPlane::with(function),
        variables: Vec::new(),
        destinations: "stdout".to_owned(),
    };
    desk.write("active/j-1", "");
    desk.write("jobs/j-1/job.json", &job(event));
    desk
}

pub(super) fn job(event: &str) -> String {
    let origin = json!({ "kind": "direct", "approximateInvokeCount": 3 });
    format!(
        r#"{{"version":1,"id":"j-1","function":"resize","event":{event},"context":{{"requestId":"r-1"}},"origin":{origin},"created":"2026-10-09T16:43:26.568Z"}}"#
    )
}

impl Desk {
    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(super) fn read(&self, name: &str) -> Value {
        let text = std::fs::read(self.path(name)).unwrap_or_else(|_| panic!("{name} is not there"));
        serde_json::from_slice(&text).unwrap()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub(super) fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    pub(super) fn sandbox(&self, attempt: u32) -> Sandbox {
        let runtimes = e2e::root().join(".runtimes").display().to_string();
        let address = format!("file://{}/jobs/j-1", self.root.path().display());
        let sandbox = Sandbox::new(&[])
            .variable("IMMORTAL_RUNTIME_DIR", &runtimes)
            .variable("IMMORTAL_JOB", &address)
            .variable("IMMORTAL_ATTEMPT", &attempt.to_string())
            .variable("IMMORTAL_DESTINATIONS", &self.destinations);
        let own = self.variables.iter().map(|(name, value)| (*name, value.as_str()));
        let all = self.plane.variables().into_iter().chain(own);
        all.fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value))
    }

    pub(super) fn run(&self, attempt: u32) -> Run {
        self.sandbox(attempt).run()
    }

    /// Started, with the directory that is to live as long.
    pub(super) fn start(&self, attempt: u32) -> (Sandbox, Child) {
        let sandbox = self.sandbox(attempt);
        let child = sandbox.start();
        (sandbox, child)
    }
}

/// A job in a bucket, and whoever is to run it; what comes of it goes to the bucket, too.
pub(super) fn in_a_bucket(moto: &Moto, plane: &ControlPlane, event: &str) -> Sandbox {
    recorded(moto, plane, &job(event)).variable("IMMORTAL_DESTINATIONS", "s3://jobs-of-mine/done")
}

/// The first attempt of this job in a bucket.
pub(crate) fn recorded(moto: &Moto, plane: &ControlPlane, job: &str) -> Sandbox {
    moto.bucket("jobs-of-mine");
    moto.put("jobs-of-mine/p/active/j-1", b"");
    moto.put("jobs-of-mine/p/jobs/j-1/job.json", job.as_bytes());
    let runtimes = e2e::root().join(".runtimes").display().to_string();
    let sandbox = Sandbox::new(&[])
        .variable("IMMORTAL_RUNTIME_DIR", &runtimes)
        .variable("IMMORTAL_JOB", "s3://jobs-of-mine/p/jobs/j-1")
        .variable("IMMORTAL_ATTEMPT", "1");
    let all = moto.variables().into_iter().chain(plane.variables());
    all.fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value))
}
