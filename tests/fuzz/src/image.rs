//! The documents of images, read as the runner reads them.

#[path = "../../../runner/src/image/manifest.rs"]
#[allow(dead_code, unreachable_pub, reason = "the runner uses all of it")]
mod manifest;
#[path = "../../../runner/src/image/reference.rs"]
#[allow(dead_code, unreachable_pub, reason = "the runner uses all of it")]
mod reference;

use manifest::{Configuration, Step};
use reference::Reference;

/// A manifest, a configuration, or a name; a name that is one is read again as it is written.
pub fn read(bytes: &[u8]) {
    if let Ok(Step::Manifest(found)) = manifest::read(bytes, "amd64") {
        for layer in found.layers {
            let _ = (layer.compression(), layer.sha256());
        }
    }
    let _ = Configuration::read(bytes, 1, "amd64").map(|found| found.diff_ids());
    let name = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<Reference>().ok());
    if let Some(name) = name {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
}
