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

    /// What its files are known by: whose they are, and the digests of its code and layers. None where one is not known.
    pub fn files(&self) -> Option<String> {
        let digests = self.layers.iter().chain([&self.code]).map(|package| package.sha256.clone());
        let digests = digests.collect::<Option<Vec<_>>>()?.join(" ");
        let account = self.account().unwrap_or_default();
        Some(format!("{account} {} {} {digests}", self.region, self.name))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn function() -> Function {
        let package = |name: &str, sha256: &str| Package {
            name: name.to_owned(),
            location: Location::Url(Redacted::default()),
            sha256: Some(sha256.to_owned()),
            size: None,
        };
        Function {
            name: "f".into(),
            arn: "arn:aws:lambda:eu-west-1:123456789012:function:f".into(),
            version: "$LATEST".into(),
            runtime: "python3.13".into(),
            handler: "app.handler".into(),
            memory: 128,
            region: "eu-west-1".into(),
            log_group: "/aws/lambda/f".into(),
            logging: Logging::default(),
            variables: BTreeMap::new(),
            code: package("function package", "c"),
            layers: vec![package("layer", "l")],
            image: None,
            role: None,
        }
    }

    #[test]
    fn a_runtime_serves_what_it_was_started_for_and_nothing_else() {
        let (one, mut other) = (function(), function());
        other.arn.push_str(":live");
        other.code.location = Location::Url("https://elsewhere".to_owned().into());
        assert!(one.is(&other) && one.files() == other.files());
        let changes: [fn(&mut Function); 7] = [
            |it| it.version = "7".into(),
            |it| it.handler = "app.other".into(),
            |it| it.memory = 256,
            |it| it.code.sha256 = Some("d".into()),
            |it| it.layers.clear(),
            |it| drop(it.variables.insert("A".into(), "1".to_owned().into())),
            |it| it.role = Some("r".into()),
        ];
        for change in changes {
            let mut other = function();
            change(&mut other);
            assert!(!one.is(&other), "{other:?}");
        }
        let mut other = function();
        other.name = "g".into();
        assert_ne!(one.files(), other.files(), "what a function writes beside its code is its own");
        other.code.sha256 = None;
        assert!(other.files().is_none());
    }
}
