//! Names of images. Pure. Source: the grammar of distribution's `reference` package, and what Docker
//! does with names without a registry.

use std::fmt;
use std::str::FromStr;

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Host, with its port where there is one.
    pub registry: String,
    /// Name in the registry.
    pub repository: String,
    /// Digest, else tag.
    pub version: String,
}

impl Reference {
    /// Whether it names the image by what is in it.
    pub fn digest(&self) -> Option<&str> {
        self.version.contains(':').then_some(self.version.as_str())
    }

    /// The registry's address. As with Docker, only this machine's may do without TLS.
    pub fn base(&self) -> String {
        let host = self.registry.rsplit_once(':').map_or(&*self.registry, |(host, _)| host);
        let local = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        let (scheme, registry) = (if local { "http" } else { "https" }, &self.registry);
        let registry = if registry == "docker.io" { "registry-1.docker.io" } else { registry };
        format!("{scheme}://{registry}/v2/{}", self.repository)
    }

    /// Account's region, where the registry is Amazon's: `ID.dkr.ecr[-fips].REGION.amazonaws.com[.cn]`,
    /// or `ID.dkr-ecr.REGION.on.aws` (ECR user guide, "Amazon ECR endpoints"). It gets our login: no other host is one.
    pub fn ecr_region(&self) -> Option<&str> {
        let parts: Vec<&str> = self.registry.split('.').collect();
        let found = match parts[..] {
            [account, "dkr", "ecr" | "ecr-fips", region, "amazonaws", "com" | "eu"]
            | [account, "dkr", "ecr" | "ecr-fips", region, "amazonaws", "com", "cn"]
            | [account, "dkr-ecr" | "dkr-ecr-fips", region, "on", "aws"]
            | [account, "dkr-ecr", region, "on", "amazonwebservices", "com", "cn"]
            | [account, "dkr", "ecr", region, "c2s", "ic", "gov"]
            | [account, "dkr", "ecr", region, "sc2s", "sgov", "gov"]
            | [account, "dkr", "ecr", region, "cloud", "adc-e", "uk"] => Some((account, region)),
            _ => None,
        };
        let (account, region) = found?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (account.bytes().all(|byte| byte.is_ascii_digit()) && region.bytes().all(plain))
            .then_some(region)
    }
}

/// A name that is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected an image as REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:…, found `{0}`")]
pub struct ReferenceError(String);

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ReferenceError(text.to_owned());
        let (name, digest) = text.split_once('@').map_or((text, None), |(n, d)| (n, Some(d)));
        let tag_at = name.rfind(':').filter(|at| !name[*at..].contains('/'));
        let (name, tag) = tag_at.map_or((name, None), |at| (&name[..at], Some(&name[at + 1..])));
        let registry = |first: &str| first.contains(['.', ':']) || first == "localhost";
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if registry(first) => (first, rest.to_owned()),
            Some(_) => ("docker.io", name.to_owned()),
            None => ("docker.io", format!("library/{name}")),
        };
        let plain = |text: &str| {
            let letter =
                |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"._-/".contains(&it);
            text.bytes().all(letter)
                && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
        };
        let tagged = |tag: &str| {
            let letter = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
            !tag.is_empty() && tag.len() <= 128 && tag.bytes().all(letter)
        };
        let good = digest
            .map_or_else(|| tagged(tag.unwrap_or("latest")), |digest| sha256(digest).is_some());
        if !good || !plain(&repository) || registry.contains(char::is_whitespace) {
            return Err(wrong());
        }
        let version = digest.or(tag).unwrap_or("latest").to_owned();
        Ok(Self { registry: registry.to_owned(), repository, version })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.digest().is_some() { '@' } else { ':' };
        write!(formatter, "{}/{}{mark}{}", self.registry, self.repository, self.version)
    }
}

/// The bytes of `sha256:` and 64 hexadecimal digits.
pub(super) fn sha256(digest: &str) -> Option<[u8; 32]> {
    let hex = digest.strip_prefix("sha256:")?.as_bytes();
    let (pairs, rest) = hex.as_chunks::<2>();
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?)).collect();
    bytes.filter(|_| rest.is_empty())?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parsed(text: &str) -> String {
        text.parse()
            .map_or_else(|error: ReferenceError| error.to_string(), |it: Reference| it.to_string())
    }

    #[test]
    fn names_are_read_as_docker_reads_them() {
        assert_eq!(parsed("python"), "docker.io/library/python:latest");
        assert_eq!(parsed("a/b:1"), "docker.io/a/b:1");
        assert_eq!(parsed("localhost:5000/a"), "localhost:5000/a:latest");
        let ecr = format!("1.dkr.ecr.eu-west-1.amazonaws.com/a/b:tag@{DIGEST}");
        let reference: Reference = ecr.parse().unwrap();
        assert_eq!((reference.ecr_region(), reference.digest()), (Some("eu-west-1"), Some(DIGEST)));
        assert_eq!(reference.base(), "https://1.dkr.ecr.eu-west-1.amazonaws.com/v2/a/b");
        let local: Reference = "localhost:5000/a".parse().unwrap();
        assert_eq!(
            (local.base(), local.ecr_region()),
            ("http://localhost:5000/v2/a".to_owned(), None)
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "A", "a b", "a//b", "a/../b", "a@sha256:12", "a:", "h.x/", "a@md5:1"] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_amazons_registries_are_amazons() {
        for host in [
            "1.dkr.ecr.eu-west-1.amazonaws.com",
            "1.dkr.ecr-fips.us-east-1.amazonaws.com",
            "1.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "1.dkr-ecr.eu-west-1.on.aws",
        ] {
            let reference: Reference = format!("{host}/a:1").parse().unwrap();
            assert!(reference.ecr_region().is_some(), "{host}");
        }
        for host in [
            "1.dkr.ecr.eu-west-1.amazonaws.evil.example",
            "1.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
            "1.dkr.ecr.eu-west-1.amazonaws.com:8443",
            "x@1.dkr.ecr.eu-west-1.amazonaws.com",
            "1.dkr.ecr.evil#.amazonaws.com",
            "1.dkr-ecr.eu-west-1.on.evil.example",
            "evil?1.dkr.ecr.eu-west-1.amazonaws.com",
            "169.254.170.2",
            "localhost:80",
        ] {
            let found = format!("{host}/a:1").parse::<Reference>();
            assert!(found.is_err() || found.unwrap().ecr_region().is_none(), "{host}");
        }
    }

    #[test]
    fn a_digest_has_32_bytes() {
        assert_eq!(sha256(DIGEST).unwrap()[..2], [0xe3, 0xb0]);
        assert!(sha256("sha256:zz").is_none() && sha256(&DIGEST[..70]).is_none());
    }
}
