//! Jobs of AWS Batch: function and configuration (`[batch]`) → job definition, queue, size, name, what the runner is
//! told. Pure. `SubmitJob` has no token: a repetition is known by the name, which is the attempt's own.

use std::collections::BTreeMap;
use std::time::Duration;

use ledger::JobId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::size::Size;
use super::{Cpu, OVERRIDES, Rule, Wanted, size};
use crate::function::Function;
use crate::resolve::allow::matches;

/// `[batch]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Name or ARN of the job queue.
    pub queue: String,
    /// Queues of single functions, by name with `*`: larger machines, GPUs, another network.
    pub queues: BTreeMap<String, String>,
    /// Name of the job definition: `{runtime}`, `{family}` and `{arch}` stand for the function's.
    pub job_definition: String,
    /// Job definitions of single runtimes, by Lambda's identifier; `image` is that of container-image functions.
    pub definitions: BTreeMap<String, String>,
    /// Job definitions of single functions, by name with `*`: those with roles, disks or file systems of their own.
    pub functions: BTreeMap<String, String>,
    /// What the job definitions are made for.
    pub platform: Platform,
    /// GPUs of single functions, by name with `*`; on EC2 only.
    pub gpus: BTreeMap<String, u32>,
    /// Share identifier, where the queue's scheduling policy has shares.
    pub share: Option<String>,
    /// Priority within the share: 0 to 9999, higher first.
    pub priority: Option<u32>,
    /// After so long Batch ends an attempt; none: the job definition's.
    #[serde(with = "crate::seconds::optional")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub timeout: Option<Duration>,
    /// Whether functions in a VPC are refused that have no queue of their own in `queues`: a queue's machines have one
    /// network.
    pub function_network: bool,
    /// CPU: `as-lambda`, or a number of CPU units (1,024 are a vCPU).
    pub cpu: Cpu,
    /// What the supervisor needs beside the function, MiB.
    pub supervisor_mb: u32,
    /// Tags of jobs and their tasks.
    pub tags: BTreeMap<String, String>,
}

/// Where jobs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// On Fargate: its sizes.
    Fargate,
    /// On instances: whole vCPUs, any memory, GPUs.
    Ec2,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            queue: "immortal".to_owned(),
            queues: BTreeMap::new(),
            job_definition: "immortal-{family}-{arch}".to_owned(),
            definitions: BTreeMap::new(),
            functions: BTreeMap::new(),
            platform: Platform::Fargate,
            gpus: BTreeMap::new(),
            share: None,
            priority: None,
            timeout: None,
            function_network: true,
            cpu: Cpu::Rule(Rule::AsLambda),
            supervisor_mb: 64,
            tags: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Refuses what Batch would refuse of every job: what was expected, what was found.
    pub fn check(&self) -> Result<(), String> {
        if let Some(timeout) = self.timeout.filter(|timeout| *timeout < Duration::from_mins(1)) {
            let found = timeout.as_secs();
            return Err(format!("expected [batch] timeout of at least 1m, found {found}s"));
        }
        if let Some(priority) = self.priority {
            if self.share.is_none() {
                return Err("expected a `share` beside `priority` in [batch], since priorities count within a share, found none".to_owned());
            }
            if priority > 9_999 {
                return Err(format!("expected [batch] priority from 0 to 9999, found {priority}"));
            }
        }
        if self.platform == Platform::Fargate && !self.gpus.is_empty() {
            return Err("expected `platform = \"ec2\"` beside `gpus` in [batch], since Fargate has none, found \"fargate\"".to_owned());
        }
        Ok(())
    }
}

/// A job of AWS Batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Its name: the attempt's own.
    pub job_name: String,
    /// The queue.
    pub job_queue: String,
    /// The job definition: its newest revision, where none is named.
    pub job_definition: String,
    /// CPU and memory.
    pub size: Size,
    /// GPUs.
    #[serde(default)]
    pub gpus: u32,
    /// Share identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// Priority within the share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// After so many seconds Batch ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// What the runner is told: no secrets, since it is visible to everybody who may describe jobs.
    pub environment: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// Of the characters of a task's overrides, what Batch's own variables (`AWS_BATCH_JOB_ID`, …) may need. Above the limit
/// the job is accepted, and fails later.
const BATCHS_OWN: usize = 1_024;
/// The most vCPUs of a job on Fargate, in CPU units (Batch API reference, `ResourceRequirement`).
const FARGATES_LARGEST: u32 = 16 * 1_024;

/// Places an attempt. Errors say what was expected, what was found, what to do.
pub fn place(wanted: &Wanted<'_>, settings: &Settings) -> Result<Placement, String> {
    let function = wanted.function;
    super::runnable(wanted)?;
    let placement = Placement {
        job_name: name(wanted.job, wanted.attempt, wanted.address),
        job_queue: queue(function, settings)?,
        job_definition: definition(function, settings)?,
        size: fitting(function, wanted.larger, settings)?,
        gpus: found(&settings.gpus, function).copied().unwrap_or_default(),
        share: settings.share.clone(),
        priority: settings.priority,
        timeout_seconds: settings.timeout.map(|timeout| timeout.as_secs()),
        environment: super::environment(wanted),
        tags: super::tags(wanted, &settings.tags),
    };
    let (length, most) = (placement.overrides().to_string().len(), OVERRIDES - BATCHS_OWN);
    if length > most {
        return Err(format!(
            "expected overrides of at most {most} characters, found {length}: shorten the list of destinations"
        ));
    }
    Ok(placement)
}

fn found<'a, T>(table: &'a BTreeMap<String, T>, function: &Function) -> Option<&'a T> {
    table.iter().find(|(pattern, _)| matches(pattern, &function.name)).map(|(_, value)| value)
}

fn queue(function: &Function, settings: &Settings) -> Result<String, String> {
    if let Some(own) = found(&settings.queues, function) {
        return Ok(own.clone());
    }
    match &function.network {
        Some(network) if settings.function_network => Err(format!(
            "expected a queue whose machines are in {} for `{}`, found none: name it in [batch.queues], or say \
             `function_network = false` in [batch] if it can do without its VPC",
            network.subnets.join(", "),
            function.name
        )),
        _ => Ok(settings.queue.clone()),
    }
}

fn definition(function: &Function, settings: &Settings) -> Result<String, String> {
    if let Some(own) = found(&settings.functions, function) {
        return Ok(own.clone());
    }
    super::unmounted(function, "a job definition", "[batch.functions]")?;
    super::named(function, &settings.job_definition, &settings.definitions, "[batch.definitions]")
}

fn fitting(function: &Function, larger: u32, settings: &Settings) -> Result<Size, String> {
    let (cpu, memory) = super::needs(function, settings.cpu, settings.supervisor_mb);
    let size = match settings.platform {
        Platform::Fargate => {
            size::smallest(cpu, memory, larger).filter(|size| size.cpu <= FARGATES_LARGEST)
        }
        Platform::Ec2 => size::doubled(memory, larger)
            .map(|memory| Size { cpu: cpu.div_ceil(1_024).max(1) * 1_024, memory }),
    };
    size.ok_or_else(|| {
        format!(
            "expected a function that fits into 16 vCPU and 120 GB, found `{}` with {memory} MiB{}",
            function.name,
            super::doublings(larger)
        )
    })
}

/// At most 128 letters, digits, `-`, `_`, beginning with a letter (Batch API reference, `SubmitJob`). Other ledgers may
/// have a job of the same name in this queue: the address tells them apart.
fn name(job: &JobId, attempt: u32, address: &str) -> String {
    let ledger = JobId::from_digest(address.as_bytes());
    format!("immortal-{}-{attempt}-{}", super::plain(job, 90), &ledger.as_str()[..8])
}

impl Placement {
    /// What `SubmitJob` is asked, for people (Batch API reference).
    pub fn request(&self) -> Value {
        let mut request = json!({
            "jobName": self.job_name,
            "jobQueue": self.job_queue,
            "jobDefinition": self.job_definition,
            "containerOverrides": self.overrides(),
            "retryStrategy": { "attempts": 1 },
            "propagateTags": true,
            "tags": self.tags,
        });
        if let Some(share) = &self.share {
            request["shareIdentifier"] = share.as_str().into();
        }
        if let Some(priority) = self.priority {
            request["schedulingPriorityOverride"] = priority.into();
        }
        if let Some(seconds) = self.timeout_seconds {
            request["timeout"] = json!({ "attemptDurationSeconds": seconds });
        }
        request
    }

    /// What is different from the job definition.
    fn overrides(&self) -> Value {
        let environment: Vec<_> = self
            .environment
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let requirement = |(kind, value): (&str, String)| json!({ "type": kind, "value": value });
        let requirements: Vec<_> = self.requirements().into_iter().map(requirement).collect();
        json!({ "environment": environment, "resourceRequirements": requirements })
    }

    /// What of each resource is asked for, as Batch writes it.
    pub fn requirements(&self) -> Vec<(&'static str, String)> {
        let vcpus = f64::from(self.size.cpu) / 1_024.0;
        let mut all = vec![("VCPU", vcpus.to_string()), ("MEMORY", self.size.memory.to_string())];
        if self.gpus > 0 {
            all.push(("GPU", self.gpus.to_string()));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::{Network, sample};

    fn read(text: &str) -> Settings {
        toml::from_str(text).unwrap()
    }

    fn placed(function: &Function, settings: &Settings) -> Result<Placement, String> {
        let job: JobId = "8f0d0d9a".parse().unwrap();
        let address = "s3://jobs/x/jobs/8f0d0d9a";
        let (attempt, larger, by_worker, destinations) = (2, 0, false, None);
        let (job, tenant) = (&job, None);
        place(
            &Wanted { function, job, address, tenant, attempt, larger, by_worker, destinations },
            settings,
        )
    }

    #[test]
    fn a_request_is_what_batch_wants_to_hear() {
        let settings = read(
            "queue = \"long\"\nshare = \"reports\"\npriority = 7\ntimeout = \"2h\"\ntags = { team = \"a\" }",
        );
        let placement = placed(&sample(), &settings).unwrap();
        assert_eq!(
            placement.request(),
            json!({
                "jobName": "immortal-8f0d0d9a-2-14f6ac78",
                "jobQueue": "long",
                "jobDefinition": "immortal-python-x86-64",
                "containerOverrides": {
                    "environment": [
                        { "name": "IMMORTAL_ATTEMPT", "value": "2" },
                        { "name": "IMMORTAL_JOB", "value": "s3://jobs/x/jobs/8f0d0d9a" },
                    ],
                    "resourceRequirements": [
                        { "type": "VCPU", "value": "1" },
                        { "type": "MEMORY", "value": "2048" },
                    ],
                },
                "shareIdentifier": "reports",
                "schedulingPriorityOverride": 7,
                "retryStrategy": { "attempts": 1 },
                "timeout": { "attemptDurationSeconds": 7200 },
                "propagateTags": true,
                "tags": { "team": "a", "immortal:function": "resize", "immortal:job": "8f0d0d9a" },
            })
        );
        let text = serde_json::to_string(&placement).unwrap();
        assert_eq!(serde_json::from_str::<Placement>(&text).unwrap(), placement);
    }

    #[test]
    fn sizes_are_fargates_or_whole_cpus_and_gpus() {
        let mut small = sample();
        small.memory_mb = 128;
        let of = |settings: &str| placed(&small, &read(settings)).unwrap().requirements();
        assert_eq!(of(""), [("VCPU", "0.25".into()), ("MEMORY", "512".into())]);
        let ec2 = "platform = \"ec2\"\ngpus = { \"res*\" = 2 }\ncpu = 1500";
        let expected = [("VCPU", "2".into()), ("MEMORY", "192".into()), ("GPU", "2".into())];
        assert_eq!(of(ec2), expected);
        let mut large = sample();
        large.memory_mb = 130_000;
        assert!(placed(&large, &Settings::default()).unwrap_err().contains("16 vCPU"));
        assert!(placed(&large, &read("platform = \"ec2\"")).is_ok());
    }

    #[test]
    fn what_a_job_cannot_be_given_must_be_its_queues_or_its_definitions() {
        let mut inside = sample();
        let subnets = vec!["subnet-f".to_owned()];
        inside.network = Some(Network { subnets, security_groups: Vec::new() });
        let why = placed(&inside, &Settings::default()).unwrap_err();
        assert!(why.contains("subnet-f") && why.contains("[batch.queues]"), "{why}");
        let own = placed(&inside, &read("queues = { resize = \"inside\" }")).unwrap();
        assert_eq!(own.job_queue, "inside");
        assert!(placed(&inside, &read("function_network = false")).is_ok());
        let mut mounted = sample();
        let mount = "/mnt/data".to_owned();
        mounted.file_system = Some(crate::function::FileSystem { arn: "arn:fs".into(), mount });
        let why = placed(&mounted, &Settings::default()).unwrap_err();
        assert!(why.contains("[batch.functions]"), "{why}");
        let own = placed(&mounted, &read("functions = { \"res*\" = \"mounting:3\" }")).unwrap();
        assert_eq!(own.job_definition, "mounting:3");
    }

    #[test]
    fn names_keep_to_batchs_limits_and_are_the_attempts_own() {
        let long: JobId = "x".repeat(128).parse().unwrap();
        let dotted: JobId = "a.b".parse().unwrap();
        for job in [&long, &dotted] {
            let name = name(job, u32::MAX, "s3://b/jobs/x");
            assert!(name.len() <= 128 && !name.contains('.'), "{name}");
        }
        let (one, other) = ("s3://one/jobs/j".to_owned(), "s3://other/jobs/j".to_owned());
        let names = [(1, &one), (2, &one), (1, &other)].map(|(n, at)| name(&dotted, n, at));
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2], "{names:?}");
    }

    #[test]
    fn settings_that_batch_would_refuse_are_refused() {
        for (text, part) in [
            ("timeout = \"59s\"", "at least 1m"),
            ("priority = 1", "`share`"),
            ("share = \"a\"\npriority = 10000", "0 to 9999"),
            ("gpus = { \"*\" = 1 }", "ec2"),
        ] {
            let why = read(text).check().unwrap_err();
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(Settings::default().check(), Ok(()));
    }
}
