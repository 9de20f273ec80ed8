//! The Runtime API on loopback HTTP: connections, bodies, and the way between a connection and the
//! session. What any answer means is not known here.

mod answer;
mod call;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

pub use answer::Answer;
use answer::Body;
use call::{Call, Mode};

use crate::payload::{self, Payload};
use crate::session::{Input, Refusal, Seat, Upload};

/// Room for the request line and all headers. One header alone, the X-Ray error cause, may be
/// 1 MiB.
const HEADER_BYTES: usize = 2 << 20;

/// A call on its way to the session, and where its answer goes.
#[derive(Debug)]
pub struct Message {
    /// What the session is asked.
    pub input: Input<Payload>,
    /// Where the answer goes; none where nobody waits for one.
    pub reply: Option<(Seat, oneshot::Sender<Answer>)>,
}

/// The listening side of the Runtime API.
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

    /// Accepts connections for as long as the program lives. Calls arrive at the receiver.
    pub fn serve(self) -> mpsc::UnboundedReceiver<Message> {
        let (calls, receiver) = mpsc::unbounded_channel();
        tokio::spawn(accept(self.listener, Desk { calls, seats: Arc::default() }));
        receiver
    }
}

async fn accept(listener: TcpListener, desk: Desk) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(converse(stream, desk.clone()))),
            // Out of descriptors, or the client is already gone: try again a little later.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
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
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let _ = connection.await;
}

/// Where connections put their questions.
#[derive(Clone)]
struct Desk {
    calls: mpsc::UnboundedSender<Message>,
    seats: Arc<AtomicU64>,
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        match call::parse(&parts.method, parts.uri.path(), &parts.headers) {
            Ok(Call::Ping) => answer::pong(),
            Ok(Call::Next) => answer::render(self.next().await),
            Ok(Call::Upload(upload)) => answer::render(self.upload(upload, body).await),
            Err(reason) => answer::reject(reason),
        }
    }

    async fn next(&self) -> Answer {
        let seat = self.seat();
        let _leaving = Leaving { seat, calls: self.calls.clone() };
        self.ask(seat, Input::Next(seat)).await
    }

    async fn upload(&self, call: call::Upload, body: Incoming) -> Answer {
        let (seat, kind, id) = (self.seat(), call.kind, call.id);
        match self.ask(seat, Input::Begin { seat, id, nonce: None, kind }).await {
            Answer::Proceed => {
                // Dropped in the middle (the connection broke), the upload still ends.
                let mut ending = Ending { seat, calls: Some(self.calls.clone()) };
                let upload = receive(call.mode, call.error_type, body).await;
                ending.calls = None;
                self.ask(seat, Input::End { seat, upload }).await
            }
            refused => {
                // A client that is still sending would take an early answer for a broken pipe.
                payload::discard(body).await;
                refused
            }
        }
    }

    fn seat(&self) -> Seat {
        Seat(self.seats.fetch_add(1, Ordering::Relaxed))
    }

    async fn ask(&self, seat: Seat, input: Input<Payload>) -> Answer {
        let (reply, answer) = oneshot::channel();
        let message = Message { input, reply: Some((seat, reply)) };
        if self.calls.send(message).is_err() {
            return Answer::Closed;
        }
        answer.await.unwrap_or(Answer::Closed)
    }
}

async fn receive(mode: Mode, error_type: Option<String>, body: Incoming) -> Upload<Payload> {
    match (payload::receive(body, mode == Mode::Streaming).await, mode) {
        (Ok(_), Mode::Unknown) => Upload::Refused(Refusal::ResponseMode),
        (Ok(Upload::Complete(payload)), _) => Upload::Complete(payload.labelled(error_type)),
        (Ok(broken), _) => broken,
        (Err(refusal), _) => Upload::Refused(refusal),
    }
}

/// Tells the session when a parked connection goes away.
struct Leaving {
    seat: Seat,
    calls: mpsc::UnboundedSender<Message>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let _ = self.calls.send(Message { input: Input::Left(self.seat), reply: None });
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
            let upload = Upload::Refused(Refusal::Truncated);
            let _ =
                calls.send(Message { input: Input::End { seat: self.seat, upload }, reply: None });
        }
    }
}
