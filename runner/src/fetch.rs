//! Bytes of a package: from a URL or a file to an open file, with its SHA-256 checked on the way.
//! What the bytes mean is not known here.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger::Redacted;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::sync::OnceCell;

use crate::causes::causes;
use crate::function::{Location, Package};

/// A package that could not be had. Its URL is a secret and appears nowhere.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The server could not be reached, or the connection broke.
    #[error("{package} could not be downloaded: {problem}")]
    Network {
        /// Which package.
        package: String,
        /// What went wrong, with its causes.
        problem: String,
    },
    /// The server said no.
    #[error(
        "{package} could not be downloaded: the server answered {status}; a presigned URL lives 10 minutes"
    )]
    Status {
        /// Which package.
        package: String,
        /// HTTP status.
        status: u16,
    },
    /// Reading or writing failed here.
    #[error("{package} could not be read")]
    Io {
        /// Which package.
        package: String,
        /// Why.
        source: io::Error,
    },
    /// These are not the bytes that were deployed.
    #[error("{package} is not what was deployed: expected CodeSha256 {expected}, found {found}")]
    Digest {
        /// Which package.
        package: String,
        /// In base64.
        expected: String,
        /// In base64.
        found: String,
    },
}

/// Fetches packages.
#[derive(Debug, Default)]
pub struct Fetcher {
    /// Made when it is first needed: reading the machine's certificates takes milliseconds.
    client: OnceCell<reqwest::Client>,
}

/// A client that follows no redirect, since the URL it is given is the object's own.
fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(30))
        .build()
}

/// The machine's certificates, or Mozilla's where it has none: a bare image can still download.
fn tls() -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = rustls::crypto::ring::default_provider();
    rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("ring supports TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

impl Fetcher {
    /// Opens the package as a file. A download is kept in one without a name.
    pub async fn open(&self, package: &Package) -> Result<File, FetchError> {
        let io = |source| FetchError::Io { package: package.name.clone(), source };
        let (mut file, found) = match &package.location {
            Location::Url(url) => self.download(package, url).await?,
            Location::File(path) => {
                let mut file = File::open(path).map_err(io)?;
                let found =
                    package.sha256.as_ref().map(|_| digest(&mut file)).transpose().map_err(io)?;
                (file, found.unwrap_or_default())
            }
            Location::Directory(_) => return Err(io(io::Error::from(io::ErrorKind::IsADirectory))),
        };
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        match &package.sha256 {
            Some(expected) if *expected != found => Err(FetchError::Digest {
                package: package.name.clone(),
                expected: expected.clone(),
                found,
            }),
            Some(_) | None => Ok(file),
        }
    }

    async fn download(
        &self,
        package: &Package,
        url: &Redacted<String>,
    ) -> Result<(File, String), FetchError> {
        let network = |error: reqwest::Error| FetchError::Network {
            package: package.name.clone(),
            problem: causes(&error.without_url()),
        };
        let io = |source| FetchError::Io { package: package.name.clone(), source };
        let client = self.client.get_or_try_init(async || client()).await.map_err(network)?;
        let mut response = client.get(url.expose()).send().await.map_err(network)?;
        if !response.status().is_success() {
            let status = response.status().as_u16();
            return Err(FetchError::Status { package: package.name.clone(), status });
        }
        let (mut file, mut hasher) = (tempfile::tempfile().map_err(io)?, Sha256::new());
        while let Some(bytes) = response.chunk().await.map_err(network)? {
            hasher.update(&bytes);
            file.write_all(&bytes).map_err(io)?;
        }
        Ok((file, BASE64.encode(hasher.finalize())))
    }
}

fn digest(file: &mut File) -> io::Result<String> {
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 256 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(BASE64.encode(hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn opened(sha256: Option<&str>) -> Result<File, FetchError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"hello").unwrap();
        let location = Location::File(file.path().into());
        let package = Package { name: "p".into(), location, sha256: sha256.map(str::to_owned) };
        Fetcher::default().open(&package).await
    }

    #[tokio::test]
    async fn a_file_is_opened_at_its_start_when_its_digest_is_right() {
        let mut text = String::new();
        let mut file = opened(Some("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")).await.unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }

    #[tokio::test]
    async fn other_bytes_than_those_deployed_are_refused() {
        let error = opened(Some("AAAA")).await.unwrap_err().to_string();
        assert!(error.contains("expected CodeSha256 AAAA, found LPJN"), "{error}");
    }

    #[tokio::test]
    async fn an_unreachable_url_is_not_quoted() {
        let url = Redacted::new("http://127.0.0.1:1/x?X-Amz-Signature=canary".to_owned());
        let package = Package { name: "p".into(), location: Location::Url(url), sha256: None };
        let error = Fetcher::default().open(&package).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}
