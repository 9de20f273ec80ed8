//! The function's own credentials: obtained by whoever is allowed to, kept fresh for as long as the run lasts, and
//! served on loopback to processes that know the token. Who obtains them is not known here, nor what they open.

mod fresh;
mod serve;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use ledger::Redacted;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
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

/// Credentials that never expire before they are used.
pub struct Keeper {
    obtain: Obtain,
    held: Mutex<Credentials>,
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
        Self { obtain, held: Mutex::new(held) }
    }

    /// Credentials that are good for a while. Those at hand are given for as long as they are good at all, when
    /// there are no newer ones; then the reason is told.
    async fn current(&self) -> Result<Credentials, String> {
        // Those who ask meanwhile wait for the same answer.
        let mut held = self.held.lock().await;
        let now = SystemTime::now();
        if !fresh::is_due(now, held.obtained, held.expires) {
            return Ok(held.clone());
        }
        match (self.obtain)().await {
            Ok(newer) => *held = newer,
            Err(problem) if now >= held.expires => return Err(problem),
            Err(_) => {}
        }
        Ok(held.clone())
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
