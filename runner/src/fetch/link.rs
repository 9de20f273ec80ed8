//! One package's address, and single requests to it. Replaces the address once when it has expired.
//! What the bytes are for is not known here.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ledger::Redacted;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderName, IF_MATCH,
    LOCATION, RANGE,
};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::answer::{Answer, Head, Trouble, Wanted, changed, judge};
use super::error::Fault;
use super::host;
use super::patience::Patience;
use crate::causes::causes;

/// A fresh address of the same package, or why there is none.
pub type Renewed = Pin<Box<dyn Future<Output = Result<Redacted<String>, String>> + Send>>;
/// Asks for a fresh address.
pub type Renewal = Arc<dyn Fn() -> Renewed + Send + Sync>;

/// Where a package is.
pub(super) struct Link {
    client: reqwest::Client,
    address: Mutex<Address>,
    renewal: Option<Renewal>,
    pub(super) patience: Patience,
}

/// An address, and who asks there.
pub(super) struct Address {
    url: Redacted<String>,
    /// Header for the first host only, and whether that may send us elsewhere.
    authorization: Option<Redacted<String>>,
    follow: bool,
    /// How often it has been replaced.
    renewed: u32,
}

/// As many times a registry may send us elsewhere.
const DETOURS: usize = 5;

impl Address {
    /// A package's own: whoever sends us elsewhere is not where it is.
    pub(super) fn of(url: &Redacted<String>) -> Self {
        Self { url: url.clone(), authorization: None, follow: false, renewed: 0 }
    }

    /// A registry's for a blob, which is often in other storage.
    pub(super) fn of_blob(url: &str, authorization: Option<&Redacted<String>>) -> Self {
        let url = Redacted::new(url.to_owned());
        Self { url, authorization: authorization.cloned(), follow: true, renewed: 0 }
    }

    /// Is it a registry's?
    pub(super) const fn is_blob(&self) -> bool {
        self.follow
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    /// An address that may be replaced by `renewal`.
    pub(super) fn new(
        client: reqwest::Client,
        address: Address,
        renewal: Option<Renewal>,
        patience: Patience,
    ) -> Self {
        Self { client, address: Mutex::new(address), renewal, patience }
    }

    /// Asks for bytes, and waits for the head of the answer.
    pub(super) async fn get(&self, wanted: &Wanted, etag: Option<&str>) -> Result<Body, Trouble> {
        let answered = timeout(self.patience.stall, self.ask(wanted, etag)).await;
        let response = answered.map_err(|_| self.stalled())??;
        let body = Body::new(response, wanted, self.patience.stall)?;
        match (etag, &body.etag) {
            (Some(expected), Some(found)) if expected != found => {
                Err(changed(expected, found.clone()))
            }
            _ => Ok(body),
        }
    }

    /// Asks where the package is said to be, and where that sends us.
    async fn ask(&self, wanted: &Wanted, etag: Option<&str>) -> Result<reqwest::Response, Trouble> {
        let address = self.address.lock().await;
        let (mut url, follow) = (address.url.clone(), address.follow);
        let mut authorization = address.authorization.clone();
        drop(address);
        for _ in 0..DETOURS {
            let mut request = self.client.get(url.expose());
            request = request.header(RANGE, wanted.header()).header(ACCEPT_ENCODING, "identity");
            if let Some(etag) = etag {
                request = request.header(IF_MATCH, etag);
            }
            if let Some(authorization) = authorization.take() {
                request = request.header(AUTHORIZATION, authorization.expose());
            }
            let response = request.send().await.map_err(|error| failure(error, &url))?;
            match elsewhere(&response).filter(|_| follow) {
                Some(other) => url = other,
                None => return Ok(response),
            }
        }
        Err(Trouble::Again("sent from one address to another, again and again".to_owned()))
    }

    fn stalled(&self) -> Trouble {
        Trouble::Again(format!("no answer for {} s", self.patience.stall.as_secs_f32()))
    }

    /// How often the address has been replaced.
    pub(super) async fn renewed(&self) -> u32 {
        self.address.lock().await.renewed
    }

    /// Replaces an address that was refused, if nobody has since it was used.
    async fn renew(&self, status: u16, used: u32) -> Result<(), Fault> {
        let mut address = self.address.lock().await;
        if address.renewed != used {
            return Ok(());
        }
        let renewal = self.renewal.as_ref().ok_or(Fault::Status { status })?;
        if address.renewed > 0 {
            return Err(Fault::Denied { status });
        }
        address.url = renewal().await.map_err(|problem| Fault::Renewal { problem })?;
        address.renewed += 1;
        Ok(())
    }
}

/// Where an answer points: never from an address with TLS to one without, nor to where credentials are given out.
pub(crate) fn elsewhere(response: &reqwest::Response) -> Option<Redacted<String>> {
    let location =
        response.headers().get(LOCATION).filter(|_| response.status().is_redirection())?;
    let other = response.url().join(location.to_str().ok()?).ok()?;
    let as_safe = other.scheme() == "https" || response.url().scheme() == "http";
    (as_safe && host::may_follow(&other)).then(|| Redacted::new(other.into()))
}

/// What happened on the way to an answer, without the address.
fn failure(error: reqwest::Error, url: &Redacted<String>) -> Trouble {
    if error.is_builder() {
        let expected = "an http or https address of a package";
        let scheme = url.expose().split(':').next().unwrap_or_default().chars().take(10).collect();
        return Fault::Answer { expected, found: scheme }.into();
    }
    Trouble::Again(causes(&error.without_url()))
}

/// Failures in a row.
#[derive(Debug, Default)]
pub(super) struct Retry {
    failures: u32,
    /// How often the address had been replaced when the last request was made.
    pub(super) used: u32,
}

impl Retry {
    /// There was progress.
    pub(super) fn progress(&mut self) {
        self.failures = 0;
    }

    /// After some trouble: waits, or gets a new address, or gives up.
    pub(super) async fn after(&mut self, trouble: Trouble, link: &Link) -> Result<(), Fault> {
        match trouble {
            Trouble::Fatal(fault) => Err(fault),
            Trouble::Denied(status) => link.renew(status, self.used).await,
            Trouble::Again(problem) => {
                self.failures += 1;
                let chance = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
                let tries = self.failures;
                let pause = link.patience.pause_after(tries, chance);
                sleep(pause.ok_or(Fault::Network { tries, problem })?).await;
                Ok(())
            }
        }
    }
}

/// The bytes of an answer.
#[derive(Debug)]
pub(super) struct Body {
    response: reqwest::Response,
    /// What was taken back.
    rest: Bytes,
    /// Position of the next byte in the package.
    pub(super) at: u64,
    pub(super) answer: Answer,
    /// A strong one: another means other bytes (RFC 9110, 8.8.1).
    pub(super) etag: Option<String>,
    stall: Duration,
}

impl Body {
    fn new(response: reqwest::Response, wanted: &Wanted, stall: Duration) -> Result<Self, Trouble> {
        let header = |name: HeaderName| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let head = Head {
            status: response.status().as_u16(),
            range: header(CONTENT_RANGE),
            length: response.content_length(),
            encoding: header(CONTENT_ENCODING),
        };
        let etag = header(ETAG).filter(|etag| etag.starts_with('"'));
        let answer = judge(&head, wanted)?;
        let at = if let Answer::Part(range, _) = &answer { range.start } else { 0 };
        Ok(Self { response, rest: Bytes::new(), at, answer, etag, stall })
    }

    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        let bytes = if self.rest.is_empty() {
            let next = timeout(self.stall, self.response.chunk()).await;
            let next = next.map_err(|_| {
                Trouble::Again(format!("no byte for {} s", self.stall.as_secs_f32()))
            })?;
            next.map_err(|error| Trouble::Again(causes(&error.without_url())))?
        } else {
            Some(std::mem::take(&mut self.rest))
        };
        self.at += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        Ok(bytes)
    }

    /// Takes back what was too much.
    pub(super) fn take_back(&mut self, rest: Bytes) {
        self.at -= rest.len() as u64;
        self.rest = rest;
    }
}
