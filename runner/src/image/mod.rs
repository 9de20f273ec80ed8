//! Container images → a root directory, and the program that is started in it. `reference`, `manifest`
//! and `access` are pure; `registry` asks for documents; layers come through `fetch` and are unpacked by
//! `layers`; `root` makes the directory fit to live in.
//!
//! The registry's protocol is spoken here and not by a crate, because blobs come as packages do: over a
//! window in memory, resumed by range, with their digest checked, from the same TLS set-up.

mod access;
pub mod enter;
mod error;
mod manifest;
mod reference;
mod registry;
mod root;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::try_join_all;
use ledger::Redacted;

pub use error::{Fault, ImageError};
pub use manifest::Process;
use manifest::{Configuration, Descriptor, DocumentError, Manifest, Step};
pub use reference::{Reference, ReferenceError};
use registry::Registry;
pub use root::{furnish, temporary};

use crate::causes::causes;
use crate::fetch::{Fetcher, Opened, Options, Patience, Reading};
use crate::function::{Location, Package};
use crate::layers::{self, Layer};
use crate::unpack::{Limits, Stats};

/// Bytes of all layers together that may be in memory, and the least for one of them.
const WINDOW: u64 = 32 << 20;
const LEAST_WINDOW: u64 = 512 << 10;

/// What `--registry-auth` or Docker's configuration say for this registry, as a header.
pub fn login(
    reference: &Reference,
    given: Option<&Redacted<String>>,
    home: Option<&Path>,
) -> Option<Redacted<String>> {
    given.map(access::basic).or_else(|| access::docker(home?, &reference.registry))
}

/// Pulls an image and unpacks it into `directory`, which is made, or must be empty. Returns how its
/// program is started, and what was written.
pub async fn pull(
    reference: &Reference,
    login: Option<Redacted<String>>,
    directory: PathBuf,
    limits: Limits,
) -> Result<(Process, Stats), ImageError> {
    let pulled = unpacked(reference, login, directory, limits).await;
    pulled.map_err(|fault| ImageError { image: reference.to_string(), fault })
}

/// How the program of an image is started, of which nothing else is pulled.
pub async fn look(
    reference: &Reference,
    login: Option<Redacted<String>>,
) -> Result<Process, ImageError> {
    let looked =
        async { Ok(described(&mut Registry::new(reference, login)?, reference).await?.1.config) };
    looked.await.map_err(|fault| ImageError { image: reference.to_string(), fault })
}

/// What the registry says of an image.
async fn described(
    registry: &mut Registry<'_>,
    reference: &Reference,
) -> Result<(Manifest, Configuration), Fault> {
    let manifest = manifest(registry, reference).await?;
    let bytes = registry.configuration(&manifest.config).await?;
    let configuration = Configuration::read(&bytes, manifest.layers.len(), architecture())?;
    Ok((manifest, configuration))
}

async fn unpacked(
    reference: &Reference,
    login: Option<Redacted<String>>,
    directory: PathBuf,
    limits: Limits,
) -> Result<(Process, Stats), Fault> {
    let mut registry = Registry::new(reference, login)?;
    let (manifest, configuration) = described(&mut registry, reference).await?;
    let fetcher = Fetcher::new(options(manifest.layers.len()));
    let packages: Vec<Package> =
        manifest.layers.iter().map(|it| package(&registry, it)).collect::<Result<_, _>>()?;
    let mut opened =
        try_join_all(packages.iter().map(|package| fetcher.open(package, None))).await?;
    let layers = layers(&manifest, &configuration, &opened)?;
    let unpacking = tokio::task::spawn_blocking(move || layers::apply(layers, &directory, &limits));
    let receiving = async {
        let received = try_join_all(opened.iter_mut().map(Opened::receive)).await;
        if received.is_err() {
            for package in &opened {
                package.source.as_source().abort();
            }
        }
        received
    };
    let (received, unpacked) = tokio::join!(receiving, unpacking);
    received?;
    let unpacked =
        unpacked.map_err(|error| Fault::Machine { what: "unpacking", problem: causes(&error) })?;
    Ok((configuration.config, unpacked?))
}

/// The manifest for this machine's architecture, through an index if there is one.
async fn manifest(registry: &mut Registry<'_>, reference: &Reference) -> Result<Manifest, Fault> {
    let bytes = registry.manifest(&reference.version).await?;
    let digest = match manifest::read(&bytes, architecture())? {
        Step::Manifest(manifest) => return Ok(manifest),
        Step::Index(chosen) => chosen.digest,
    };
    match manifest::read(&registry.manifest(&digest).await?, architecture())? {
        Step::Manifest(manifest) => Ok(manifest),
        Step::Index(_) => Err(another().into()),
    }
}

fn another() -> DocumentError {
    DocumentError::Unusable { what: "index", found: "another index in it".to_owned() }
}

/// This machine's architecture in the words of images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn options(layers: usize) -> Options {
    let window = (WINDOW / layers.max(1) as u64).max(LEAST_WINDOW);
    // The digest bounds a layer as well as its length; what it unpacks to is limited elsewhere.
    Options { connections: 1, window, allowed: 10 << 30, patience: Patience::default() }
}

fn package(registry: &Registry<'_>, layer: &Descriptor) -> Result<Package, Fault> {
    let authorization = registry.authorization.clone();
    Ok(Package {
        name: format!("layer {}", layer.digest),
        location: Location::Blob { url: registry.blob(layer), authorization },
        sha256: Some(BASE64.encode(layer.sha256()?)),
        size: Some(layer.size),
    })
}

fn layers(
    manifest: &Manifest,
    configuration: &Configuration,
    opened: &[Opened],
) -> Result<Vec<Layer>, Fault> {
    let layer = |((descriptor, diff_id), package): ((&Descriptor, [u8; 32]), &Opened)| {
        Ok(Layer {
            name: package.name().to_owned(),
            compression: descriptor.compression()?,
            diff_id: Some(diff_id),
            bytes: Box::new(Reading::new(package.source.clone())),
        })
    };
    let described = manifest.layers.iter().zip(configuration.diff_ids()?);
    described.zip(opened).map(layer).collect()
}
