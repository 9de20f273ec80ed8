//! One request from its connection to the session and back: bodies are taken, questions put, answers
//! rendered. Whether a call is allowed is the session's affair.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::sync::{mpsc, oneshot};

use super::answer::{self, Answer, Body};
use super::call::{self, Call, Fault, NoCall, Served};
use super::{Facts, Message, receive};
use crate::payload::Payload;
use crate::session::{ExtensionId, Feed, Input, Kind, Seat};

/// Largest body of a call that carries no answer of the function's: such a body is in memory before anybody says
/// whether the call is allowed.
const SMALL: usize = 32 << 10;
/// Largest error of a runtime that takes many invocations at once.
const LARGEST_ERROR: u64 = 1 << 20;

/// Where connections put their questions.
#[derive(Clone)]
pub(super) struct Desk {
    calls: mpsc::UnboundedSender<Message>,
    seats: Arc<AtomicU64>,
    facts: Arc<Facts>,
}

/// A request whose head has been read.
pub(super) struct Heard(Result<Call, NoCall>, Incoming);

impl Heard {
    /// Does it say something that counts whether or not its client waits for the answer?
    pub(super) fn says_something(&self) -> bool {
        matches!(
            self.0,
            Ok(Call::Upload(_)
                | Call::Register { .. }
                | Call::ExtensionFault { .. }
                | Call::Subscribe(..))
        )
    }
}

impl Desk {
    pub(super) fn new(calls: mpsc::UnboundedSender<Message>, facts: Facts) -> Self {
        Self { calls, seats: Arc::default(), facts: Arc::new(facts) }
    }

    /// Nobody takes calls any more.
    pub(super) async fn closed(&self) {
        self.calls.closed().await;
    }

    /// What is asked.
    pub(super) fn hear(&self, request: Request<Incoming>) -> Heard {
        let (parts, body) = request.into_parts();
        let served =
            Served { extensions: self.facts.extensions, logs: self.facts.concurrency.is_none() };
        Heard(call::parse(&parts.method, parts.uri.path(), &parts.headers, served), body)
    }

    pub(super) async fn answer(&self, Heard(call, body): Heard) -> Response<Body> {
        match call {
            Ok(Call::Ping) => answer::pong(),
            Ok(Call::Metadata(token)) => answer::metadata(token.as_deref(), &self.facts),
            Ok(Call::Next) => self.render(self.wait(Input::Next).await),
            Ok(Call::ExtensionNext(id)) => self.extension_next(id).await,
            Ok(Call::Upload(upload)) => to_its_end(self.clone().upload(upload, body)).await,
            Ok(Call::Register { name, account }) => {
                to_its_end(self.clone().register(name, account, body)).await
            }
            Ok(Call::ExtensionFault { init, id }) => {
                to_its_end(self.clone().extension_fault(init, id, body)).await
            }
            Ok(Call::Subscribe(feed, id)) => {
                to_its_end(self.clone().subscribe(feed, id, body)).await
            }
            Err(reason) => {
                receive::discard(body).await;
                answer::reject(reason)
            }
        }
    }

    fn render(&self, answer: Answer) -> Response<Body> {
        answer::render(answer, &self.facts, false)
    }

    /// Asks for what may take days; the session learns when the client goes away. Where nobody decides
    /// any more it is not answered at all: a runtime takes any status but 200 for a fault of its own.
    async fn wait(&self, input: impl FnOnce(Seat) -> Input<Payload>) -> Answer {
        let seat = self.seat();
        let mut leaving = Leaving { seat, calls: Some(self.calls.clone()) };
        match self.ask(seat, input(seat)).await {
            Answer::Closed => std::future::pending().await,
            answer => {
                leaving.calls = None;
                answer
            }
        }
    }

    async fn upload(self, call: call::Upload, body: Incoming) -> Response<Body> {
        let seat = self.seat();
        let answer = match self.begin(seat, &call).await {
            Answer::Proceed(sink) => {
                let limit = self.limit(call.kind, sink.is_some());
                let upload = receive::receive(call, body, limit, sink).await;
                self.ask(seat, Input::End { seat, upload }).await
            }
            refused => {
                receive::discard(body).await;
                refused
            }
        };
        self.render(answer)
    }

    async fn begin(&self, seat: Seat, call: &call::Upload) -> Answer {
        let (id, nonce, kind) = (call.id.clone(), call.nonce.clone(), call.kind);
        let message = Message::new(Input::Begin { seat, id, nonce, kind });
        self.put(seat, Message { streaming: call.streaming(), ..message }).await
    }

    fn limit(&self, kind: Kind, streamed: bool) -> Option<u64> {
        match kind {
            Kind::Response if streamed => self.facts.stream_limit,
            Kind::Response => self.facts.response_limit,
            Kind::Error | Kind::InitError => self.facts.concurrency.map(|_| LARGEST_ERROR),
        }
    }

    async fn extension_next(&self, id: Result<ExtensionId, Fault>) -> Response<Body> {
        match id {
            Ok(id) => self.render(self.wait(|seat| Input::ExtensionNext { seat, id }).await),
            Err(fault) => answer::fault(&fault),
        }
    }

    async fn register(self, name: String, account: bool, body: Incoming) -> Response<Body> {
        let body = receive::small(body, SMALL).await.unwrap_or_default();
        let call::Registration { name, events } = match call::register(name, &body) {
            Ok(registration) => registration,
            Err(fault) => return answer::fault(&fault),
        };
        let (seat, id) = (self.seat(), ExtensionId(uuid::Uuid::new_v4().as_u128()));
        let answer = self.ask(seat, Input::Register { seat, id, name, events }).await;
        answer::render(answer, &self.facts, account)
    }

    async fn extension_fault(
        self,
        init: bool,
        id: Result<ExtensionId, Fault>,
        body: Incoming,
    ) -> Response<Body> {
        receive::discard(body).await;
        let id = match id {
            Ok(id) => id,
            Err(fault) => return answer::fault(&fault),
        };
        let seat = self.seat();
        self.render(self.ask(seat, Input::ExtensionFault { seat, id, init }).await)
    }

    async fn subscribe(
        self,
        feed: Feed,
        id: Result<ExtensionId, Fault>,
        body: Incoming,
    ) -> Response<Body> {
        let subscription = Some(receive::small(body, SMALL).await.unwrap_or_default());
        let id = match id {
            Ok(id) => id,
            Err(fault) => return answer::fault(&fault),
        };
        let seat = self.seat();
        let message = Message::new(Input::Subscribe { seat, id, feed });
        self.render(self.put(seat, Message { subscription, ..message }).await)
    }

    fn seat(&self) -> Seat {
        Seat(self.seats.fetch_add(1, Ordering::Relaxed))
    }

    async fn ask(&self, seat: Seat, input: Input<Payload>) -> Answer {
        self.put(seat, Message::new(input)).await
    }

    async fn put(&self, seat: Seat, message: Message) -> Answer {
        let (reply, answer) = oneshot::channel();
        if self.calls.send(Message { reply: Some((seat, reply)), ..message }).is_err() {
            return Answer::Closed;
        }
        answer.await.unwrap_or(Answer::Closed)
    }
}

/// In a task of its own, which outlives the connection: what a client said counts, though it does not
/// wait for the answer.
async fn to_its_end(call: impl Future<Output = Response<Body>> + Send + 'static) -> Response<Body> {
    tokio::spawn(call).await.unwrap_or_else(|_| answer::internal())
}

/// Tells the session when a parked client goes away.
struct Leaving {
    seat: Seat,
    /// None once it has its answer.
    calls: Option<mpsc::UnboundedSender<Message>>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(calls) = self.calls.take() {
            let _ = calls.send(Message::new(Input::Left(self.seat)));
        }
    }
}
