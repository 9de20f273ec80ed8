//! Compiles the families' data files in: whatever folder of `runtimes` has a `runtime.toml`.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

#[expect(
    clippy::disallowed_methods,
    reason = "the ban is the runner's: Cargo talks to build scripts so"
)]
fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtimes");
    let entries = fs::read_dir(&folder).expect("runtimes/ is part of the repository");
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| folder.join(name).join("runtime.toml").is_file())
        .collect();
    names.sort();
    let mut list = String::from("[");
    for name in names {
        let file = folder.join(&name).join("runtime.toml").display().to_string();
        let _ = write!(list, "({name:?}, include_str!({file:?})), ");
    }
    list.push(']');
    let out = env::var("OUT_DIR").expect("set by Cargo");
    fs::write(Path::new(&out).join("families.rs"), list).expect("OUT_DIR can be written");
    println!("cargo::rerun-if-changed={}", folder.display());
}
