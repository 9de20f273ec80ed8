//! The HTTP client for packages: TLS with the machine's certificates, no redirects, HTTP/1.1.

use std::time::Duration;

use super::error::Fault;
use super::resolve::Resolver;
use crate::causes::causes;

/// A peer that says nothing for so long has gone away without a word. S3 takes its time over large copies.
const SILENCE: Duration = Duration::from_mins(2);

/// A client that follows no redirect, since the URL it is given is the object's own.
pub fn new() -> Result<reqwest::Client, Fault> {
    with(roots())
}

/// The same that trusts these certificates.
pub(crate) fn with(roots: rustls::RootCertStore) -> Result<reqwest::Client, Fault> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(roots))
        .dns_resolver(Resolver)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(SILENCE)
        .build();
    client.map_err(|error| Fault::Client { problem: causes(&error) })
}

/// The machine's certificates, or Mozilla's where it has none: a bare image can still download.
fn roots() -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn tls(roots: rustls::RootCertStore) -> rustls::ClientConfig {
    let provider = rustls::crypto::ring::default_provider();
    rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("ring supports TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
