//! Indexes, manifests and configurations of images. Pure. Source: OCI image specification 1.1, and
//! Docker's schema 2, which differs in media types alone.

use serde::Deserialize;
use thiserror::Error;

use super::reference::sha256;
use crate::layers::Compression;

/// A document that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DocumentError {
    /// It is not as the specification has it.
    #[error("its {what} cannot be used: {found}")]
    Unusable {
        /// Which document, or which part.
        what: &'static str,
        /// What is in it.
        found: String,
    },
    /// It is for other machines.
    #[error("expected an image for linux/{expected}, found {found}")]
    Architecture {
        /// This machine's.
        expected: String,
        /// The image's.
        found: String,
    },
    /// A layer of an unknown kind.
    #[error(
        "layer {digest} has the media type `{found}`; expected a tar, plain or packed with gzip or zstd"
    )]
    Layer {
        /// Which one.
        digest: String,
        /// Its media type.
        found: String,
    },
}

/// What is asked for.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// A blob, or another manifest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

/// What a registry answers: an index of manifests, or a manifest.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

/// One image's parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) config: Descriptor,
    /// Lowest first.
    pub(super) layers: Vec<Descriptor>,
}

/// What a document leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The manifest for this machine is elsewhere.
    Index(Descriptor),
    Manifest(Manifest),
}

/// Reads a document, and chooses for this architecture (`amd64`, `arm64`).
pub(super) fn read(bytes: &[u8], architecture: &str) -> Result<Step, DocumentError> {
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|error| DocumentError::Unusable { what: "manifest", found: error.to_string() })?;
    if let Some(config) = document.config {
        return Ok(Step::Manifest(Manifest { config, layers: document.layers }));
    }
    let fits = |it: &&Descriptor| {
        it.platform.as_ref().is_some_and(|it| it.os == "linux" && it.architecture == architecture)
    };
    let chosen = document.manifests.iter().find(fits).cloned();
    chosen.map(Step::Index).ok_or_else(|| {
        let platforms = document.manifests.iter().filter_map(|it| it.platform.as_ref());
        let found: Vec<_> = platforms.map(|it| format!("{}/{}", it.os, it.architecture)).collect();
        DocumentError::Architecture { expected: architecture.to_owned(), found: found.join(", ") }
    })
}

impl Descriptor {
    /// How a layer is packed.
    pub(super) fn compression(&self) -> Result<Compression, DocumentError> {
        match self.media_type.rsplit(['.', '+']).next() {
            Some("gzip") => Ok(Compression::Gzip),
            Some("zstd") => Ok(Compression::Zstd),
            Some("tar") => Ok(Compression::None),
            _ => Err(DocumentError::Layer {
                digest: self.digest.clone(),
                found: self.media_type.clone(),
            }),
        }
    }

    /// Its digest's bytes.
    pub(super) fn sha256(&self) -> Result<[u8; 32], DocumentError> {
        sha256(&self.digest)
            .ok_or_else(|| DocumentError::Unusable { what: "digest", found: self.digest.clone() })
    }
}

/// An image's configuration.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Configuration {
    architecture: String,
    #[serde(default)]
    pub(super) config: Process,
    rootfs: Layers,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Layers {
    diff_ids: Vec<String>,
}

/// How the image's program is started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Process {
    /// Program and first arguments.
    #[serde(deserialize_with = "nullable")]
    pub entrypoint: Vec<String>,
    /// More arguments.
    #[serde(deserialize_with = "nullable")]
    pub cmd: Vec<String>,
    /// `NAME=value`
    #[serde(deserialize_with = "nullable")]
    pub env: Vec<String>,
    /// Where it is started.
    pub working_dir: String,
}

fn nullable<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl Configuration {
    /// Reads it, for an image with so many layers.
    pub(super) fn read(
        bytes: &[u8],
        layers: usize,
        architecture: &str,
    ) -> Result<Self, DocumentError> {
        let wrong = |found: String| DocumentError::Unusable { what: "configuration", found };
        let read: Self = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        if read.architecture != architecture {
            let found = read.architecture;
            return Err(DocumentError::Architecture { expected: architecture.to_owned(), found });
        }
        let count = read.rootfs.diff_ids.len();
        if count != layers {
            return Err(wrong(format!("{count} diff_ids for {layers} layers")));
        }
        Ok(read)
    }

    /// Digests of the unpacked layers.
    pub(super) fn diff_ids(&self) -> Result<Vec<[u8; 32]>, DocumentError> {
        let read = |it: &String| {
            sha256(it).ok_or_else(|| DocumentError::Unusable { what: "diff_id", found: it.clone() })
        };
        self.rootfs.diff_ids.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn descriptor(media_type: &str) -> Descriptor {
        let (media_type, digest) = (media_type.to_owned(), "sha256:1".to_owned());
        Descriptor { media_type, digest, size: 1, platform: None }
    }

    #[test]
    fn an_index_leads_to_this_architecture() {
        let of = |name: &str| json!({ "digest": name, "size": 1, "platform": { "os": "linux", "architecture": name } });
        let index = json!({ "manifests": [of("unknown"), of("arm64"), of("amd64")] }).to_string();
        let Step::Index(found) = read(index.as_bytes(), "amd64").unwrap() else { panic!() };
        assert_eq!(found.digest, "amd64");
        let error = read(index.as_bytes(), "riscv64").unwrap_err().to_string();
        assert!(error.contains("linux/arm64, linux/amd64"), "{error}");
    }

    #[test]
    fn layers_say_how_they_are_packed() {
        for (name, expected) in [
            ("application/vnd.oci.image.layer.v1.tar", Compression::None),
            ("application/vnd.oci.image.layer.v1.tar+gzip", Compression::Gzip),
            ("application/vnd.oci.image.layer.v1.tar+zstd", Compression::Zstd),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", Compression::Gzip),
        ] {
            assert_eq!(descriptor(name).compression().unwrap(), expected);
        }
        assert!(
            descriptor("application/vnd.oci.image.layer.v1.tar+encrypted").compression().is_err()
        );
    }

    #[test]
    fn a_configuration_fits_its_image() {
        let text = json!({
            "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": ["sha256:1"] },
            "config": { "Entrypoint": null, "Cmd": ["a"], "WorkingDir": "/x" },
        });
        let bytes = text.to_string().into_bytes();
        let read = Configuration::read(&bytes, 1, "amd64").unwrap();
        assert_eq!(
            (read.config.cmd, read.config.working_dir),
            (vec!["a".to_owned()], "/x".to_owned())
        );
        assert!(Configuration::read(&bytes, 2, "amd64").is_err());
        assert!(Configuration::read(&bytes, 1, "arm64").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..60)) {
            let _ = read(&bytes, "amd64");
            let _ = Configuration::read(&bytes, 1, "amd64");
        }
    }
}
