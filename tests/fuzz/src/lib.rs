//! What the fuzz targets share: the rooms under test and a sandbox that notices what gets out of it.

#[path = "../../../runner/src/layers/mod.rs"]
pub mod layers;
#[path = "../../../runner/src/session/types.rs"]
pub mod session;
#[path = "../../../runner/src/unpack/mod.rs"]
pub mod unpack;

pub mod api;
pub mod blocks;
pub mod door;
#[path = "../../../dispatcher/src/envelope/mod.rs"]
#[allow(dead_code, reason = "the dispatcher uses all of it")]
pub mod envelope;
#[path = "../../../dispatcher/src/file.rs"]
pub mod file;
#[path = "../../../runner/src/output/frames.rs"]
pub mod frames;
#[path = "../../archives/hazards.rs"]
#[allow(dead_code, reason = "seeds have no outcome")]
mod hazards;
pub mod image;
#[path = "../../../runner/src/unpack/zip.rs"]
mod made;
#[path = "../../../dispatcher/src/message.rs"]
pub mod message;
pub mod messages;
pub mod repair;
mod sandbox;
pub mod seeds;
#[allow(dead_code, reason = "seeds have no outcome")]
#[path = "../../archives/tar_hazards.rs"]
mod tar_hazards;
#[path = "../../archives/tars.rs"]
mod tars;
pub mod telemetry;

use layers::{Compression, Layer};
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
    let result = unpack::one(Archive { name: "zip", source: &bytes }, &sandbox.root(), &limits);
    sandbox.check(&result, &limits);
}

/// Lays tars over each other in the sandbox and checks what came of them.
pub fn layers(sandbox: &Sandbox, tars: [&[u8]; 2]) {
    let limits = limits();
    let layer = |tar: &[u8]| Layer {
        name: "layer".to_owned(),
        compression: Compression::None,
        diff_id: None,
        bytes: Box::new(std::io::Cursor::new(tar.to_vec())),
    };
    let tars = tars.into_iter().filter(|tar| !tar.is_empty());
    let result = layers::apply(tars.map(layer).collect(), &sandbox.root(), &limits);
    sandbox.check_image(&result, &limits);
}
