//! `doctor`: checks a deployment from its configuration, and says of each finding how it is mended. Owns what is checked
//! and in which order; each file checks one kind of thing. Nothing is changed, but a probe in the ledger that is taken
//! away again. What may not be asked is said to be untold, with the right that it takes.

mod cluster;
mod definitions;
mod files;
pub mod finding;
mod functions;
mod images;
mod machine;
mod network;
mod permissions;
mod queues;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use ledger::{Ledger, LedgerError, Root};
use runner::causes::causes;

use crate::aws::Account;
use crate::config::Config;
use crate::launch;
use crate::people::Refusal;
use crate::signed::Signed;
use finding::Finding;

/// What is examined, and with what.
struct Patient<'a> {
    config: &'a Config,
    sdk: SdkConfig,
    account: Account,
    lambda: aws_sdk_lambda::Client,
    sqs: aws_sdk_sqs::Client,
    ecs: aws_sdk_ecs::Client,
    signed: Signed,
}

/// How long the ledger may take: it waits for throttles to pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// Examines everything.
pub async fn examine(
    config: &Config,
    sdk: &SdkConfig,
    ledger: &Ledger,
) -> Result<Vec<Finding>, Refusal> {
    let patient = Patient {
        config,
        sdk: sdk.clone(),
        account: Account::new(sdk),
        lambda: aws_sdk_lambda::Client::new(sdk),
        sqs: aws_sdk_sqs::Client::new(sdk),
        ecs: aws_sdk_ecs::Client::new(sdk),
        signed: Signed::new(sdk).map_err(Refusal)?,
    };
    let mut findings = vec![probe(ledger).await];
    findings.extend(apart(config, ledger));
    let queues = queues::check(&patient, &mut findings).await;
    let wired = functions::check(&patient, &queues, &mut findings).await;
    match config.launch.launcher {
        launch::Kind::Ecs => {
            findings.extend(cluster::check(&patient).await);
            let defined = definitions::check(&patient, &wired, &mut findings).await;
            findings.extend(images::check(&patient, &defined).await);
            findings.extend(permissions::check(&patient, &defined).await);
            findings.extend(files::check(&patient, &wired, &defined).await);
            findings.extend(network::check(&patient, &wired).await);
            findings.extend(cluster::quotas(&patient, &wired).await);
        }
        launch::Kind::Batch => {
            findings.push(Finding::note(
                "AWS Batch",
                "its queues and job definitions are not looked at",
            ));
        }
        launch::Kind::Docker => findings.extend(machine::docker(&patient, &wired).await),
        launch::Kind::Process => findings.push(machine::process(&patient).await),
    }
    Ok(findings)
}

/// Whether the ledger takes what decides: an object that is created if absent, and only then.
async fn probe(ledger: &Ledger) -> Finding {
    let subject = format!("ledger {}", ledger.root());
    let probe = tokio::time::timeout(PATIENCE, ledger.probe()).await;
    let Ok(probed) = probe else {
        return Finding::untold(&subject, format!("no answer in {PATIENCE:?}"));
    };
    match probed {
        Ok(true) => Finding::well(&subject, "is written and read, and creates only what is absent"),
        Ok(false) => Finding::wrong(
            &subject,
            "expected a second create of an object to be refused (If-None-Match), found that it replaced the first: two runners could own one attempt",
            "put the ledger where conditional writes are honoured: Amazon S3, or a directory of a local file system",
        ),
        Err(error @ LedgerError::Unavailable { .. }) => Finding::untold(&subject, causes(&error)),
        Err(error) => Finding::wrong(
            &subject,
            causes(&error),
            "make the bucket or directory, and grant s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket (docs/ledger.md)",
        ),
    }
}

/// A directory of this machine is none of a task's.
fn apart(config: &Config, ledger: &Ledger) -> Option<Finding> {
    let far = matches!(config.launch.launcher, launch::Kind::Ecs | launch::Kind::Batch);
    let directory = matches!(config.root(), Ok(Root::Directory(_)));
    (far && directory).then(|| {
        Finding::note(
            &format!("ledger {}", ledger.root()),
            "is a directory: tasks see it only where their definitions mount it at the same place; Amazon S3 needs no mount",
        )
    })
}

/// Whether there is no such thing, and what was said: of a refusal for want of rights, the right.
fn said<E, R>(action: &str, error: &SdkError<E, R>) -> (bool, String)
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let Some(said) = error.as_service_error() else {
        return (false, format!("{action} got no answer: {}", causes(error)));
    };
    let Some(code) = said.code() else {
        return (
            false,
            format!("{action} gave an answer that is not as documented: {}", causes(error)),
        );
    };
    let message = said.message().unwrap_or("without a message");
    if code.contains("AccessDenied") || code.contains("AuthorizationError") {
        return (false, format!("that needs {action} ({message})"));
    }
    // ECS says of a task definition that is not there only that it cannot describe it.
    let absent = ["NonExistent", "DoesNotExist", "NotFound"].iter().any(|part| code.contains(part))
        || message.contains("Unable to describe task definition");
    (absent, format!("{action} was refused: {code}: {message}"))
}
