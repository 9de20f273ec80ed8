//! `unpack` and hostile archives, made byte by byte: each one is unpacked as it must be, or refused by
//! name with nothing left behind. Honest ones are the business of `packers`.

#[path = "../archives/hazards.rs"]
mod hazards;
#[allow(dead_code, reason = "the unit tests may need more of it")]
#[path = "../../runner/src/unpack/zip.rs"]
mod made;
#[path = "../archives/tar_hazards.rs"]
mod tar_hazards;
#[path = "../archives/tars.rs"]
mod tars;

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use e2e::{Run, Sandbox, root, runner, walk};
use hazards::{Hazard, Outcome, hazards};
use made::{file, zip};
use tar_hazards::tar_hazards;

#[test]
fn every_hazard_has_its_outcome() {
    let all = hazards().into_iter().chain(tar_hazards());
    let failed: Vec<String> = all.filter_map(|hazard| judged(&hazard).err()).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn memory_is_bounded_whatever_the_package() {
    let zeros = zip(&[file("z", vec![0; 250 << 20]).deflated()]);
    within(16, &zeros).ends_with(0);
    let python = Command::new("python3").arg(root().join("tests/archives/largest.py")).output();
    let python = python.unwrap();
    assert!(python.status.success(), "{python:?}");
    // A worker has a stack and two buffers.
    let workers = 3 * std::thread::available_parallelism().unwrap().get();
    within(128 + workers, &python.stdout).ends_with(65).says("its CRC-32 is");
}

/// Unpacks with no more than so many mebibytes of memory for data.
fn within(mebibytes: usize, package: &[u8]) -> Run {
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("large.zip");
    fs::write(&archive, package).unwrap();
    let line = format!(r#"ulimit -d {} && exec "$@""#, mebibytes << 10);
    let mut command = Command::new("sh");
    command.args(["-c", &line, "sh"]).arg(runner()).arg("unpack").arg(&archive);
    command.arg(directory.path().join("root")).output().unwrap().into()
}

/// Unpacks beside a canary, and says what is not as it must be.
fn judged(hazard: &Hazard) -> Result<(), String> {
    let mut sandbox = Sandbox::new(&["unpack"]);
    let package = sandbox.write("hazard", &hazard.package);
    sandbox.write("canary", "sings");
    let root = sandbox.directory().join("root");
    let sandbox = sandbox.arguments(&[&package, &root.display().to_string()]);
    let before = lines(sandbox.directory());
    let run = sandbox.run();
    let wrong = |what: String| Err(format!("{}: {what}; {} {}", hazard.name, run.code, run.stderr));
    match &hazard.outcome {
        Outcome::Tree(_) if run.code != 0 => return wrong("refused".to_owned()),
        Outcome::Tree(expected) => {
            let found = lines(&root);
            if found != *expected {
                return wrong(format!("{found:?} instead of {expected:?}"));
            }
            fs::remove_dir_all(&root).unwrap();
        }
        Outcome::Refused(text) => {
            if run.code != 65 || !run.stderr.contains(text) {
                return wrong(format!("not refused with {text:?}"));
            }
        }
    }
    let after = lines(sandbox.directory());
    if after == before { Ok(()) } else { wrong(format!("{after:?} is left")) }
}

/// What is below a directory, a line each, as [`Outcome::Tree`] has it.
fn lines(root: &Path) -> Vec<String> {
    let mut lines: Vec<String> = walk(root)
        .into_iter()
        .map(|(name, metadata)| line(&root.join(&name), &name.display().to_string(), &metadata))
        .collect();
    lines.sort();
    lines
}

/// When the builder's entries were modified: 2025-01-01.
const BUILT: i64 = 1_735_689_600;

fn line(path: &Path, name: &str, metadata: &Metadata) -> String {
    let mode = metadata.mode() & 0o7777;
    let odd = if matches!(mode, 0o644 | 0o755) { String::new() } else { format!(" [{mode:o}]") };
    let time =
        if metadata.mtime() == BUILT { String::new() } else { format!(" @{}", metadata.mtime()) };
    if metadata.is_symlink() {
        return format!("{name} -> {}{time}", fs::read_link(path).unwrap().display());
    }
    if metadata.is_dir() {
        return format!("{name}/{odd}");
    }
    let program = if mode & 0o111 == 0 { "" } else { "*" };
    let contents = fs::read(path).unwrap();
    let contents = String::from_utf8(contents)
        .ok()
        .filter(|text| text.len() < 30)
        .unwrap_or_else(|| format!("{} bytes", metadata.len()));
    format!("{name}{program}{odd}: {contents}{time}")
}
