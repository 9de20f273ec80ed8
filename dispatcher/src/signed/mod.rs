//! Calls of services of which a few operations are needed, and whose SDK would outweigh the rest of the program: IAM,
//! EC2, Service Quotas, CloudWatch Logs. Owns where they answer, the signature, the repetition; `answer` reads what
//! they say. Signing is the SDK's own.

mod answer;

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::HeaderMap;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use runner::causes::causes;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use answer::{List, Refused};

/// A service, and how it is spoken to.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// As endpoints are configured: `AWS_ENDPOINT_URL_IAM`.
    id: &'static str,
    /// As requests to it are signed, and as its host is called.
    name: &'static str,
    speech: Speech,
}

#[derive(Debug, Clone, Copy)]
enum Speech {
    /// A form, answered in XML; the version of the API.
    Query(&'static str),
    /// JSON; what operations begin with.
    Json(&'static str),
}

/// Identity and Access Management.
pub const IAM: Service = Service { id: "IAM", name: "iam", speech: Speech::Query("2010-05-08") };
/// Networks.
pub const EC2: Service = Service { id: "EC2", name: "ec2", speech: Speech::Query("2016-11-15") };
/// Service Quotas.
pub const QUOTAS: Service = Service {
    id: "Service Quotas",
    name: "servicequotas",
    speech: Speech::Json("ServiceQuotasV20190624"),
};
/// CloudWatch Logs.
pub const LOGS: Service =
    Service { id: "CloudWatch Logs", name: "logs", speech: Speech::Json("Logs_20140328") };

/// Tries of one call: for throttles, failures of AWS, and silence.
const TRIES: u32 = 3;
/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who calls.
#[derive(Debug, Clone)]
pub struct Signed {
    sdk: SdkConfig,
    http: reqwest::Client,
}

impl Signed {
    /// With the region, credentials and endpoints of these settings.
    pub fn new(sdk: &SdkConfig) -> Result<Self, String> {
        let http = runner::fetch::client::new().map_err(|error| causes(&error))?;
        Ok(Self { sdk: sdk.clone(), http })
    }

    /// Calls an operation with these parameters: strings, numbers, or lists of them.
    pub async fn call<T: DeserializeOwned>(
        &self,
        service: Service,
        operation: &'static str,
        parameters: &Value,
    ) -> Result<T, Refused> {
        let mut pause = Duration::from_millis(200);
        for tries in 1.. {
            match self.once(service, operation, parameters).await {
                Err(refused) if refused.passing && tries < TRIES => {
                    tokio::time::sleep(pause).await;
                    pause *= 3;
                }
                said => return said,
            }
        }
        unreachable!("the last try returns")
    }

    async fn once<T: DeserializeOwned>(
        &self,
        service: Service,
        operation: &'static str,
        parameters: &Value,
    ) -> Result<T, Refused> {
        let failed = |problem: String| Refused::unreachable(service.name, operation, &problem);
        let region = self.sdk.region().map(AsRef::as_ref);
        let region = region.ok_or_else(|| failed("no region: set AWS_REGION".to_owned()))?;
        let (url, region) = place(service, region, runner::aws::endpoint(&self.sdk, service.id));
        let (kind, body) = match service.speech {
            Speech::Query(version) => {
                ("application/x-www-form-urlencoded", form(operation, version, parameters))
            }
            Speech::Json(_) => ("application/x-amz-json-1.1", parameters.to_string()),
        };
        let mut headers = vec![("content-type", kind.to_owned())];
        if let Speech::Json(prefix) = service.speech {
            headers.push(("x-amz-target", format!("{prefix}.{operation}")));
        }
        let headers = self.sign(service, &url, &region, &headers, &body).await.map_err(failed)?;
        let request = self.http.post(&url).headers(headers).timeout(PATIENCE).body(body);
        let answer = request.send().await.map_err(|error| failed(causes(&error)))?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|error| failed(causes(&error)))?;
        match service.speech {
            Speech::Query(_) => answer::xml(service.name, operation, status, &text),
            Speech::Json(_) => answer::json(service.name, operation, status, &text),
        }
    }

    async fn sign(
        &self,
        service: Service,
        url: &str,
        region: &str,
        headers: &[(&'static str, String)],
        body: &str,
    ) -> Result<HeaderMap, String> {
        let provider = self.sdk.credentials_provider().ok_or("no credentials")?;
        let credentials = provider.provide_credentials().await.map_err(|error| causes(&error))?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| causes(&error))?
            .into();
        let signed = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let request =
            SignableRequest::new("POST", url, signed, SignableBody::Bytes(body.as_bytes()));
        let request = request.map_err(|error| causes(&error))?;
        let (instructions, _) =
            sign(request, &parameters).map_err(|error| causes(&error))?.into_parts();
        let mut request = http::Request::builder().method("POST").uri(url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(()).map_err(|error| causes(&error))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request.into_parts().0.headers)
    }
}

/// Where a service answers, and the region of the signature. IAM has one place in a partition (AWS general reference).
fn place(service: Service, region: &str, endpoint: Option<String>) -> (String, String) {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let signed = match (service.name, region.split('-').next()) {
        ("iam", Some("cn")) => "cn-north-1",
        ("iam", _) if region.starts_with("us-gov-") => "us-gov-west-1",
        ("iam", _) => "us-east-1",
        _ => region,
    };
    let host = match service.name {
        "iam" if signed == "us-east-1" => "iam.amazonaws.com".to_owned(),
        "iam" if signed == "us-gov-west-1" => "iam.us-gov.amazonaws.com".to_owned(),
        name => format!("{name}.{signed}.{suffix}"),
    };
    let url = endpoint
        .map_or_else(|| format!("https://{host}"), |url| url.trim_end_matches('/').to_owned());
    (url + "/", signed.to_owned())
}

/// The form of the Query protocol. A list is `NAME.1`, `NAME.2`, …, where its name says so: `ActionNames.member`.
fn form(operation: &str, version: &str, parameters: &Value) -> String {
    let mut pairs = vec![("Action".to_owned(), operation.to_owned())];
    pairs.push(("Version".to_owned(), version.to_owned()));
    for (name, value) in parameters.as_object().into_iter().flatten() {
        match value {
            Value::Array(items) => pairs.extend(
                items
                    .iter()
                    .zip(1..)
                    .map(|(item, number)| (format!("{name}.{number}"), text(item))),
            ),
            value => pairs.push((name.clone(), text(value))),
        }
    }
    let pair = |(name, value): &(String, String)| {
        format!(
            "{}={}",
            utf8_percent_encode(name, NON_ALPHANUMERIC),
            utf8_percent_encode(value, NON_ALPHANUMERIC)
        )
    };
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn iam_is_in_one_place_and_others_in_each_region() {
        for (service, region, url, signed) in [
            (IAM, "eu-west-1", "https://iam.amazonaws.com/", "us-east-1"),
            (IAM, "cn-north-1", "https://iam.cn-north-1.amazonaws.com.cn/", "cn-north-1"),
            (IAM, "us-gov-east-1", "https://iam.us-gov.amazonaws.com/", "us-gov-west-1"),
            (EC2, "eu-west-1", "https://ec2.eu-west-1.amazonaws.com/", "eu-west-1"),
            (LOGS, "cn-north-1", "https://logs.cn-north-1.amazonaws.com.cn/", "cn-north-1"),
        ] {
            assert_eq!(place(service, region, None), (url.to_owned(), signed.to_owned()));
        }
        let own = place(IAM, "eu-west-1", Some("http://127.0.0.1:5000".to_owned()));
        assert_eq!(own.0, "http://127.0.0.1:5000/");
    }

    #[test]
    fn parameters_are_a_form() {
        let parameters =
            json!({ "RoleName": "a b", "ActionNames.member": ["s3:Get*", "x"], "Max": 5 });
        let form = form("Simulate", "1", &parameters);
        for part in [
            "Action=Simulate&Version=1",
            "RoleName=a%20b",
            "Max=5",
            "ActionNames%2Emember%2E2=x",
            "s3%3AGet%2A",
        ] {
            assert!(form.contains(part), "{form}");
        }
    }
}
