//! Compiles the families' data files in: whatever folder of `runtimes` has a `runtime.toml`. Nothing here depends on where the
//! repository lies, so that the program does not either. Has the static program's relocations packed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Relative to this package, where Cargo runs this.
const FOLDER: &str = "../runtimes";

#[expect(
    clippy::disallowed_methods,
    reason = "the ban is the runner's: Cargo talks to build scripts so"
)]
fn main() {
    let entries = fs::read_dir(FOLDER).expect("runtimes/ is part of the repository");
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| file(name).is_file())
        .collect();
    names.sort();
    let mut list = String::from("[");
    for name in names {
        let text = fs::read_to_string(file(&name)).expect("a file that is there");
        let _ = write!(list, "({name:?}, {text:?}), ");
    }
    list.push(']');
    let out = env::var("OUT_DIR").expect("set by Cargo");
    fs::write(Path::new(&out).join("families.rs"), list).expect("OUT_DIR can be written");
    println!("cargo::rerun-if-changed={FOLDER}");
    // They are half a megabyte otherwise. musl reads them since its 1.2.4 (`DT_RELR`).
    if env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("musl") {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

fn file(family: &str) -> PathBuf {
    Path::new(FOLDER).join(family).join("runtime.toml")
}
