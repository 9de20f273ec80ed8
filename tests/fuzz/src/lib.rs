//! What the fuzz targets share: the rooms under test and a sandbox that notices what gets out of it.

#[path = "../../../runner/src/unpack/mod.rs"]
pub mod unpack;

#[path = "../../archives/hazards.rs"]
#[allow(dead_code, reason = "seeds have no outcome")]
mod hazards;
#[path = "../../../runner/src/unpack/zip.rs"]
mod made;
pub mod repair;
mod sandbox;
pub mod seeds;

pub use sandbox::Sandbox;
use unpack::{Archive, Limits};

/// Small ones, so that they are reached and a run is short.
pub fn limits() -> Limits {
    Limits {
        unpacked_bytes: 1 << 20,
        entries: 200,
        directory_bytes: 1 << 16,
        path_bytes: 300,
        depth: 20,
        link_bytes: 1000,
        ..Limits::default()
    }
}

/// Unpacks `bytes` in the sandbox and checks what came of it.
pub fn zip(sandbox: &Sandbox, bytes: &[u8]) {
    let limits = limits();
    let result =
        unpack::one(Archive { name: "zip", source: &bytes }, &sandbox.root(), &limits);
    sandbox.check(&result, &limits);
}
