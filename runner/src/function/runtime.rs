//! Runtime identifiers → families. The families are the data files `runtimes/*/runtime.toml`,
//! compiled in; a new runtime is an entry there.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use thiserror::Error;

/// The families' data, each with its name.
const FILES: [(&str, &str); 3] = [
    ("python", include_str!("../../../runtimes/python/runtime.toml")),
    ("nodejs", include_str!("../../../runtimes/nodejs/runtime.toml")),
    ("provided", include_str!("../../../runtimes/provided/runtime.toml")),
];

static FAMILIES: LazyLock<Vec<Family>> =
    LazyLock::new(|| FILES.iter().map(|(name, text)| family(name, text)).collect());

/// What the runtimes of one language have in common.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// The folder's name.
    #[serde(skip)]
    pub name: String,
    /// Lambda's runtime identifiers, oldest first.
    pub identifiers: Vec<String>,
    /// Where the executable `bootstrap` is.
    pub bootstrap: Bootstrap,
    /// Files by which a runtime directory is known to be this family's: one of them is there.
    #[serde(default)]
    pub client: Vec<String>,
    /// Is `AWS_EXECUTION_ENV` set?
    pub execution_env: bool,
    /// Identifiers whose `PATH` and `LD_LIBRARY_PATH` do not begin with `/var/lang`.
    #[serde(default)]
    pub without_lang: Vec<String>,
    /// Variables with placeholders, set unless the function sets them.
    pub environment: BTreeMap<String, String>,
}

/// Where a runtime's `bootstrap` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bootstrap {
    /// In the runtime directory.
    Runtime,
    /// In the function's package or one of its layers.
    Package,
}

/// A runtime identifier that no family knows.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("runtime `{found}` is not known; the nearest is `{nearest}`, and these are known: {known}")]
pub struct UnknownRuntime {
    found: String,
    nearest: String,
    known: String,
}

/// The family of a runtime identifier.
pub fn find(identifier: &str) -> Result<&'static Family, UnknownRuntime> {
    let known =
        FAMILIES.iter().find(|family| family.identifiers.iter().any(|known| known == identifier));
    known.ok_or_else(|| {
        let all: Vec<&str> =
            FAMILIES.iter().flat_map(|family| &family.identifiers).map(String::as_str).collect();
        let nearest =
            all.iter().min_by_key(|known| distance(known, identifier)).copied().unwrap_or_default();
        UnknownRuntime {
            found: identifier.to_owned(),
            nearest: nearest.to_owned(),
            known: all.join(", "),
        }
    })
}

fn family(name: &str, text: &str) -> Family {
    let mut family: Family =
        toml::from_str(text).expect("the files are part of the program, and a test reads them all");
    name.clone_into(&mut family.name);
    family
}

/// Levenshtein distance in bytes; the inputs are a few letters long.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.bytes().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_read_and_no_identifier_stands_twice() {
        let mut all: Vec<&String> =
            FAMILIES.iter().flat_map(|family| &family.identifiers).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!((count, FAMILIES.len()), (all.len(), FILES.len()));
    }

    #[test]
    fn an_identifier_has_its_family() {
        assert_eq!(find("python3.13").unwrap().name, "python");
        assert_eq!(find("provided.al2").unwrap().bootstrap, Bootstrap::Package);
    }

    #[test]
    fn an_unknown_one_is_told_its_nearest() {
        let error = find("node22.x").unwrap_err();
        assert_eq!((error.found.as_str(), error.nearest.as_str()), ("node22.x", "nodejs22.x"));
    }
}
