//! Runtime identifiers → families. The families are the data files `runtimes/*/runtime.toml`, compiled in; a new runtime
//! is an entry there, or a file of that form beside its client (docs/adding-a-runtime.md).

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;
use thiserror::Error;

/// The families' data, each with its name, by name.
const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/families.rs"));

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
    /// Tags of AWS's public base images, by identifier.
    #[serde(default)]
    pub images: BTreeMap<String, String>,
}

impl Family {
    /// Is this runtime one of the family's?
    pub fn has(&self, identifier: &str) -> bool {
        self.identifiers.iter().any(|known| known == identifier)
    }

    /// Where AWS keeps its base image for an identifier, if it has one.
    pub fn base_image(&self, identifier: &str) -> Option<String> {
        let tag = self.images.get(identifier)?;
        Some(format!("public.ecr.aws/lambda/{}:{tag}", self.name))
    }
}

/// Where a runtime's `bootstrap` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bootstrap {
    /// In the runtime directory.
    Runtime,
    /// In the function's package or one of its layers.
    Package,
    /// There is none: the package has a program that is named like the handler.
    Handler,
}

/// The data file that a runtime's directory brings.
const OWN: &str = "runtime.toml";

/// A runtime directory's own data file cannot be read. Exit code 64.
#[derive(Debug, Error)]
#[error(
    "expected the data of a runtime family in {file}, found: {why}; docs/adding-a-runtime.md says what stands in it"
)]
pub struct BadFile {
    file: String,
    why: String,
}

/// A runtime identifier that no family knows.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("runtime `{found}` is not known; the nearest is `{nearest}`, and these are known: {known}")]
pub struct UnknownRuntime {
    found: String,
    nearest: String,
    known: String,
}

/// The families that are compiled in, by name.
pub fn families() -> &'static [Family] {
    &FAMILIES
}

/// The family that a runtime directory describes itself, if it has this runtime.
pub fn brought(directory: &Path, identifier: &str) -> Result<Option<Family>, BadFile> {
    let file = directory.join(OWN);
    let bad = |why: String| BadFile { file: file.display().to_string(), why };
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(error.to_string())),
    };
    let mut family: Family = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
    identifier.clone_into(&mut family.name);
    Ok(family.has(identifier).then_some(family))
}

/// The family of a runtime identifier.
pub fn find(identifier: &str) -> Result<&'static Family, UnknownRuntime> {
    let known = FAMILIES.iter().find(|family| family.has(identifier));
    known.ok_or_else(|| {
        let all: Vec<&str> =
            FAMILIES.iter().flat_map(|family| &family.identifiers).map(String::as_str).collect();
        let nearest = nearest(&all, identifier).unwrap_or_default();
        UnknownRuntime {
            found: identifier.to_owned(),
            nearest: nearest.to_owned(),
            known: all.join(", "),
        }
    })
}

/// Of those that are equally near, the newest.
fn nearest<'a>(all: &[&'a str], identifier: &str) -> Option<&'a str> {
    let distance = |known: &&str| strsim::damerau_levenshtein(known, identifier);
    all.iter().rev().copied().min_by_key(distance)
}

fn family(name: &str, text: &str) -> Family {
    let mut family: Family =
        toml::from_str(text).expect("the files are part of the program, and a test reads them all");
    name.clone_into(&mut family.name);
    family
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
        assert!(FILES.len() >= 7, "{FILES:?}");
    }

    #[test]
    fn every_image_is_that_of_an_identifier() {
        for family in families() {
            for identifier in family.images.keys() {
                assert!(family.has(identifier), "{identifier} in {}", family.name);
            }
        }
        let image = |identifier| find(identifier).unwrap().base_image(identifier);
        assert_eq!(image("java8.al2").unwrap(), "public.ecr.aws/lambda/java:8.al2");
        assert_eq!(image("nodejs4.3"), None);
    }

    #[test]
    fn a_directory_may_bring_its_own() {
        let directory = tempfile::tempdir().unwrap();
        assert!(brought(directory.path(), "cobol85").unwrap().is_none());
        let write = |text: &str| fs::write(directory.path().join(OWN), text).unwrap();
        write(
            "identifiers = [\"cobol85\"]\nbootstrap = \"runtime\"\nexecution_env = true\n[environment]\nA = \"{task}\"\n",
        );
        assert!(brought(directory.path(), "cobol85").unwrap().is_some());
        assert!(brought(directory.path(), "cobol86").unwrap().is_none());
        write("identifiers = 1");
        assert!(
            brought(directory.path(), "cobol85").unwrap_err().to_string().contains("runtime.toml")
        );
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
        assert_eq!(find("python3.19").unwrap_err().nearest, "python3.15");
        assert_eq!(find("Provided.al2").unwrap_err().nearest, "provided.al2");
    }
}
