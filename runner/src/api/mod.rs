//! The Runtime, Extensions, Telemetry and metadata APIs on loopback HTTP: connections, bodies, and
//! the way between a connection and the session. What any answer means is not known here.

mod answer;
mod call;
mod receive;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use ledger::Redacted;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

pub use answer::Answer;
use answer::Body;
use call::{Call, ExtensionCall, Fault, Served};

use crate::payload::Payload;
use crate::session::{ExtensionId, Feed, Input, Kind, Seat, Upload};

/// Room for the request line and all headers. One header alone, the X-Ray error cause, may be
/// 1 MiB.
const HEADER_BYTES: usize = 2 << 20;
/// Largest body of a call that carries no answer of the function's.
const SMALL: usize = 1 << 20;

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
    /// The runtime takes many invocations at once, by the rules of managed instances.
    pub concurrent: bool,
    /// Largest response in bytes.
    pub response_limit: Option<u64>,
}

/// A call on its way to the session, and where its answer goes.
#[derive(Debug)]
pub struct Message {
    /// What the session is asked.
    pub input: Input<Payload>,
    /// What a subscription says, beside that it is one; of what type a stream is.
    pub detail: Option<Vec<u8>>,
    /// Where the answer goes; none where nobody waits for one.
    pub reply: Option<(Seat, oneshot::Sender<Answer>)>,
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
        let desk = Desk { calls, seats: Arc::default(), facts: Arc::new(facts) };
        tokio::spawn(accept(self.listener, desk));
        receiver
    }
}

async fn accept(listener: TcpListener, desk: Desk) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(converse(stream, desk.clone()))),
                // Out of descriptors, or the client is already gone: try again a little later.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            },
            () = desk.calls.closed() => return,
        }
    }
}

/// One connection to its end. A broken one is the client's affair: it sees it, and the session
/// learns what matters of it from the calls themselves.
async fn converse(stream: TcpStream, desk: Desk) {
    let service = service_fn(move |request| {
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    });
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // A runtime keeps its connection while the function works, for hours if need be.
        .header_read_timeout(None)
        .max_buf_size(HEADER_BYTES)
        // As Lambda's own server writes them: scripts look for them letter by letter.
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service);
    let _ = connection.await;
}

/// Where connections put their questions.
#[derive(Clone)]
struct Desk {
    calls: mpsc::UnboundedSender<Message>,
    seats: Arc<AtomicU64>,
    facts: Arc<Facts>,
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let served = Served { extensions: self.facts.extensions, logs: !self.facts.concurrent };
        match call::parse(&parts.method, parts.uri.path(), &parts.headers, served) {
            Ok(Call::Ping) => answer::pong(),
            Ok(Call::Next) => self.render(self.wait(Input::Next).await),
            Ok(Call::Upload(upload)) => self.render(self.upload(upload, body).await),
            Ok(Call::Extension(call)) => self.extension(call, body).await,
            Ok(Call::Subscribe(feed, id)) => self.subscribe(feed, id, body).await,
            Ok(Call::Metadata(token)) => answer::metadata(token.as_deref(), &self.facts),
            Err(reason) => {
                receive::discard(body).await;
                answer::reject(reason)
            }
        }
    }

    fn render(&self, answer: Answer) -> Response<Body> {
        answer::render(answer, &self.facts, false)
    }

    /// Asks for what may take days; the session learns when the client goes away.
    async fn wait(&self, input: impl FnOnce(Seat) -> Input<Payload>) -> Answer {
        let seat = self.seat();
        let _leaving = Leaving { seat, calls: self.calls.clone() };
        self.ask(seat, input(seat)).await
    }

    async fn upload(&self, call: call::Upload, body: Incoming) -> Answer {
        let (seat, kind, id) = (self.seat(), call.kind, call.id.clone());
        let begin = Input::Begin { seat, id, nonce: call.nonce.clone(), kind };
        match self.put(seat, begin, stream_type(&call)).await {
            Answer::Proceed(sink) => {
                // Dropped in the middle (the connection broke), the upload still ends.
                let mut ending = Ending { seat, calls: Some(self.calls.clone()) };
                let upload = receive::receive(call, body, self.limit(kind), sink).await;
                ending.calls = None;
                self.ask(seat, Input::End { seat, upload }).await
            }
            refused => {
                receive::discard(body).await;
                refused
            }
        }
    }

    fn limit(&self, kind: Kind) -> Option<u64> {
        match kind {
            Kind::Response => self.facts.response_limit,
            Kind::Error | Kind::InitError => self.facts.concurrent.then_some(SMALL as u64),
        }
    }

    async fn extension(&self, call: ExtensionCall, body: Incoming) -> Response<Body> {
        let body = receive::small(body, SMALL).await.unwrap_or_default();
        let answered = match call {
            ExtensionCall::Register { name, account } => {
                return match self.register(name, &body).await {
                    Ok(answer) => answer::render(answer, &self.facts, account),
                    Err(fault) => answer::fault(&fault),
                };
            }
            ExtensionCall::Next(Ok(id)) => {
                Ok(self.wait(|seat| Input::ExtensionNext { seat, id }).await)
            }
            ExtensionCall::Error { init, id: Ok(id) } => {
                let seat = self.seat();
                Ok(self.ask(seat, Input::ExtensionFault { seat, id, init }).await)
            }
            ExtensionCall::Next(Err(fault)) | ExtensionCall::Error { id: Err(fault), .. } => {
                Err(fault)
            }
        };
        answered.map_or_else(|fault| answer::fault(&fault), |answer| self.render(answer))
    }

    async fn register(&self, name: String, body: &[u8]) -> Result<Answer, Fault> {
        let call::Registration { name, events } = call::register(name, body)?;
        let (seat, id) = (self.seat(), ExtensionId(uuid::Uuid::new_v4().as_u128()));
        Ok(self.ask(seat, Input::Register { seat, id, name, events }).await)
    }

    async fn subscribe(
        &self,
        feed: Feed,
        id: Result<ExtensionId, Fault>,
        body: Incoming,
    ) -> Response<Body> {
        let subscription = receive::small(body, SMALL).await;
        let id = match id {
            Ok(id) => id,
            Err(fault) => return answer::fault(&fault),
        };
        let seat = self.seat();
        let input = Input::Subscribe { seat, id, feed };
        self.render(self.put(seat, input, Some(subscription.unwrap_or_default())).await)
    }

    fn seat(&self) -> Seat {
        Seat(self.seats.fetch_add(1, Ordering::Relaxed))
    }

    async fn ask(&self, seat: Seat, input: Input<Payload>) -> Answer {
        self.put(seat, input, None).await
    }

    async fn put(&self, seat: Seat, input: Input<Payload>, detail: Option<Vec<u8>>) -> Answer {
        let (reply, answer) = oneshot::channel();
        let message = Message { input, detail, reply: Some((seat, reply)) };
        if self.calls.send(message).is_err() {
            return Answer::Closed;
        }
        answer.await.unwrap_or(Answer::Closed)
    }
}

/// What a streamed response is; none if it is not streamed.
fn stream_type(call: &call::Upload) -> Option<Vec<u8>> {
    let streaming = call.kind == Kind::Response && call.mode == call::Mode::Streaming;
    let kind = call.content_type.as_deref().unwrap_or("application/octet-stream");
    streaming.then(|| kind.as_bytes().to_vec())
}

/// Tells the session when a parked connection goes away.
struct Leaving {
    seat: Seat,
    calls: mpsc::UnboundedSender<Message>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let input = Input::Left(self.seat);
        let _ = self.calls.send(Message { input, detail: None, reply: None });
    }
}

/// Tells the session when an upload is cut off.
struct Ending {
    seat: Seat,
    calls: Option<mpsc::UnboundedSender<Message>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(calls) = self.calls.take() {
            let upload = Upload::Refused(crate::session::Refusal::Truncated);
            let input = Input::End { seat: self.seat, upload };
            let _ = calls.send(Message { input, detail: None, reply: None });
        }
    }
}
