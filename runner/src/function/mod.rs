//! A function: what is to run and where its code is, however that became known. Bytes are fetched
//! and unpacked elsewhere.

pub mod local;
pub mod name;
pub mod runtime;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ledger::Redacted;

use crate::telemetry::Logging;

/// A function's configuration and packages.
#[derive(Debug, Clone)]
pub struct Function {
    /// Bare name.
    pub name: String,
    /// ARN as invoked, with qualifier where there was one.
    pub arn: String,
    /// Version, `$LATEST` or a number.
    pub version: String,
    /// Runtime identifier, such as `python3.13`.
    pub runtime: String,
    /// Handler, such as `app.handler`.
    pub handler: String,
    /// Memory size in MB.
    pub memory: u32,
    /// Region, for the function's environment.
    pub region: String,
    /// Log group.
    pub log_group: String,
    /// How its log is written.
    pub logging: Logging,
    /// Its variables.
    pub variables: BTreeMap<String, Redacted<String>>,
    /// Its code.
    pub code: Package,
    /// Its layers, lowest first.
    pub layers: Vec<Package>,
    /// The container image that it is instead of a package.
    pub image: Option<Image>,
    /// ARN of its execution role.
    pub role: Option<String>,
}

/// A function that is a container image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Where it is, as people write it.
    pub reference: String,
    /// Instead of the image's ENTRYPOINT.
    pub entry_point: Option<Vec<String>>,
    /// Instead of the image's CMD.
    pub command: Option<Vec<String>>,
    /// Instead of the image's WORKDIR.
    pub directory: Option<String>,
}

/// A zip as stored, or a directory that stands for one.
#[derive(Debug, Clone)]
pub struct Package {
    /// How messages call it: `function package`, a layer's ARN, a path.
    pub name: String,
    /// Where it is.
    pub location: Location,
    /// SHA-256 of the zip, in base64 as Lambda gives it.
    pub sha256: Option<String>,
    /// Length of the zip in bytes, as far as is known beforehand.
    pub size: Option<u64>,
}

/// An object in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Object {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Version, where not the newest one.
    pub version: Option<String>,
}

/// Where a package is.
#[derive(Debug, Clone)]
pub enum Location {
    /// A zip file.
    File(PathBuf),
    /// A directory, used as it is.
    Directory(PathBuf),
    /// A URL that the user gave, or an endpoint that the user chose: a secret.
    Url(Redacted<String>),
    /// A presigned URL from AWS, which is to be AWS's own: a secret. It is good for 10 minutes.
    Presigned(Redacted<String>),
    /// A blob of a registry, which may send us elsewhere.
    Blob {
        /// Its address.
        url: String,
        /// Header that says who asks: a secret.
        authorization: Option<Redacted<String>>,
    },
    /// An object of S3, to be fetched with our own rights.
    S3(S3Object),
}

impl Function {
    /// The account that it belongs to, where its ARN says so.
    pub fn account(&self) -> Option<&str> {
        self.arn.split(':').nth(4).filter(|account| !account.is_empty())
    }

    /// How many invocations its runtime takes at once, where that is more than one
    /// (`AWS_LAMBDA_MAX_CONCURRENCY`: Lambda's managed instances).
    pub fn concurrency(&self) -> Option<usize> {
        let text = self.variables.get("AWS_LAMBDA_MAX_CONCURRENCY")?.expose();
        text.parse().ok().filter(|count| *count > 0)
    }

    /// Whether a runtime that was started for one serves the other: all is the same, but the addresses at which the code
    /// is to be had today, and the name by which the function was asked for.
    pub fn is(&self, other: &Self) -> bool {
        let code = |package: &Package| (package.name.clone(), package.sha256.clone());
        let layers = |function: &Self| function.layers.iter().map(code).collect::<Vec<_>>();
        let scalars = |it: &Self| (it.memory, it.logging, it.account().map(str::to_owned));
        let texts = |it: &Self| {
            [&it.name, &it.version, &it.runtime, &it.handler, &it.region, &it.log_group]
                .map(Clone::clone)
        };
        texts(self) == texts(other)
            && scalars(self) == scalars(other)
            && (&self.variables, &self.image, &self.role)
                == (&other.variables, &other.image, &other.role)
            && (code(&self.code), layers(self)) == (code(&other.code), layers(other))
    }

    /// What its files are known by: the digests of its code and layers. None where one is not known.
    pub fn files(&self) -> Option<String> {
        let digests = self.layers.iter().chain([&self.code]).map(|package| package.sha256.clone());
        digests.collect::<Option<Vec<_>>>().map(|digests| digests.join(" "))
    }

    /// Lets another module take the place of the handler's, keeping the exported name.
    pub fn override_module(&mut self, module: &str) {
        let module = [".js", ".mjs", ".cjs", ".py"]
            .iter()
            .find_map(|end| module.strip_suffix(end))
            .unwrap_or(module);
        let export = self.handler.rsplit_once('.').map_or("handler", |(_, export)| export);
        self.handler = format!("{module}.{export}");
    }
}
