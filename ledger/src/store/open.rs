//! Opening the store of a ledger: a directory whose writes are flushed, or a bucket as the AWS SDK is
//! configured to reach it. Nothing is read or written yet.

use std::sync::Arc;

use aws_types::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::client::{HttpClient, HttpConnector};
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::credentials::Keeper;
use super::{Ledger, Patience};
use crate::address::Root;
use crate::error::LedgerError;

/// What a bucket is reached with.
#[derive(Debug, Clone)]
pub struct Access<'a> {
    /// Region, credentials and endpoint.
    pub sdk: &'a SdkConfig,
    /// The client: its TLS, proxies and connect time-out.
    pub http: HttpClient,
}

impl Ledger {
    /// Opens a ledger. A directory needs no access and is made when something is written to it.
    pub fn open(root: &Root, access: Option<Access<'_>>) -> Result<Self, LedgerError> {
        let settings = |problem: String| LedgerError::Settings { root: root.to_string(), problem };
        let prefix = root.prefix()?;
        let (store, directory): (Arc<dyn ObjectStore>, _) = match root {
            Root::Directory(path) => {
                (Arc::new(LocalFileSystem::new().with_fsync(true)), Some(path.clone()))
            }
            Root::S3 { bucket, .. } => {
                let access = access.ok_or_else(|| settings("a bucket needs AWS access".into()))?;
                (Arc::new(s3(bucket, access).map_err(settings)?), None)
            }
        };
        Ok(Self { store, root: root.clone(), prefix, directory, patience: Patience::default() })
    }
}

fn s3(bucket: &str, access: Access<'_>) -> Result<AmazonS3, String> {
    let endpoint = endpoint(access.sdk);
    let region = access.sdk.region().map(ToString::to_string);
    let region = region.or_else(|| endpoint.is_some().then(|| "us-east-1".to_owned()));
    let region = region.ok_or("no region is set: set AWS_REGION or the profile's region")?;
    let provider = access.sdk.credentials_provider();
    let provider = provider.ok_or("there is no source of credentials")?;
    let place = place(bucket, &region, endpoint);
    AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_endpoint(place.endpoint)
        .with_virtual_hosted_style_request(place.virtual_hosted)
        .with_region(region)
        .with_credentials(Arc::new(Keeper::new(provider)))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // One request per object needs fewer rights and works with every imitation of S3.
        .with_disable_bulk_delete(true)
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_http_connector(Given(access.http))
        .with_retry(retries())
        .build()
        .map_err(|error| error.to_string())
}

/// The first line of defence, quick; `Patience` is the second, and asks for credentials anew.
fn retries() -> RetryConfig {
    let second = std::time::Duration::from_secs(1);
    let backoff = BackoffConfig { max_backoff: 2 * second, ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: 8, retry_timeout: 20 * second }
}

/// Where a bucket answers.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    endpoint: String,
    virtual_hosted: bool,
}

/// Virtual-hosted style at AWS, as S3 wants it, but for names with dots, which no certificate covers;
/// path style at an endpoint of the user's.
fn place(bucket: &str, region: &str, endpoint: Option<String>) -> Place {
    if let Some(endpoint) = endpoint {
        return Place { endpoint, virtual_hosted: false };
    }
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    if bucket.contains('.') {
        return Place { endpoint: format!("https://s3.{region}.{domain}"), virtual_hosted: false };
    }
    Place { endpoint: format!("https://{bucket}.s3.{region}.{domain}"), virtual_hosted: true }
}

/// The endpoint that the user chose for S3: `AWS_ENDPOINT_URL_S3`, the profile's, or that of all services.
fn endpoint(sdk: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let own = sdk.service_config().zip(key.ok()).and_then(|(load, key)| load.load_config(key));
    own.or_else(|| sdk.endpoint_url().map(str::to_owned))
}

/// Hands on the client that was given.
#[derive(Debug)]
struct Given(HttpClient);

impl HttpConnector for Given {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_to_a_directory_is_flushed() {
        let ledger = Ledger::open(&Root::Directory("/nowhere".into()), None).unwrap();
        assert!(format!("{ledger:?}").contains("fsync: true"), "{ledger:?}");
    }

    #[test]
    fn what_is_missing_is_said() {
        let root = "s3://bucket/p".parse().unwrap();
        let error = Ledger::open(&root, None).unwrap_err().to_string();
        assert_eq!(error, "the ledger s3://bucket/p cannot be opened: a bucket needs AWS access");
    }

    #[test]
    fn a_bucket_is_where_s3_says() {
        let table = [
            ("b-1", "eu-west-1", "https://b-1.s3.eu-west-1.amazonaws.com", true),
            ("b.1", "eu-west-1", "https://s3.eu-west-1.amazonaws.com", false),
            ("b-1", "cn-north-1", "https://b-1.s3.cn-north-1.amazonaws.com.cn", true),
        ];
        for (bucket, region, endpoint, virtual_hosted) in table {
            let endpoint = endpoint.to_owned();
            assert_eq!(place(bucket, region, None), Place { endpoint, virtual_hosted });
        }
        let own = place("b-1", "eu-west-1", Some("http://localhost:5000".into()));
        assert_eq!((own.endpoint.as_str(), own.virtual_hosted), ("http://localhost:5000", false));
    }
}
