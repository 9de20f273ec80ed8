//! How the runtime is started: which program, with which environment. HTTP and S3 are not known here.

pub mod environment;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::function::runtime::{Bootstrap, Family, families};

/// The directories that a function knows by name.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The function's code: `/var/task`.
    pub task: PathBuf,
    /// Its layers: `/opt`.
    pub opt: PathBuf,
    /// The runtime's client: `/var/runtime`.
    pub runtime: PathBuf,
}

/// Where Lambda puts things, and we in an image.
pub const TASK: &str = "/var/task";
/// Layers.
pub const OPT: &str = "/opt";
/// Runtime clients.
pub const RUNTIME: &str = "/var/runtime";

/// There is no runtime client for the function's runtime. Exit code 64.
#[derive(Debug, Error)]
#[error(
    "no client for runtime `{runtime}`: expected its `bootstrap` in {looked}; \
     use the image for this runtime, run `make setup`, or pass --runtime-dir"
)]
pub struct NoRuntime {
    runtime: String,
    looked: String,
}

/// The first of the directories that have a runtime client. A custom runtime needs none. A given
/// directory is taken at its word; elsewhere the client must be that of the family, since an image
/// of another language has a `bootstrap` too.
pub fn runtime_dir(
    family: &Family,
    identifier: &str,
    given: Option<&Path>,
) -> Result<PathBuf, NoRuntime> {
    if family.bootstrap != Bootstrap::Runtime {
        return Ok(given.map_or_else(|| PathBuf::from(RUNTIME), Path::to_path_buf));
    }
    let candidates = match given {
        Some(given) => [given.to_path_buf(), given.join(&family.name)],
        None => [PathBuf::from(RUNTIME), Path::new(".runtimes").join(&family.name)],
    };
    let ours = |directory: &&PathBuf| given.is_some() || is_of(family, directory);
    let found =
        candidates.iter().filter(|directory| directory.join("bootstrap").is_file()).find(ours);
    found.and_then(|directory| std::path::absolute(directory).ok()).ok_or_else(|| NoRuntime {
        runtime: identifier.to_owned(),
        looked: format!("{} or {}", candidates[0].display(), candidates[1].display()),
    })
}

/// Does this directory hold the family's client? Of a family whose files are not known, any will do that is no other's.
fn is_of(family: &Family, directory: &Path) -> bool {
    let has = |family: &Family| family.client.iter().any(|file| directory.join(file).is_file());
    if family.client.is_empty() { !families().iter().any(has) } else { has(family) }
}

/// The program to start, or the places where it was looked for.
pub fn bootstrap(family: &Family, layout: &Layout, handler: &str) -> Result<PathBuf, Vec<PathBuf>> {
    let places = match family.bootstrap {
        Bootstrap::Runtime => vec![layout.runtime.join("bootstrap")],
        Bootstrap::Package => vec![layout.task.join("bootstrap"), layout.opt.join("bootstrap")],
        Bootstrap::Handler => vec![layout.task.join(handler)],
    };
    places.iter().find(|place| place.is_file()).cloned().ok_or(places)
}

/// A file that switches all extensions off.
const NO_EXTENSIONS: &str = "disable-extensions-jwigqn8j";

/// Names and paths of the external extensions below `/opt`, in the order in which they are started:
/// each entry of `extensions` that is no directory. None: there are to be none at all.
pub fn extensions(opt: &Path) -> Option<Vec<(String, PathBuf)>> {
    if opt.join(NO_EXTENSIONS).exists() {
        return None;
    }
    let entries = std::fs::read_dir(opt.join("extensions")).into_iter().flatten().flatten();
    let files = entries.filter(|entry| !entry.path().is_dir());
    let name = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut found: Vec<_> = files.map(|entry| (name(&entry), entry.path())).collect();
    found.sort();
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::runtime::find;

    fn directory_with_bootstrap() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("bootstrap"), "").unwrap();
        directory
    }

    #[test]
    fn a_given_directory_holds_the_client_or_one_per_family() {
        let (python, one) = (find("python3.13").unwrap(), directory_with_bootstrap());
        assert_eq!(runtime_dir(python, "python3.13", Some(one.path())).unwrap(), one.path());
        let all = tempfile::tempdir().unwrap();
        std::fs::create_dir(all.path().join("python")).unwrap();
        std::fs::write(all.path().join("python/bootstrap"), "").unwrap();
        assert_eq!(
            runtime_dir(python, "python3.13", Some(all.path())).unwrap(),
            all.path().join("python")
        );
    }

    #[test]
    fn a_missing_client_is_told_with_the_places_and_the_remedy() {
        let empty = tempfile::tempdir().unwrap();
        let error =
            runtime_dir(find("nodejs22.x").unwrap(), "nodejs22.x", Some(empty.path())).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("nodejs22.x") && text.contains("make setup"), "{text}");
    }

    #[test]
    fn a_custom_runtime_comes_from_the_package_before_the_layers() {
        let (task, opt) = (directory_with_bootstrap(), directory_with_bootstrap());
        let layout =
            Layout { task: task.path().into(), opt: opt.path().into(), runtime: RUNTIME.into() };
        let family = find("provided.al2023").unwrap();
        assert_eq!(bootstrap(family, &layout, "app").unwrap(), task.path().join("bootstrap"));
        std::fs::remove_file(task.path().join("bootstrap")).unwrap();
        assert_eq!(bootstrap(family, &layout, "app").unwrap(), opt.path().join("bootstrap"));
        std::fs::remove_file(opt.path().join("bootstrap")).unwrap();
        assert_eq!(bootstrap(family, &layout, "app").unwrap_err().len(), 2);
        std::fs::write(task.path().join("app"), "").unwrap();
        let go = find("go1.x").unwrap();
        assert_eq!(bootstrap(go, &layout, "app").unwrap(), task.path().join("app"));
    }

    #[test]
    fn a_client_of_another_family_is_not_taken() {
        let directory = directory_with_bootstrap();
        let is = |identifier| is_of(find(identifier).unwrap(), directory.path());
        assert!(is("java21") && !is("python3.13"));
        std::fs::write(directory.path().join("bootstrap.py"), "").unwrap();
        assert!(!is("java21") && is("python3.13"));
    }

    #[test]
    fn every_entry_that_is_no_directory_is_an_extension() {
        let opt = tempfile::tempdir().unwrap();
        assert_eq!(extensions(opt.path()), Some(Vec::new()));
        let directory = opt.path().join("extensions");
        std::fs::create_dir_all(directory.join("sub")).unwrap();
        std::fs::write(directory.join("sub/inner"), "").unwrap();
        std::fs::write(directory.join("b"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", directory.join("a")).unwrap();
        let names: Vec<_> =
            extensions(opt.path()).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b"]);
        std::fs::write(opt.path().join(NO_EXTENSIONS), "").unwrap();
        assert_eq!(extensions(opt.path()), None);
    }
}
