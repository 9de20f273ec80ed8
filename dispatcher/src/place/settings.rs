//! Where tasks run, as the configuration file says it: `[ecs]`. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[ecs]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Name or ARN of the cluster.
    pub cluster: String,
    /// Name of the task definition: `{runtime}`, `{family}` (python, nodejs, provided, …) and `{arch}` (x86-64, arm64)
    /// stand for the function's.
    pub task_definition: String,
    /// Task definitions of single runtimes, by Lambda's identifier; `image` is that of container-image functions, whose
    /// images the runner then pulls. Without it, a definition is made for each image.
    pub definitions: BTreeMap<String, String>,
    /// Task definitions of single functions, by name with `*`: those with file systems, or images of their own.
    pub functions: BTreeMap<String, String>,
    /// Name of the container in it that is the runner.
    pub container: String,
    /// Subnets, at most 16: of functions without a VPC, and of all where `function_network` is off.
    pub subnets: Vec<String>,
    /// Security groups, at most 5.
    pub security_groups: Vec<String>,
    /// Whether a function in a VPC runs in its own subnets and security groups.
    pub function_network: bool,
    /// Whether tasks get a public address: they need one in public subnets.
    pub public_ip: bool,
    /// Capacity providers and their weights. `FARGATE_SPOT` costs less and may be taken away at any time.
    pub capacity: BTreeMap<String, u32>,
    /// A launch type instead of capacity providers (`FARGATE`).
    pub launch_type: Option<String>,
    /// Role of the task: an ARN, or `function` for the function's own. None: that of the task definition.
    pub task_role: Option<String>,
    /// CPU: `as-lambda`, or a number of CPU units (1,024 are a vCPU).
    pub cpu: Cpu,
    /// What the supervisor needs beside the function, MiB.
    pub supervisor_mb: u32,
    /// Disk for image and `/tmp`, GiB: 20 (which costs nothing) to 200, if more than the function's own.
    pub disk_gib: u32,
    /// Tags of tasks.
    pub tags: BTreeMap<String, String>,
}

/// How much CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Cpu {
    /// So many units.
    Units(u32),
    /// As Lambda gives a function of its memory.
    Rule(Rule),
}

/// A rule for CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// In proportion to memory.
    AsLambda,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cluster: "immortal".to_owned(),
            task_definition: "immortal-{family}-{arch}".to_owned(),
            definitions: BTreeMap::new(),
            functions: BTreeMap::new(),
            container: "runner".to_owned(),
            subnets: Vec::new(),
            security_groups: Vec::new(),
            function_network: true,
            public_ip: false,
            capacity: BTreeMap::from([("FARGATE".to_owned(), 1)]),
            launch_type: None,
            task_role: None,
            cpu: Cpu::Rule(Rule::AsLambda),
            supervisor_mb: 64,
            disk_gib: 20,
            tags: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Refuses what ECS would refuse of every task: what was expected, what was found.
    pub fn check(&self) -> Result<(), String> {
        let weights: u32 = self.capacity.values().sum();
        if self.launch_type.is_none() && weights == 0 {
            return Err(
                "expected a capacity provider with a weight above 0 in [ecs] capacity, found none"
                    .to_owned(),
            );
        }
        for (what, found, most) in [
            ("subnets", self.subnets.len(), 16),
            ("security_groups", self.security_groups.len(), 5),
        ] {
            if found > most {
                return Err(format!("expected at most {most} {what} in [ecs], found {found}"));
            }
        }
        if !(20..=200).contains(&self.disk_gib) {
            return Err(format!("expected [ecs] disk_gib from 20 to 200, found {}", self.disk_gib));
        }
        Ok(())
    }
}
