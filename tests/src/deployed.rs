//! A function as a scripted Lambda API knows it, and what tests change of it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::Package;

/// A function as the API knows it.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// Its configuration; tests change what they need.
    pub configuration: Value,
    /// Its code's location, where there is one.
    pub code: Value,
    /// Its tags.
    pub tags: Map<String, Value>,
    pub(crate) zip: Vec<u8>,
    pub(crate) layers: Vec<Vec<u8>>,
    pub(crate) code_status: u16,
    pub(crate) changing: bool,
    pub(crate) invoke_config: (u16, Value),
    pub(crate) qualified: BTreeMap<String, (u16, Value)>,
    pub(crate) forgets: Option<&'static str>,
    pub(crate) refusals: Vec<(&'static str, u16, &'static str)>,
    pub(crate) mappings: Value,
}

impl Deployed {
    /// A function named `resize`.
    pub fn new(package: &Package, runtime: &str, handler: &str) -> Self {
        let zip = package.bytes();
        let configuration = json!({
            "FunctionName": "resize", "FunctionArn": arn("resize"), "Runtime": runtime, "Handler": handler,
            "Role": "arn:aws:iam::123456789012:role/resize", "Timeout": 3, "MemorySize": 512,
            "Version": "$LATEST", "PackageType": "Zip", "CodeSize": zip.len(), "CodeSha256": digest(&zip),
            "State": "Active", "LastUpdateStatus": "Successful",
        });
        let code = json!({ "RepositoryType": "S3", "Location": "HOST/code?X-Amz-Signature=canary-signature" });
        let invoke_config = (404, json!({ "Type": "User", "Message": "The function has none" }));
        let (layers, mappings) = (Vec::new(), json!([]));
        let (code_status, changing) = (200, false);
        Self {
            configuration,
            code,
            tags: Map::new(),
            zip,
            layers,
            code_status,
            changing,
            invoke_config,
            qualified: BTreeMap::new(),
            forgets: None,
            refusals: Vec::new(),
            mappings,
        }
    }

    /// Under another name than `resize`.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.configuration["FunctionName"] = name.into();
        self.configuration["FunctionArn"] = arn(name).into();
        let location = format!("HOST/code/{name}?X-Amz-Signature=canary-signature");
        self.code["Location"] = location.into();
        self
    }

    /// Whether a request is about it.
    pub(crate) fn is_meant(&self, path: &str) -> bool {
        let (route, _) = path.split_once('?').unwrap_or((path, ""));
        let name = self.configuration["FunctionName"].as_str().unwrap();
        let parts =
            route.split('/').flat_map(|part| part.split("%3A")).flat_map(|part| part.split(':'));
        parts.into_iter().any(|part| part == name)
    }

    /// With a layer on top of those it has.
    #[must_use]
    pub fn layer(mut self, package: &Package) -> Self {
        self.layers.push(package.bytes());
        let layers: Vec<Value> =
            (1..=self.layers.len()).map(|version| json!({ "Arn": layer_arn(version) })).collect();
        self.configuration["Layers"] = layers.into();
        self
    }

    /// With something else in its configuration.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.configuration[key] = value;
        self
    }

    /// With destinations of its own, by ARN: for answers, for failures.
    #[must_use]
    pub fn destinations(mut self, success: &str, failure: &str) -> Self {
        let config = json!({
            "OnSuccess": { "Destination": success }, "OnFailure": { "Destination": failure },
        });
        self.invoke_config = (200, json!({ "DestinationConfig": config }));
        self
    }

    /// With this configuration of asynchronous invocations.
    #[must_use]
    pub fn asynchronous(mut self, config: Value) -> Self {
        self.invoke_config = (200, config);
        self
    }

    /// That refuses the next change at an address with this end: status, message.
    #[must_use]
    pub fn refusing(mut self, end: &'static str, status: u16, message: &'static str) -> Self {
        self.refusals.push((end, status, message));
        self
    }

    /// That takes changes at an address with this end, and is as before.
    #[must_use]
    pub fn forgetting(mut self, end: &'static str) -> Self {
        self.forgets = Some(end);
        self
    }

    /// With destinations that nobody may read.
    #[must_use]
    pub fn secret_destinations(mut self) -> Self {
        self.invoke_config = (403, json!({ "Message": "not authorized" }));
        self
    }

    /// Fed by a queue or stream, and said to report the items that failed.
    #[must_use]
    pub fn reporting(mut self, source: &str) -> Self {
        self.mappings = json!([{
            "UUID": "m", "EventSourceArn": source, "FunctionArn": arn("resize"),
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }]);
        self
    }

    /// With other code each time it is asked for.
    #[must_use]
    pub fn changing(mut self) -> Self {
        self.changing = true;
        self
    }

    /// With a code URL that is answered with this status.
    #[must_use]
    pub fn code_status(mut self, status: u16) -> Self {
        self.code_status = status;
        self
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}")
}

pub(crate) fn layer_arn(version: usize) -> String {
    format!("arn:aws:lambda:eu-west-1:123456789012:layer:l:{version}")
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    BASE64.encode(Sha256::digest(bytes))
}
