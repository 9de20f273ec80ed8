//! The images of task definitions: whether they are in their registry, as far as that may be asked.

use std::collections::BTreeSet;

use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ecs::types::TaskDefinition;

use super::finding::Finding;
use super::{Patient, said};
use crate::attach::call::quoted;

/// An image in a private registry of Amazon's: `ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY[:TAG|@DIGEST]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Private {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) repository: String,
    /// A tag, or a digest.
    reference: Reference,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reference {
    Tag(String),
    Digest(String),
}

impl Private {
    /// Nothing where the image is elsewhere. Pure.
    pub(super) fn parse(image: &str) -> Option<Self> {
        let (host, path) = image.split_once('/')?;
        let mut parts = host.split('.');
        let account = parts.next()?;
        let (dkr, ecr, region) = (parts.next()?, parts.next()?, parts.next()?);
        let rest: Vec<_> = parts.collect();
        if (dkr, ecr) != ("dkr", "ecr") || rest.first() != Some(&"amazonaws") {
            return None;
        }
        let (repository, reference) = match (path.split_once('@'), path.split_once(':')) {
            (Some((repository, digest)), _) => (repository, Reference::Digest(digest.to_owned())),
            (None, Some((repository, tag))) => (repository, Reference::Tag(tag.to_owned())),
            (None, None) => (path, Reference::Tag("latest".to_owned())),
        };
        let repository = repository.split(':').next()?.to_owned();
        Some(Self { account: account.to_owned(), region: region.to_owned(), repository, reference })
    }
}

/// The distinct images of the runner's container.
pub(super) fn all(defined: &[TaskDefinition], container: &str) -> BTreeSet<String> {
    let images = defined.iter().filter_map(|one| {
        let containers = one.container_definitions();
        let runner = containers.iter().find(|it| it.name() == Some(container))?;
        runner.image().map(str::to_owned)
    });
    images.collect()
}

/// Checks them.
pub(super) async fn check(patient: &Patient<'_>, defined: &[TaskDefinition]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for image in all(defined, &patient.config.ecs.container) {
        let subject = format!("image {image}");
        let Some(private) = Private::parse(&image) else {
            findings.push(Finding::note(&subject, "is in no private registry of Amazon's: whether it is there cannot be told from here"));
            continue;
        };
        findings.push(one(patient, &subject, &image, &private).await);
    }
    findings
}

async fn one(patient: &Patient<'_>, subject: &str, image: &str, private: &Private) -> Finding {
    let id = match &private.reference {
        Reference::Tag(tag) => ImageIdentifier::builder().image_tag(tag),
        Reference::Digest(digest) => ImageIdentifier::builder().image_digest(digest),
    };
    let region = aws_config::Region::new(private.region.clone());
    let config = aws_sdk_ecr::config::Builder::from(&patient.sdk).region(region).build();
    let request = aws_sdk_ecr::Client::from_conf(config).describe_images();
    let request = request.registry_id(&private.account).repository_name(&private.repository);
    match request.image_ids(id.build()).send().await {
        Ok(_) => Finding::well(subject, "is there"),
        Err(error) => match said("ecr:DescribeImages", &error) {
            (true, why) => Finding::wrong(
                subject,
                format!("expected it in its registry: {why}"),
                format!("build it (make images) and: docker push {}", quoted(image)),
            ),
            (false, why) => Finding::untold(subject, why),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_images_are_known_by_their_host() {
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        let tag = |tag: &str| Reference::Tag(tag.to_owned());
        for (rest, repository, reference) in [
            ("immortal/python", "immortal/python", tag("latest")),
            ("immortal/python:3.13", "immortal/python", tag("3.13")),
            ("p@sha256:0a", "p", Reference::Digest("sha256:0a".to_owned())),
            ("p:1@sha256:0a", "p", Reference::Digest("sha256:0a".to_owned())),
        ] {
            let found = Private::parse(&format!("{host}/{rest}")).unwrap();
            assert_eq!((found.repository.as_str(), &found.reference), (repository, &reference));
            assert_eq!(
                (found.account.as_str(), found.region.as_str()),
                ("123456789012", "eu-west-1")
            );
        }
        for other in ["immortal/python", "public.ecr.aws/x/y", "docker.io/library/debian:12"] {
            assert_eq!(Private::parse(other), None);
        }
    }
}
