//! Who asks a registry: what its challenge means, and which credentials there are. Pure but for reading
//! Docker's configuration. Source: distribution's token authentication specification; RFC 9110, 11.6.1.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger::Redacted;
use serde::Deserialize;

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with every request.
    Basic,
    /// A token, from this address with these parameters.
    Bearer { realm: String, parameters: Vec<(String, String)> },
}

/// Reads a `WWW-Authenticate` header.
pub(super) fn challenge(header: &str) -> Option<Challenge> {
    let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut parameters = parameters(rest);
    let realm = parameters.remove("realm")?;
    Some(Challenge::Bearer { realm, parameters: parameters.into_iter().collect() })
}

/// `a="b,c",d=e`
fn parameters(mut text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    while let Some((name, rest)) = text.split_once('=') {
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        let name = name.trim_matches([',', ' ']).to_ascii_lowercase();
        if ["realm", "service", "scope"].contains(&&*name) {
            found.insert(name, value.to_owned());
        }
        text = rest;
    }
    found
}

/// `USER:PASSWORD` as the header has it.
pub(super) fn basic(pair: &Redacted<String>) -> Redacted<String> {
    Redacted::new(format!("Basic {}", BASE64.encode(pair.expose())))
}

#[derive(Deserialize)]
struct DockerConfiguration {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
}

#[derive(Deserialize)]
struct DockerAuth {
    auth: Option<String>,
}

/// The header for a registry that `docker login` was used with.
pub(super) fn docker(home: &Path, registry: &str) -> Option<Redacted<String>> {
    let bytes = std::fs::read(home.join(".docker/config.json")).ok()?;
    found(&bytes, registry)
}

fn found(configuration: &[u8], registry: &str) -> Option<Redacted<String>> {
    let mut read: DockerConfiguration = serde_json::from_slice(configuration).ok()?;
    let hub = "https://index.docker.io/v1/";
    let name = if registry == "docker.io" { hub } else { registry };
    let auth = read.auths.remove(name)?.auth?;
    Some(Redacted::new(format!("Basic {auth}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let header =
            r#"Bearer realm="https://auth/token",service="r",scope="repository:a:pull,push""#;
        let Some(Challenge::Bearer { realm, parameters }) = challenge(header) else { panic!() };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(realm, "https://auth/token");
        assert_eq!(parameters, [pair("scope", "repository:a:pull,push"), pair("service", "r")]);
        assert_eq!(challenge("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(challenge("Negotiate"), None);
        assert_eq!(challenge("Bearer service=\"x\""), None);
    }

    #[test]
    fn docker_logins_are_found_by_registry() {
        let text = br#"{"auths": {"r:5000": {"auth": "dTpw"}, "x": {}}}"#;
        assert_eq!(found(text, "r:5000").unwrap().expose(), "Basic dTpw");
        assert_eq!(basic(&Redacted::new("u:p".to_owned())).expose(), "Basic dTpw");
        assert!(found(text, "x").is_none() && found(b"{", "r:5000").is_none());
    }
}
