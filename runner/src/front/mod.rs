//! The front door: Lambda's Invoke API on HTTP, as the AWS CLI, the SDKs and the users of AWS's emulator speak it. Knows
//! orders and their answers; who carries them out, and how, is not known here.

mod answer;
mod arn;
mod body;
pub mod call;
mod cors;
mod desk;
mod later;
mod refusal;
mod seat;
mod stream;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use desk::Desk;
pub use later::{Condition, Limits as LaterLimits, Lines, Outcome, Outcomes, Policy};

use crate::order::Order;

/// How callers are served.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Invocations that run at the same time.
    pub concurrency: usize,
    /// Callers that may wait beside those whose invocations run; to others it is said that it is busy.
    pub queue: usize,
    /// Lambda's own limits on the size of events.
    pub strict: bool,
    /// Most bytes of an event otherwise.
    pub max_request: u64,
    /// Origin of the web pages that may call: `*`, or `http://localhost:3000`.
    pub cors: Option<String>,
    /// Events that nobody waits for.
    pub later: LaterLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 1,
            // As many as Lambda runs at the same time in an account.
            queue: 1000,
            strict: false,
            // More than any limit of Lambda's, less than what fills a disk.
            max_request: 1 << 30,
            cors: None,
            later: LaterLimits::default(),
        }
    }
}

/// What callers are told of the function.
#[derive(Debug, Clone)]
pub struct FunctionFacts {
    /// Version, `$LATEST` or a number.
    pub version: String,
    /// ARN, with qualifier where the function was named with one.
    pub arn: String,
}

/// The listening side.
#[derive(Debug)]
pub struct Front {
    listener: TcpListener,
    /// `localhost` is both of these addresses, and clients choose.
    twin: Option<TcpListener>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Front {
    /// Listens. On `127.0.0.1` also on `::1`, where that exists and the port is free.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let twin = match address.ip() {
            IpAddr::V4(Ipv4Addr::LOCALHOST) => {
                TcpListener::bind((Ipv6Addr::LOCALHOST, address.port())).await.ok()
            }
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        };
        Ok(Self { listener, twin, address })
    }

    /// Answers callers until `stop`; then accepts nobody any more, and returns when all answers under way have been given.
    /// Dropped before that, it cuts them off.
    pub async fn serve(
        self,
        settings: Settings,
        orders: mpsc::Sender<Order>,
        facts: FunctionFacts,
        outcomes: Arc<dyn Outcomes>,
        stop: impl Future<Output = ()>,
    ) {
        let (stopping, stopped) = watch::channel(false);
        let desk = Arc::new(Desk::new(settings, facts, orders, outcomes, stopped.clone()));
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => accepted,
                accepted = accept(self.twin.as_ref()) => accepted,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, Arc::clone(&desk), stopped.clone()));
                }
                // Out of descriptors, or the client is already gone: try again a little later.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        drop((self.listener, self.twin));
        stopping.send_replace(true);
        while connections.join_next().await.is_some() {}
        desk.later.quiet().await;
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// One connection to its end. A broken one is the client's affair.
async fn converse(stream: TcpStream, desk: Arc<Desk>, mut stopped: watch::Receiver<bool>) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    });
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // It would end connections that are kept for the next call, in the very moment in which that comes.
        .header_read_timeout(None)
        // Who has said all may still be listening.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
