//! A registry: manifests and other documents, and who asks for them. Source: OCI distribution
//! specification 1.1. What the documents mean is `manifest`'s business, blobs are `fetch`'s.

use std::time::Duration;

use bytes::Bytes;
use ledger::Redacted;
use reqwest::header::{ACCEPT, AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode};
use sha2::{Digest as _, Sha256};

use super::access::{Challenge, challenge};
use super::error::Fault;
use super::manifest::{ACCEPT as DOCUMENTS, Descriptor, DocumentError};
use super::reference::{Reference, sha256};
use crate::causes::causes;
use crate::fetch::client;

/// The largest document, in bytes: as large as registries take.
const LARGEST: usize = 4 << 20;
const PATIENCE: Duration = Duration::from_secs(30);
const TRIES: u32 = 4;

/// A registry, as one image's puller sees it.
pub(super) struct Registry<'a> {
    reference: &'a Reference,
    client: reqwest::Client,
    /// `Basic …` that the user gave, for the registry or for who gives out its tokens.
    login: Option<Redacted<String>>,
    /// What the registry takes.
    pub(super) authorization: Option<Redacted<String>>,
}

impl<'a> Registry<'a> {
    /// Asks with this login, if the registry wants one.
    pub(super) fn new(
        reference: &'a Reference,
        login: Option<Redacted<String>>,
    ) -> Result<Self, Fault> {
        let client =
            client::new().map_err(|fault| Fault::Network { problem: fault.to_string() })?;
        Ok(Self { reference, client, login, authorization: None })
    }

    /// The manifest or index that the reference names.
    pub(super) async fn manifest(&mut self, version: &str) -> Result<Vec<u8>, Fault> {
        let url = format!("{}/manifests/{version}", self.reference.base());
        let bytes = self.document("manifest", &url).await?;
        if version.contains(':') { checked("manifest", bytes, version) } else { Ok(bytes) }
    }

    /// The image's configuration.
    pub(super) async fn configuration(&mut self, blob: &Descriptor) -> Result<Vec<u8>, Fault> {
        let bytes = self.document("configuration", &self.blob(blob)).await?;
        checked("configuration", bytes, &blob.digest)
    }

    /// Address of a blob.
    pub(super) fn blob(&self, blob: &Descriptor) -> String {
        format!("{}/blobs/{}", self.reference.base(), blob.digest)
    }

    /// A document, after a login if the registry wants one, and again after failures that pass.
    async fn document(&mut self, what: &'static str, url: &str) -> Result<Vec<u8>, Fault> {
        let mut tries = 0;
        loop {
            tries += 1;
            let again = tries < TRIES;
            match self.once(what, url).await {
                Err(Fault::Network { .. } | Fault::Status { status: 429 | 500..=599, .. })
                    if again => {}
                ended => return ended,
            }
            tokio::time::sleep(Duration::from_millis(200) * 2_u32.pow(tries)).await;
        }
    }

    async fn once(&mut self, what: &'static str, url: &str) -> Result<Vec<u8>, Fault> {
        let mut response = self.ask(url).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.log_in(&response).await?;
            response = self.ask(url).await?;
        }
        match response.status().as_u16() {
            200 => body(response).await,
            status @ (401 | 403) => Err(Fault::Access {
                problem: format!("{status} for the {what}; check the login and that it may pull"),
            }),
            status => Err(Fault::Status { what, status }),
        }
    }

    /// Configurations may be in other storage, where the login is nobody's business.
    async fn ask(&self, url: &str) -> Result<Response, Fault> {
        let mut request = self.client.get(url).header(ACCEPT, DOCUMENTS).timeout(PATIENCE);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.expose());
        }
        let response = request.send().await.map_err(network)?;
        let elsewhere = crate::fetch::elsewhere(&response);
        match elsewhere {
            Some(url) => {
                self.client.get(url.expose()).timeout(PATIENCE).send().await.map_err(network)
            }
            None => Ok(response),
        }
    }

    /// Does what the registry's challenge asks for.
    async fn log_in(&mut self, refused: &Response) -> Result<(), Fault> {
        let access = |problem: &str| Fault::Access { problem: problem.to_owned() };
        let header = refused.headers().get(WWW_AUTHENTICATE).and_then(|it| it.to_str().ok());
        match header.and_then(challenge) {
            Some(Challenge::Basic) => {
                let login = self.login.clone();
                let missing =
                    "it wants a login; give --registry-auth USER:PASSWORD, or use docker login";
                self.authorization = Some(login.ok_or_else(|| access(missing))?);
                Ok(())
            }
            Some(Challenge::Bearer { realm, parameters }) => {
                self.authorization = Some(self.token(&realm, &parameters).await?);
                Ok(())
            }
            None => Err(access(
                "it asks for a login in a way that is not known: expected Basic or Bearer",
            )),
        }
    }

    async fn token(
        &self,
        realm: &str,
        parameters: &[(String, String)],
    ) -> Result<Redacted<String>, Fault> {
        let mut url: reqwest::Url = realm.parse().map_err(|_| Fault::Access {
            problem: "the address for its tokens is none".to_owned(),
        })?;
        url.query_pairs_mut().extend_pairs(parameters);
        let mut request = self.client.get(url).timeout(PATIENCE);
        if let Some(login) = &self.login {
            request = request.header(AUTHORIZATION, login.expose());
        }
        let response = request.send().await.map_err(network)?;
        let status = response.status();
        if !status.is_success() {
            let problem = format!("{} for a token; check the login", status.as_u16());
            return Err(Fault::Access { problem });
        }
        let answer: serde_json::Value =
            serde_json::from_slice(&body(response).await?).unwrap_or_default();
        let token = ["token", "access_token"].iter().find_map(|name| answer[name].as_str());
        let token = token.ok_or_else(|| Fault::Access { problem: "no token came".to_owned() })?;
        Ok(Redacted::new(format!("Bearer {token}")))
    }
}

async fn body(mut response: Response) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(network)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LARGEST {
            let found = format!("more than {LARGEST} bytes");
            return Err(DocumentError::Unusable { what: "document", found }.into());
        }
    }
    Ok(bytes)
}

fn checked(what: &'static str, bytes: Vec<u8>, expected: &str) -> Result<Vec<u8>, Fault> {
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    if sha256(expected) == Some(digest) {
        return Ok(bytes);
    }
    let found = format!("{:x}", Bytes::copy_from_slice(&digest));
    Err(Fault::Digest { what, expected: expected.to_owned(), found })
}

fn network(error: reqwest::Error) -> Fault {
    Fault::Network { problem: causes(&error.without_url()) }
}
