//! A [`Function`] from command-line arguments. Pure but for one look at what `--code` names.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Function, Location, Package, S3Object};
use crate::config::{LocalFunction, Variable};
use crate::telemetry::Logging;

/// Memory of a function that does not say how much it has, in MB, as Lambda's own default.
const DEFAULT_MEMORY: u32 = 128;

/// Describes the function that the arguments name.
pub fn describe(local: &LocalFunction, region: &str) -> Function {
    let name = name(&local.code);
    Function {
        arn: format!("arn:aws:lambda:{region}:000000000000:function:{name}"),
        version: "$LATEST".to_owned(),
        runtime: local.runtime.clone(),
        handler: local.handler.clone(),
        memory: DEFAULT_MEMORY,
        region: region.to_owned(),
        log_group: format!("/aws/lambda/{name}"),
        logging: Logging::default(),
        variables: std::collections::BTreeMap::new(),
        code: package(&local.code),
        image: None,
        role: None,
        layers: local.layers.iter().map(|path| package(&path.to_string_lossy())).collect(),
        name,
    }
}

/// Describes a function that is a program in the current directory, named by the variables that AWS's
/// own emulator goes by.
pub fn of_command(
    words: &[OsString],
    region: &str,
    variable: impl Fn(Variable) -> Option<String>,
) -> Function {
    let handler = words.last().filter(|_| words.len() > 1).and_then(|it| it.to_str());
    let local = LocalFunction {
        code: variable(Variable::FunctionName).unwrap_or_else(|| "function".to_owned()),
        layers: Vec::new(),
        runtime: "provided".to_owned(),
        handler: variable(Variable::FunctionHandler)
            .or_else(|| handler.map(str::to_owned))
            .or_else(|| variable(Variable::HandlerOfImage))
            .unwrap_or_default(),
    };
    let memory = variable(Variable::FunctionMemory).and_then(|text| text.parse().ok());
    let version = variable(Variable::FunctionVersion);
    let described = describe(&local, region);
    Function {
        memory: memory.unwrap_or(described.memory),
        version: version.unwrap_or_else(|| described.version.clone()),
        ..described
    }
}

/// The code's file name without its ending, with what Lambda does not allow in a name replaced.
fn name(code: &str) -> String {
    let path = code.split(['?', '#']).next().unwrap_or(code);
    let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or("function");
    let allowed =
        |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' };
    stem.chars().map(allowed).take(64).collect()
}

pub(crate) fn package(code: &str) -> Package {
    let location = if code.starts_with("http://") || code.starts_with("https://") {
        Location::Url(code.to_owned().into())
    } else if let Some((bucket, key)) =
        code.strip_prefix("s3://").and_then(|rest| rest.split_once('/'))
    {
        Location::S3(S3Object { bucket: bucket.into(), key: key.into(), version: None })
    } else {
        let path = PathBuf::from(code);
        if path.is_dir() { Location::Directory(path) } else { Location::File(path) }
    };
    let name = match &location {
        Location::Url(_) | Location::Presigned(_) | Location::Blob { .. } => "code".to_owned(),
        Location::S3(object) => format!("s3://{}/{}", object.bucket, object.key),
        Location::File(path) | Location::Directory(path) => path.display().to_string(),
    };
    Package { name, location, sha256: None, size: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_after_its_file() {
        assert_eq!(name("/a/b/my.fn.zip"), "my-fn");
        assert_eq!(name("https://host/x/code.zip?X-Amz-Signature=1"), "code");
    }

    #[test]
    fn the_module_can_be_overridden_and_the_export_stays() {
        let local = LocalFunction {
            code: "f.zip".into(),
            layers: vec![],
            runtime: "nodejs22.x".into(),
            handler: "index.main".into(),
        };
        let mut function = describe(&local, "us-east-1");
        function.override_module("src/other.js");
        assert_eq!(function.handler, "src/other.main");
    }
}
