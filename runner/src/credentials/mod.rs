//! The function's own credentials: obtained by whoever is allowed to, kept fresh for as long as the run lasts, and
//! served on loopback to processes that know the token. Who obtains them is not known here, nor what they open.

mod fresh;
mod serve;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use ledger::Redacted;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

use crate::boot::environment::Variables;

/// Credentials with an end (AWS SDKs reference, "Container credential provider").
#[derive(Debug, Clone)]
pub struct Credentials {
    /// `AccessKeyId`
    pub key: Redacted<String>,
    /// `SecretAccessKey`
    pub secret: Redacted<String>,
    /// `Token`
    pub token: Redacted<String>,
    /// Role that they are of.
    pub role: String,
    /// When they were obtained.
    pub obtained: SystemTime,
    /// When they are worth nothing any more.
    pub expires: SystemTime,
}

/// Obtains credentials, or says in one line why not.
pub type Obtain = Arc<dyn Fn() -> BoxFuture<'static, Result<Credentials, String>> + Send + Sync>;

/// SDKs wait two seconds for an answer (botocore, `ContainerMetadataFetcher`), and then do without credentials.
const PATIENCE: Duration = Duration::from_secs(1);

/// Credentials that never expire before they are used.
pub struct Keeper {
    obtain: Obtain,
    held: RwLock<Credentials>,
    /// Whoever replaces them has it; and why it could not be done last.
    replacing: Arc<Mutex<Option<String>>>,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keeper([redacted])")
    }
}

/// Where the function finds its credentials, for as long as this lives.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    token: Redacted<String>,
    serving: JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Keeper {
    /// Begins with credentials that were just obtained.
    pub fn new(held: Credentials, obtain: Obtain) -> Self {
        Self { obtain, held: RwLock::new(held), replacing: Arc::default() }
    }

    /// Credentials that are good for a while. Those at hand are given for as long as they are good at all, when
    /// there are no newer ones soon; then the reason is told.
    async fn current(self: &Arc<Self>) -> Result<Credentials, String> {
        if !self.is_due() {
            return Ok(self.held());
        }
        if let Ok(turn) = Arc::clone(&self.replacing).try_lock_owned() {
            // To its end, though nobody waits for it any more.
            tokio::spawn(Arc::clone(self).replace(turn));
        }
        // Whoever has it is done when it can be had.
        let replaced = async { self.replacing.lock().await.clone() };
        if SystemTime::now() < self.held().expires {
            let _ = tokio::time::timeout(PATIENCE, replaced).await;
            return Ok(self.held());
        }
        let problem = replaced.await;
        let held = self.held();
        if SystemTime::now() < held.expires {
            return Ok(held);
        }
        Err(problem.unwrap_or_else(|| "new credentials have ended already".to_owned()))
    }

    async fn replace(self: Arc<Self>, mut problem: OwnedMutexGuard<Option<String>>) {
        *problem = match (self.obtain)().await {
            Ok(newer) => {
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = newer;
                None
            }
            Err(why) => Some(why),
        };
    }

    fn held(&self) -> Credentials {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_due(&self) -> bool {
        let held = self.held();
        fresh::is_due(SystemTime::now(), held.obtained, held.expires)
    }
}

impl Endpoint {
    /// Serves them on a port of its own.
    pub async fn open(keeper: Keeper) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let token = Redacted::new(format!(
            "{0}{1}",
            uuid::Uuid::new_v4().simple(),
            uuid::Uuid::new_v4().simple()
        ));
        let address = listener.local_addr()?;
        let serving = tokio::spawn(serve::serve(listener, keeper, token.clone()));
        Ok(Self { address, token, serving })
    }

    /// What tells every AWS SDK where to ask.
    pub fn variables(&self) -> Variables {
        let url = format!("http://{}{}", self.address, serve::PATH);
        [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI".to_owned(), url.into()),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN".to_owned(), self.token.clone()),
        ]
        .into()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
