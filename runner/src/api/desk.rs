//! One request from its connection to the session and back: bodies are taken, questions put, answers
//! rendered. Whether a call is allowed is the session's affair.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::sync::{mpsc, oneshot};

use super::answer::{self, Answer, Body};
use super::call::{self, Call, ExtensionCall, Fault, Served};
use super::leaving::Leaving;
use super::{Facts, Message, receive};
use crate::payload::Payload;
use crate::session::{ExtensionId, Feed, Input, Kind, Refusal, Seat, Upload};

/// Largest body of a call that carries no answer of the function's.
const SMALL: usize = 1 << 20;

/// Where connections put their questions.
#[derive(Clone)]
pub(super) struct Desk {
    calls: mpsc::UnboundedSender<Message>,
    seats: Arc<AtomicU64>,
    facts: Arc<Facts>,
}

impl Desk {
    pub(super) fn new(calls: mpsc::UnboundedSender<Message>, facts: Facts) -> Self {
        Self { calls, seats: Arc::default(), facts: Arc::new(facts) }
    }

    /// Nobody takes calls any more.
    pub(super) async fn closed(&self) {
        self.calls.closed().await;
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
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

    /// Asks for what may take days; the session learns when the client goes away. Where nobody decides
    /// any more it is not answered at all: a runtime takes any status but 200 for a fault of its own.
    async fn wait(&self, input: impl FnOnce(Seat) -> Input<Payload>) -> Answer {
        let seat = self.seat();
        let leaving = Leaving::new(&self.calls, Input::Left(seat));
        match self.ask(seat, input(seat)).await {
            Answer::Closed => std::future::pending().await,
            answer => {
                leaving.stayed();
                answer
            }
        }
    }

    async fn upload(&self, call: call::Upload, body: Incoming) -> Answer {
        let seat = self.seat();
        // Dropped in the middle (the connection broke), what may have begun still ends.
        let cut = Upload::Refused(Refusal::Truncated);
        let leaving = Leaving::new(&self.calls, Input::End { seat, upload: cut });
        match self.begin(seat, &call).await {
            Answer::Proceed(sink) => {
                let limit = self.limit(call.kind, sink.is_some());
                let upload = receive::receive(call, body, limit, sink).await;
                leaving.stayed();
                self.ask(seat, Input::End { seat, upload }).await
            }
            refused => {
                leaving.stayed();
                receive::discard(body).await;
                refused
            }
        }
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
            Kind::Error | Kind::InitError => self.facts.concurrent.then_some(SMALL as u64),
        }
    }

    async fn extension(&self, call: ExtensionCall, body: Incoming) -> Response<Body> {
        let account = matches!(call, ExtensionCall::Register { account: true, .. });
        let body = receive::small(body, SMALL).await.unwrap_or_default();
        match self.extended(call, &body).await {
            Ok(answer) => answer::render(answer, &self.facts, account),
            Err(fault) => answer::fault(&fault),
        }
    }

    async fn extended(&self, call: ExtensionCall, body: &[u8]) -> Result<Answer, Fault> {
        let seat = self.seat();
        match call {
            ExtensionCall::Register { name, .. } => {
                let call::Registration { name, events } = call::register(name, body)?;
                let id = ExtensionId(uuid::Uuid::new_v4().as_u128());
                Ok(self.ask(seat, Input::Register { seat, id, name, events }).await)
            }
            ExtensionCall::Next(id) => {
                let id = id?;
                Ok(self.wait(|seat| Input::ExtensionNext { seat, id }).await)
            }
            ExtensionCall::Error { init, id } => {
                let id = id?;
                Ok(self.ask(seat, Input::ExtensionFault { seat, id, init }).await)
            }
        }
    }

    async fn subscribe(
        &self,
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
