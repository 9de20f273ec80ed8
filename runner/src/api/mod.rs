//! The Runtime, Extensions, Telemetry and metadata APIs on loopback HTTP: connections, bodies, and
//! the way between a connection and the session. What any answer means is not known here.

mod answer;
mod call;
mod desk;
mod error;
mod patient;
mod places;
mod receive;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ledger::Redacted;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

pub use answer::Answer;
use desk::Desk;
use patient::{Patient, Taking, Turns};
use places::Places;

use crate::payload::Payload;
use crate::session::{Input, Seat};

/// Room for the request line and all headers, and for all trailers. One header alone, the X-Ray error
/// cause, may be 1 MiB.
const HEADER_BYTES: usize = 2 << 20;

/// So many clients are listened to at the same time, beside two for each invocation that the runtime takes at once.
const CLIENTS: usize = 256;

/// What the APIs tell about the function, and which of them there are.
#[derive(Debug)]
pub struct Facts {
    /// The function's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its handler.
    pub handler: String,
    /// Its account, where known.
    pub account: Option<String>,
    /// Availability zone id, such as `use1-az1`, where known.
    pub zone: Option<String>,
    /// `AWS_LAMBDA_METADATA_TOKEN`
    pub metadata_token: Redacted<String>,
    /// Are there extensions, and telemetry for them?
    pub extensions: bool,
    /// How many invocations the runtime takes at once, by the rules of managed instances.
    pub concurrency: Option<usize>,
    /// Largest response in bytes.
    pub response_limit: Option<u64>,
    /// Largest response that is passed on as it comes.
    pub stream_limit: Option<u64>,
}

/// A call on its way to the session, and where its answer goes.
#[derive(Debug)]
pub struct Message {
    /// What the session is asked.
    pub input: Input<Payload>,
    /// The content type of an answer that is about to come piece by piece.
    pub streaming: Option<String>,
    /// What a subscription says, beside that it is one.
    pub subscription: Option<Vec<u8>>,
    /// Where the answer goes; none where nobody waits for one.
    pub reply: Option<(Seat, oneshot::Sender<Answer>)>,
}

impl Message {
    /// One that nobody waits for an answer to.
    fn new(input: Input<Payload>) -> Self {
        Self { input, streaming: None, subscription: None, reply: None }
    }
}

/// The listening side of the APIs.
#[derive(Debug)]
pub struct Api {
    listener: TcpListener,
    /// Where it listens: `127.0.0.1:port`.
    pub address: SocketAddr,
}

impl Api {
    /// Listens on a free loopback port.
    pub async fn bind() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Accepts connections for as long as the receiver of calls lives.
    pub fn serve(self, facts: Facts) -> mpsc::UnboundedReceiver<Message> {
        let (calls, receiver) = mpsc::unbounded_channel();
        let clients = CLIENTS + 2 * facts.concurrency.unwrap_or_default();
        tokio::spawn(accept(self.listener, Desk::new(calls, facts), clients));
        receiver
    }
}

/// Lets in who comes. It has been accepted by then: who waits for a place does not fill the queue of the socket.
async fn accept(listener: TcpListener, desk: Desk, clients: usize) {
    let (mut places, turns) = (Places::new(clients), Turns::default());
    let let_in = async {
        loop {
            // Out of descriptors, or the client is already gone: try again a little later.
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                continue;
            };
            let taking = Taking::default();
            let place = places.take(taking.clone()).await;
            tokio::spawn(place.hold(converse(stream, taking, desk.clone(), turns.clone())));
        }
    };
    tokio::select! {
        () = let_in => {}
        () = desk.closed() => {}
    }
}

/// One connection to its end. A broken one is the client's affair: it sees it, and the session
/// learns what matters of it from the calls themselves.
async fn converse(stream: TcpStream, taking: Taking, desk: Desk, turns: Turns) {
    let _ = stream.set_nodelay(true);
    let stream = Patient::new(stream, taking.clone(), turns);
    let service = service_fn(move |request| {
        let (desk, heard, taking) = (desk.clone(), desk.hear(request), taking.clone());
        taking.heard();
        // From the moment in which it was read.
        let taken = heard.says_something().then(|| taking.begin());
        async move {
            let response = desk.answer(heard).await;
            taking.answered();
            drop(taken);
            Ok::<_, Infallible>(response)
        }
    });
    let _ = http().serve_connection(TokioIo::new(stream), service).await;
}

/// How HTTP is spoken. Nobody is hurried: a client's connection is idle for as long as its handler runs.
fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).max_header_size(HEADER_BYTES).max_buf_size(HEADER_BYTES);
    // As Lambda's own server writes them: scripts look for them letter by letter.
    http.title_case_headers(true);
    http
}
