//! Names → addresses, for whoever connects: what is judged is what is connected to, and nobody asks again in between.
//! Which names are asked for is judged elsewhere.
//!
//! A private address is not refused: a VPC's endpoints of S3 and Lambda have AWS's names there.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use super::host::{self, Astray};

/// The machine's own resolver, without the addresses to which a name must not lead.
#[derive(Debug, Clone, Copy)]
pub struct Resolver;

/// A name that has no other addresses.
#[derive(Debug, Error)]
#[error("`{name}` was resolved to {address}, {astray}: nothing was sent; check the name servers")]
struct Refused {
    name: String,
    address: IpAddr,
    astray: Astray,
}

impl Resolver {
    async fn addresses(name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip());
        judged(name, found).map_err(io::Error::other)
    }
}

/// The addresses that are good, or why there is none.
fn judged(name: &str, found: impl Iterator<Item = IpAddr>) -> Result<Vec<IpAddr>, Refused> {
    let (mut good, mut refused) = (Vec::new(), None);
    for address in found {
        match host::astray(name, address) {
            None => good.push(address),
            Some(astray) => refused = Some(Refused { name: name.to_owned(), address, astray }),
        }
    }
    match refused {
        Some(refused) if good.is_empty() => Err(refused),
        _ => Ok(good),
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = Self::addresses(name.as_str()).await?;
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move { Self::addresses(name).await.map_err(ResolveDnsError::new) })
    }
}

impl fmt::Display for Astray {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Credentials => "where credentials are given out",
            Self::Here => "which is this machine or its link and none of AWS's",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, found: &[&str]) -> Result<Vec<IpAddr>, String> {
        let found = found.iter().map(|text| text.parse().unwrap());
        judged(name, found).map_err(|refused| refused.to_string())
    }

    #[test]
    fn what_is_good_is_connected_to_and_the_rest_is_not() {
        let name = "b.s3.eu-west-1.amazonaws.com";
        let good: Vec<IpAddr> = vec!["52.95.1.1".parse().unwrap()];
        assert_eq!(of(name, &["127.0.0.1", "52.95.1.1", "169.254.170.2"]), Ok(good));
        let refused = of(name, &["169.254.170.2"]).unwrap_err();
        assert!(refused.contains("to 169.254.170.2, where credentials are given out"), "{refused}");
        assert_eq!(of(name, &[]), Ok(Vec::new()));
    }
}
