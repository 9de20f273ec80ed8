//! The AWS SDK's credentials for the object store. Owns when they are asked for again; where they
//! come from is the SDK's business.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use object_store::aws::AwsCredential;
use object_store::{CredentialProvider, Error};
use tokio::sync::Mutex;

/// Credentials are renewed this long before they expire.
const EARLY: Duration = Duration::from_mins(5);
/// Those that do not say when they expire are asked for again after this long, as the SDK does.
const UNSAID: Duration = Duration::from_mins(15);

/// Asks the SDK's provider, and keeps what it said.
#[derive(Debug)]
pub(super) struct Keeper {
    provider: SharedCredentialsProvider,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    credential: Arc<AwsCredential>,
    expires: SystemTime,
}

/// What kept credentials are good for.
#[derive(Debug, PartialEq, Eq)]
enum Use {
    /// Anything.
    Fresh,
    /// If there are no newer ones.
    AtNeed,
    /// Nothing.
    Never,
}

fn usable(expires: SystemTime, now: SystemTime) -> Use {
    match expires.duration_since(now) {
        Ok(left) if left > EARLY => Use::Fresh,
        Ok(left) if !left.is_zero() => Use::AtNeed,
        _ => Use::Never,
    }
}

impl Keeper {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, kept: Mutex::new(None) }
    }
}

#[async_trait]
impl CredentialProvider for Keeper {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        // Held while asking: one question for all who wait.
        let mut kept = self.kept.lock().await;
        let state = kept.as_ref().map(|kept| usable(kept.expires, SystemTime::now()));
        if let (Some(kept), Some(Use::Fresh)) = (kept.as_ref(), &state) {
            return Ok(kept.credential.clone());
        }
        match (self.provider.provide_credentials().await, kept.as_ref(), state) {
            (Ok(credentials), ..) => {
                Ok(kept.insert(keep(&credentials, SystemTime::now())).credential.clone())
            }
            (Err(_), Some(kept), Some(Use::AtNeed)) => Ok(kept.credential.clone()),
            (Err(error), ..) => Err(failure(error)),
        }
    }
}

fn keep(credentials: &Credentials, now: SystemTime) -> Kept {
    let credential = AwsCredential {
        key_id: credentials.access_key_id().to_owned(),
        secret_key: credentials.secret_access_key().to_owned(),
        token: credentials.session_token().map(str::to_owned),
    };
    let expires = credentials.expiry().unwrap_or(now + EARLY + UNSAID);
    Kept { credential: Arc::new(credential), expires }
}

/// Credentials that are not configured stay so; a provider that failed may succeed.
fn failure(error: CredentialsError) -> Error {
    let (path, source) = ("credentials".to_owned(), Box::new(error));
    match *source {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            Error::Unauthenticated { path, source }
        }
        _ => Error::Generic { store: "S3", source },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use aws_credential_types::provider::future::ProvideCredentials as Provided;

    use super::*;

    /// Gives out numbered credentials, and fails when it has no more.
    #[derive(Debug)]
    struct Numbered {
        given: AtomicU64,
        most: u64,
        lifetime: Duration,
    }

    impl ProvideCredentials for Numbered {
        fn provide_credentials<'a>(&'a self) -> Provided<'a>
        where
            Self: 'a,
        {
            let number = self.given.fetch_add(1, Ordering::Relaxed) + 1;
            if number > self.most {
                return Provided::ready(Err(CredentialsError::not_loaded("none")));
            }
            let expiry = Some(SystemTime::now() + self.lifetime);
            Provided::ready(Ok(Credentials::new(number.to_string(), "s", None, expiry, "test")))
        }
    }

    fn keeper(lifetime: Duration, most: u64) -> Keeper {
        let provider = Numbered { given: AtomicU64::new(0), most, lifetime };
        Keeper::new(SharedCredentialsProvider::new(provider))
    }

    async fn key(keeper: &Keeper) -> Result<String, Error> {
        keeper.get_credential().await.map(|credential| credential.key_id.clone())
    }

    #[tokio::test]
    async fn fresh_credentials_are_asked_for_once() {
        let keeper = keeper(EARLY * 2, 1);
        assert_eq!(key(&keeper).await.unwrap(), "1");
        assert_eq!(key(&keeper).await.unwrap(), "1");
    }

    #[tokio::test]
    async fn old_ones_are_replaced_and_used_until_they_expire() {
        let keeper = keeper(EARLY / 2, 2);
        assert_eq!(key(&keeper).await.unwrap(), "1");
        assert_eq!(key(&keeper).await.unwrap(), "2");
        assert_eq!(key(&keeper).await.unwrap(), "2");
    }

    #[tokio::test]
    async fn expired_ones_are_not_used() {
        let keeper = keeper(Duration::ZERO, 1);
        assert_eq!(key(&keeper).await.unwrap(), "1");
        assert!(matches!(key(&keeper).await.unwrap_err(), Error::Unauthenticated { .. }));
    }

    #[test]
    fn credentials_that_do_not_say_are_asked_for_again() {
        let now = SystemTime::UNIX_EPOCH;
        let kept = keep(&Credentials::new("k", "s", None, None, "test"), now);
        assert_eq!(usable(kept.expires, now), Use::Fresh);
        assert_eq!(usable(kept.expires, now + UNSAID), Use::AtNeed);
    }
}
