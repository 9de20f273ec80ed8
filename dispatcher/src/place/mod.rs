//! Where and how an attempt will run: function and configuration → task definition, size, role, network, what the
//! runner is told. Pure; a placement is recorded before it is asked for, so that a repetition asks for the same.

pub mod batch;
pub mod cost;
pub mod definition;
mod settings;
pub mod size;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use definition::{Own, definition};
use ledger::{Destination, JobId};
use runner::function::runtime;
use serde::{Deserialize, Serialize};
pub use settings::{Cpu, Rule, Settings};
use size::Size;

use crate::function::{Architecture, Code, Function};

/// What is to be run.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The function.
    pub function: &'a Function,
    /// The job.
    pub job: &'a JobId,
    /// Address of the job in the ledger.
    pub address: &'a str,
    /// The tenant that it is for.
    pub tenant: Option<&'a str>,
    /// The attempt.
    pub attempt: u32,
    /// Sizes above the function's own.
    pub larger: u32,
    /// Whether workers make it.
    pub by_worker: bool,
    /// Where outcomes go that neither job nor function sends anywhere.
    pub destinations: Option<&'a [Destination]>,
}

/// A task of ECS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The cluster.
    pub cluster: String,
    /// Family of the task definition, or more exactly.
    pub task_definition: String,
    /// What it is made of, where it is made for the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Own>,
    /// The container that is the runner.
    pub container: String,
    /// CPU and memory.
    pub size: Size,
    /// Disk, GiB, if more than 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_gib: Option<u32>,
    /// Role of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_role: Option<String>,
    /// Subnets.
    pub subnets: Vec<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// Whether it gets a public address.
    pub public_ip: bool,
    /// Capacity providers and weights.
    #[serde(default)]
    pub capacity: BTreeMap<String, u32>,
    /// A launch type in their place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_type: Option<String>,
    /// What the runner is told: no secrets, since it is visible to everybody who may describe tasks.
    pub environment: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Who started it: found again by it.
    pub started_by: String,
}

/// The most characters of all overrides, JSON included (ECS API reference, `TaskOverride`).
pub const OVERRIDES: usize = 8_192;

/// Places an attempt. Errors say what was expected, what was found, what to do.
pub fn place(wanted: &Wanted<'_>, settings: &Settings) -> Result<Placement, String> {
    let function = wanted.function;
    runnable(wanted)?;
    let size = fitting(function, wanted.larger, settings)?;
    let (subnets, security_groups) = network(function, settings)?;
    let (task_definition, own) = definition(function, settings)?;
    let placement = Placement {
        cluster: settings.cluster.clone(),
        task_definition,
        own,
        container: settings.container.clone(),
        size,
        disk_gib: disk(function, settings),
        task_role: match settings.task_role.as_deref() {
            Some("function") => Some(function.role.clone()),
            role => role.map(str::to_owned),
        },
        subnets,
        security_groups,
        public_ip: settings.public_ip,
        capacity: match settings.launch_type {
            Some(_) => BTreeMap::new(),
            None => settings.capacity.clone(),
        },
        launch_type: settings.launch_type.clone(),
        environment: environment(wanted),
        tags: tags(wanted, &settings.tags),
        started_by: started_by(wanted.job, wanted.attempt),
    };
    let length = placement.overrides().to_string().len();
    if length > OVERRIDES {
        return Err(format!(
            "expected overrides of at most {OVERRIDES} characters, found {length}: shorten the list of destinations"
        ));
    }
    Ok(placement)
}

/// Refuses functions of kinds that cannot be run from outside Lambda.
pub fn runnable(wanted: &Wanted<'_>) -> Result<(), String> {
    possible(wanted.function, wanted.tenant)
}

/// The same, of a function and the tenant that is named.
pub fn possible(function: &Function, tenant: Option<&str>) -> Result<(), String> {
    let name = &function.name;
    if function.tenants && tenant.is_none() {
        return Err(format!(
            "expected the tenant of an invocation of `{name}`, which isolates its tenants, found none: failures do not \
             name it; send a request with `tenantId`"
        ));
    }
    if function.durable {
        return Err(format!(
            "expected a function that runs by itself, found `{name}`, which is durable: its checkpoints need Lambda, and it may take a year there"
        ));
    }
    Ok(())
}

fn fitting(function: &Function, larger: u32, settings: &Settings) -> Result<Size, String> {
    let (cpu, memory) = needs(function, settings.cpu, settings.supervisor_mb);
    size::smallest(cpu, memory, larger).ok_or_else(|| {
        format!(
            "expected a function that fits into 32 vCPU and 244 GB, found `{}` with {memory} MiB{}",
            function.name,
            doublings(larger)
        )
    })
}

/// CPU units and MiB that a function needs with its supervisor.
fn needs(function: &Function, cpu: Cpu, supervisor_mb: u32) -> (u32, u32) {
    let cpu = match cpu {
        Cpu::Units(units) => units,
        // 10,240 MB are 5.79 vCPU; the next size has 8.
        Cpu::Rule(Rule::AsLambda) => size::as_lambda(function.memory_mb),
    };
    (cpu, function.memory_mb + supervisor_mb)
}

fn doublings(larger: u32) -> String {
    match larger {
        0 => String::new(),
        times => format!(", doubled {times} times since it ran out of memory"),
    }
}

/// Refuses a function with a file system, which only a definition of its own can mount.
fn unmounted(function: &Function, what: &str, table: &str) -> Result<(), String> {
    let Some(file_system) = &function.file_system else { return Ok(()) };
    Err(format!(
        "expected {what} that mounts {} at {} for `{}`, found none: make one and name it in {table}",
        file_system.arn, file_system.mount, function.name
    ))
}

/// The name that a rule gives for a function: `{runtime}`, `{family}` and `{arch}` are filled in. `single` has the
/// names of single runtimes, in this `table` of the configuration.
pub fn named(
    function: &Function,
    rule: &str,
    single: &BTreeMap<String, String>,
    table: &str,
) -> Result<String, String> {
    let arch = match function.architecture {
        Architecture::X86 => "x86-64",
        Architecture::Arm => "arm64",
    };
    // What an image is made from is that of custom runtimes, which is the least.
    let (key, runtime) = match &function.code {
        Code::Image(_) => ("image", "provided"),
        Code::Zip => {
            let runtime = function.runtime.as_deref().unwrap_or("provided");
            (runtime, runtime)
        }
    };
    let rule = single.get(key).map_or(rule, String::as_str);
    if !rule.contains("{family}") {
        return Ok(filled(rule, runtime, "", arch));
    }
    let family = runtime::find(runtime)
        .map_err(|unknown| format!("{unknown}; or name what runs it in {table}"))?;
    Ok(filled(rule, runtime, &family.name, arch))
}

/// Families have letters, digits, `-` and `_`; what else a runtime has becomes `-`.
pub(crate) fn filled(rule: &str, runtime: &str, family: &str, arch: &str) -> String {
    let runtime: String =
        runtime.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    rule.replace("{runtime}", &runtime).replace("{family}", family).replace("{arch}", arch)
}

fn network(function: &Function, settings: &Settings) -> Result<(Vec<String>, Vec<String>), String> {
    match &function.network {
        Some(own) if settings.function_network => {
            Ok((own.subnets.clone(), own.security_groups.clone()))
        }
        _ if settings.subnets.is_empty() => {
            Err("expected subnets in [ecs], since tasks on Fargate need a network, found none"
                .to_owned())
        }
        _ => Ok((settings.subnets.clone(), settings.security_groups.clone())),
    }
}

/// Image and `/tmp` share a disk of 20 GiB; more has to be asked for, at least 21.
fn disk(function: &Function, settings: &Settings) -> Option<u32> {
    let own = 20 + function.ephemeral_mb.saturating_sub(512).div_ceil(1024);
    let wanted = settings.disk_gib.max(own);
    (wanted > 20).then_some(wanted.min(200))
}

/// What the runner is told.
pub fn environment(wanted: &Wanted<'_>) -> BTreeMap<String, String> {
    let mut told = BTreeMap::from([
        ("IMMORTAL_JOB".to_owned(), wanted.address.to_owned()),
        ("IMMORTAL_ATTEMPT".to_owned(), wanted.attempt.to_string()),
    ]);
    if let Some(destinations) = wanted.destinations {
        let list: Vec<String> = destinations.iter().map(ToString::to_string).collect();
        told.insert("IMMORTAL_DESTINATIONS".to_owned(), list.join(","));
    }
    told
}

fn tags(wanted: &Wanted<'_>, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut tags = own.clone();
    tags.insert("immortal:function".to_owned(), wanted.function.name.clone());
    tags.insert("immortal:job".to_owned(), wanted.job.to_string());
    tags
}

/// At most 128 letters, digits, `-`, `_`, `/` (ECS API reference, `RunTask`).
pub fn started_by(job: &JobId, attempt: u32) -> String {
    format!("immortal/{}/{attempt}", plain(job, 100))
}

/// The name by which a launcher knows a request again: at most 64 characters.
pub fn token(job: &JobId, attempt: u32, series: u32) -> String {
    format!("{}-{attempt}-{series}", plain(job, 40))
}

/// A job's name without dots, or its digest where it is too long.
fn plain(job: &JobId, most: usize) -> String {
    let name = job.as_str();
    if name.len() <= most && !name.contains('.') {
        return name.to_owned();
    }
    JobId::from_digest(name.as_bytes()).to_string()
}

impl Placement {
    /// What `RunTask` is asked, for people (ECS API reference).
    pub fn request(&self, token: &str) -> serde_json::Value {
        let public = if self.public_ip { "ENABLED" } else { "DISABLED" };
        let item = |(provider, weight): (&String, &u32)| serde_json::json!({ "capacityProvider": provider, "weight": weight });
        let tag =
            |(key, value): (&String, &String)| serde_json::json!({ "key": key, "value": value });
        let mut request = serde_json::json!({
            "cluster": self.cluster,
            "taskDefinition": self.task_definition,
            "count": 1,
            "clientToken": token,
            "startedBy": self.started_by,
            "propagateTags": "TASK_DEFINITION",
            "enableECSManagedTags": true,
            "networkConfiguration": { "awsvpcConfiguration": {
                "subnets": self.subnets, "securityGroups": self.security_groups, "assignPublicIp": public,
            }},
            "overrides": self.overrides(),
            "tags": self.tags.iter().map(tag).collect::<Vec<_>>(),
        });
        if let Some(kind) = &self.launch_type {
            request["launchType"] = kind.as_str().into();
        } else {
            let items: Vec<_> = self.capacity.iter().map(item).collect();
            request["capacityProviderStrategy"] = items.into();
        }
        request
    }

    /// What is different from the task definition, as `RunTask` is told: for people, and to be measured.
    pub fn overrides(&self) -> serde_json::Value {
        let environment: Vec<_> = self
            .environment
            .iter()
            .map(|(name, value)| serde_json::json!({ "name": name, "value": value }))
            .collect();
        let mut overrides = serde_json::json!({
            "cpu": self.size.cpu.to_string(),
            "memory": self.size.memory.to_string(),
            "containerOverrides": [{ "name": self.container, "environment": environment }],
        });
        if let Some(gib) = self.disk_gib {
            overrides["ephemeralStorage"] = serde_json::json!({ "sizeInGiB": gib });
        }
        if let Some(role) = &self.task_role {
            overrides["taskRoleArn"] = role.as_str().into();
        }
        overrides
    }
}
