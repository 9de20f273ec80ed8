//! A presigned address for an object in S3, so that it comes the same way as Lambda's own packages.
//! Source: the S3 user guide, "Authenticating Requests: Using Query Parameters".

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use ledger::Redacted;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{AwsError, endpoint};
use crate::causes::causes;
use crate::function::S3Object;

/// Longer than any download, shorter than most credentials.
const LIFETIME: Duration = Duration::from_hours(1);
/// What stands for itself in an address (RFC 3986, 2.3), and the slash.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Signs a GET of this object with the credentials of the environment.
pub(super) async fn presign(
    config: &SdkConfig,
    object: &S3Object,
) -> Result<Redacted<String>, AwsError> {
    let failed = |problem: String| AwsError::Unreachable {
        operation: "Presigning",
        subject: format!("s3://{}/{}", object.bucket, object.key),
        problem,
    };
    let region = config.region().map(AsRef::as_ref);
    let region: &str = region.ok_or_else(|| failed("no region: set AWS_REGION".to_owned()))?;
    let address = address(object, region, endpoint(config, "S3").as_deref());
    let provider =
        config.credentials_provider().ok_or_else(|| failed("no credentials".to_owned()))?;
    let credentials = provider.provide_credentials().await;
    let identity = credentials.map_err(|error| failed(causes(&error)))?.into();
    signed(&address, region, &identity).map(Redacted::new).map_err(failed)
}

/// The object's address without a signature: its bucket in the host's name where that can be.
fn address(object: &S3Object, region: &str, endpoint: Option<&str>) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let S3Object { bucket, key, version } = object;
    let base = match endpoint {
        Some(endpoint) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
        // A name with dots does not fit S3's certificates.
        None if bucket.contains('.') => format!("https://s3.{region}.{suffix}/{bucket}"),
        None => format!("https://{bucket}.s3.{region}.{suffix}"),
    };
    let version = version
        .as_ref()
        .map(|version| format!("?versionId={}", utf8_percent_encode(version, NON_ALPHANUMERIC)));
    format!("{base}/{}{}", utf8_percent_encode(key, PLAIN), version.unwrap_or_default())
}

fn signed(
    address: &str,
    region: &str,
    identity: &aws_smithy_runtime_api::client::identity::Identity,
) -> Result<String, String> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.expires_in = Some(LIFETIME);
    let parameters = v4::SigningParams::builder()
        .identity(identity)
        .region(region)
        .name("s3")
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .map_err(|error| causes(&error))?
        .into();
    let request =
        SignableRequest::new("GET", address, std::iter::empty(), SignableBody::UnsignedPayload);
    let request = request.map_err(|error| causes(&error))?;
    let (instructions, _) =
        sign(request, &parameters).map_err(|error| causes(&error))?.into_parts();
    let mut request =
        http::Request::builder().uri(address).body(()).map_err(|error| causes(&error))?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request.uri().to_string())
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;

    use super::*;

    fn object(bucket: &str) -> S3Object {
        S3Object { bucket: bucket.to_owned(), key: "a b/ü".to_owned(), version: None }
    }

    #[test]
    fn the_bucket_is_in_the_host_where_it_can_be() {
        let at = |bucket, endpoint| address(&object(bucket), "eu-west-1", endpoint);
        assert_eq!(at("b", None), "https://b.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC");
        assert_eq!(at("b.c", None), "https://s3.eu-west-1.amazonaws.com/b.c/a%20b/%C3%BC");
        assert_eq!(at("b", Some("http://h:1/")), "http://h:1/b/a%20b/%C3%BC");
        assert!(address(&object("b"), "cn-north-1", None).contains("cn-north-1.amazonaws.com.cn/"));
    }

    #[test]
    fn a_signature_is_added_and_nothing_else_changed() {
        let identity = Credentials::new("id", "secret", Some("token".into()), None, "test").into();
        let address = "https://b.s3.eu-west-1.amazonaws.com/a%20b?versionId=v";
        let signed = signed(address, "eu-west-1", &identity).unwrap();
        assert!(signed.starts_with(address), "{signed}");
        for part in ["X-Amz-Expires=3600", "X-Amz-Security-Token=token", "X-Amz-Signature="] {
            assert!(signed.contains(part), "{signed}");
        }
    }
}
