//! What is known of a function before it is run: what `GetFunctionConfiguration` says, in our own types. Pure.
//! Who asks Lambda is `aws`; how it is placed, `place`.

use std::collections::BTreeMap;

use ledger::Time;
use serde::{Deserialize, Serialize};

/// A deployed function, as far as its placement and the safety checks want to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its ARN without a qualifier.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `$LATEST` or the number of a version.
    pub version: String,
    /// Runtime identifier (`python3.13`); none for container images.
    pub runtime: Option<String>,
    /// The instruction set of its code.
    pub architecture: Architecture,
    /// Memory, MB (128 to 32,768).
    pub memory_mb: u32,
    /// Size of `/tmp`, MB (512 to 10,240).
    pub ephemeral_mb: u32,
    /// Time-out on Lambda, seconds.
    pub timeout_seconds: u32,
    /// ARN of its execution role.
    pub role: String,
    /// Where it is attached to a VPC.
    pub network: Option<Network>,
    /// Its code.
    pub code: Code,
    /// A file system that it has mounted.
    pub file_system: Option<FileSystem>,
    /// Queue or topic that takes its failed events (`DeadLetterConfig.TargetArn`).
    pub dead_letter: Option<String>,
    /// Durable functions (`DurableConfig`) cannot be run here.
    pub durable: bool,
    /// Isolated by tenant (`TenancyConfig`).
    pub tenants: bool,
    /// Its tags, where they may be read.
    pub tags: BTreeMap<String, String>,
    /// When its code or configuration was changed last, as Lambda writes it.
    pub modified: String,
    /// Which state of the configuration this is.
    pub revision: Option<String>,
}

impl Function {
    /// Whether its code or configuration was changed after this moment: then it is not what failed, unless a version
    /// is named. Both are in UTC, to the millisecond.
    pub fn changed_since(&self, moment: Time) -> bool {
        let moment = moment.to_string();
        let second = |text: &str| text.get(..19).map(str::to_owned);
        self.version == "$LATEST" && second(&self.modified) > second(&moment)
    }
}

/// Instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// `x86_64`
    X86,
    /// `arm64`
    Arm,
}

/// Subnets and security groups of a function in a VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Ids of subnets, at most 16.
    pub subnets: Vec<String>,
    /// Ids of security groups, at most 5.
    pub security_groups: Vec<String>,
}

/// Where a function's code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A zip archive, with layers.
    Zip,
    /// A container image, by digest where Lambda says it (`…@sha256:…`).
    Image(String),
}

/// A file system, as a rule an EFS access point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// ARN of the access point.
    pub arn: String,
    /// Where it is mounted, below `/mnt/`.
    pub mount: String,
}

impl FileSystem {
    /// Id of the EFS access point (`fsap-…`), if it is one.
    pub fn access_point(&self) -> Option<&str> {
        let (service, id) = self.arn.rsplit_once(":access-point/")?;
        service.contains(":elasticfilesystem:").then_some(id)
    }
}

#[cfg(test)]
pub(crate) fn sample() -> Function {
    Function {
        arn: "arn:aws:lambda:eu-west-1:123456789012:function:resize".into(),
        name: "resize".into(),
        version: "$LATEST".into(),
        runtime: Some("python3.13".into()),
        architecture: Architecture::X86,
        memory_mb: 1769,
        ephemeral_mb: 512,
        timeout_seconds: 900,
        role: "arn:aws:iam::123456789012:role/resize".into(),
        network: None,
        code: Code::Zip,
        file_system: None,
        dead_letter: None,
        durable: false,
        tenants: false,
        tags: BTreeMap::new(),
        modified: "2026-09-30T12:00:00.000+0000".into(),
        revision: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_was_changed_since_is_noticed() {
        let at = |text: &str| serde_json::from_value::<Time>(text.into()).unwrap();
        let mut function = sample();
        assert!(function.changed_since(at("2026-09-30T11:59:58.000Z")));
        assert!(!function.changed_since(at("2026-09-30T12:00:01.000Z")));
        function.version = "7".into();
        assert!(!function.changed_since(at("2026-01-01T00:00:00.000Z")));
    }
}
