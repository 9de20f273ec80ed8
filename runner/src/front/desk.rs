//! One request to its response: reads it, places the order, and words what became of it. The decisions are in `call`,
//! `arn`, `refusal`, `answer` and `cors`.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{EXPECT, HeaderMap};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::answer::{self, Told};
use super::body::{self, Body};
use super::call::{self, Call, How, Invoke};
use super::later::{Later, Outcomes};
use super::refusal::Refusal;
use super::seat::{Placed, Relay, Seat, Seats};
use super::{FunctionFacts, Settings, arn, cors, stream};
use crate::clock::Clock;
use crate::config::Context;
use crate::job::{self, Event};
use crate::order::{Order, Reply, Wants, When};
use crate::payload::Pieces;

/// What Lambda takes of a caller who waits; it says a little less (recorded on AWS).
const STRICT: (u64, u64) = (6_291_556, 6_291_456);
/// What Lambda takes of a caller who does not.
const STRICT_LATER: (u64, u64) = (1 << 20, 1 << 20);

/// What requests are answered with.
pub(super) struct Desk {
    settings: Settings,
    facts: FunctionFacts,
    clock: Clock,
    orders: mpsc::Sender<Order>,
    seats: Seats,
    pub(super) later: Later,
    stopped: watch::Receiver<bool>,
}

impl Desk {
    pub(super) fn new(
        settings: Settings,
        facts: FunctionFacts,
        orders: mpsc::Sender<Order>,
        outcomes: Arc<dyn Outcomes>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let (limits, concurrency) = (settings.later.clone(), settings.concurrency);
        let later = Later::new(limits, concurrency, orders.clone(), outcomes, stopped.clone());
        let seats = Seats::new(concurrency.saturating_add(settings.queue));
        Self { settings, facts, clock: Clock::start(), orders, seats, later, stopped }
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, mut body) = request.into_parts();
        let mut response = self.call(&parts, &mut body).await.unwrap_or_else(|refusal| {
            let mut response = refusal.render();
            answer::set(&mut response, "x-amzn-requestid", &Uuid::new_v4().to_string());
            response
        });
        // A client that asked first has not begun to send.
        if !parts.headers.contains_key(EXPECT) {
            body::discard(&mut body).await;
        }
        cors::permit(self.cors(), &parts.headers, response.headers_mut());
        response
    }

    async fn call(&self, parts: &Parts, body: &mut Incoming) -> Result<Response<Body>, Refusal> {
        let (path, query) = (parts.uri.path(), parts.uri.query());
        match call::parse(&parts.method, path, query, &parts.headers).map_err(Refusal::NoCall)? {
            Call::Health => Ok(answer::healthy()),
            Call::Options => Ok(self.options(&parts.headers)),
            Call::Invoke(_) if !cors::allowed(self.cors(), &parts.headers) => Err(Refusal::Origin),
            Call::Invoke(invoke) => self.invoke(*invoke, body).await,
        }
    }

    fn cors(&self) -> Option<&str> {
        self.settings.cors.as_deref()
    }

    fn options(&self, asked: &HeaderMap) -> Response<Body> {
        let mut response = answer::options();
        cors::preflight(self.cors(), asked, response.headers_mut());
        response
    }

    async fn invoke(&self, invoke: Invoke, body: &mut Incoming) -> Result<Response<Body>, Refusal> {
        let arn = arn::invoked(&self.facts, &invoke.name, invoke.qualifier.as_deref());
        let arn = arn.map_err(|arn::Ambiguous| Refusal::Qualifiers)?;
        let how = invoke.how;
        let payload =
            if how == How::Dry { Bytes::new().into() } else { self.payload(how, body).await? };
        let (tail, emulated, chosen) = (invoke.tail, invoke.emulated, invoke.request_id.clone());
        let event = self.event(invoke, payload, arn);
        let waits = matches!(how, How::Whole | How::Stream);
        let told = Told {
            request_id: event.request_id.clone(),
            trace_id: event.trace_id.clone(),
            version: waits.then(|| self.facts.version.clone()),
        };
        let mut response = match how {
            How::Dry => answer::empty(StatusCode::NO_CONTENT),
            How::Later => self.later(event)?,
            How::Whole => {
                self.whole(self.place(event, chosen, Wants::Whole, tail).await?, emulated)?
            }
            How::Stream => {
                self.stream(self.place(event, chosen, Wants::Stream, tail).await?).await?
            }
        };
        answer::stamp(&mut response, &told);
        Ok(response)
    }

    /// The event, which must be JSON. None at all is `{}`, as on Lambda.
    async fn payload(&self, how: How, body: &mut Incoming) -> Result<Pieces, Refusal> {
        let (most, told) = match (self.settings.strict, how) {
            (false, _) => (self.settings.max_request, self.settings.max_request),
            (true, How::Later) => STRICT_LATER,
            (true, _) => STRICT,
        };
        let event = body::receive(body, most, told).await?;
        if event.at_hand().is_some() {
            return checked(event);
        }
        // It takes as long as answering others.
        let check = tokio::task::spawn_blocking(move || checked(event));
        check.await.unwrap_or(Err(Refusal::Lost))
    }

    fn event(&self, invoke: Invoke, payload: Pieces, arn: String) -> Event {
        let context = Context {
            request_id: invoke.request_id,
            invoked_function_arn: Some(arn),
            client_context: invoke.client_context,
            identity: invoke.identity,
            trace_id: invoke.trace_id,
            tenant: invoke.tenant,
        };
        Event::new(payload, context, &self.facts.arn, self.clock.now())
    }

    fn later(&self, event: Event) -> Result<Response<Body>, Refusal> {
        if *self.stopped.borrow() {
            return Err(Refusal::Stopping);
        }
        self.later.accept(event)?;
        Ok(answer::empty(StatusCode::ACCEPTED))
    }

    async fn place(
        &self,
        event: Event,
        chosen: Option<String>,
        wants: Wants,
        tail: bool,
    ) -> Result<(Reply, Seat), Refusal> {
        let seat = self.seats.take(chosen)?;
        let when = if tail { When::WithTail } else { When::Answered };
        let (reply, answer) = oneshot::channel();
        let order = Order { event, wants, when, limit: None, reply };
        self.orders.send(order).await.map_err(|_| self.lost())?;
        match Placed::new(answer, seat).answered().await {
            Some((Reply::Stopped, _)) => Err(Refusal::Stopping),
            Some(answered) => Ok(answered),
            None => Err(self.lost()),
        }
    }

    fn whole(&self, answered: (Reply, Seat), emulated: bool) -> Result<Response<Body>, Refusal> {
        match answered {
            (Reply::Whole(answer), _) => answer::whole(answer, emulated),
            (Reply::Stream { chunks, .. }, seat) => {
                drop(Relay::new(chunks, seat));
                Err(self.lost())
            }
            (Reply::Stopped, _) => Err(Refusal::Stopping),
        }
    }

    async fn stream(&self, answered: (Reply, Seat)) -> Result<Response<Body>, Refusal> {
        let body = match answered {
            (Reply::Whole(answer), _) => {
                body::streamed(stream::whole(answer).await.map_err(|_| self.lost())?)
            }
            (Reply::Stream { chunks, .. }, seat) => {
                body::streamed(stream::relay(Relay::new(chunks, seat)))
            }
            (Reply::Stopped, _) => return Err(Refusal::Stopping),
        };
        Ok(answer::events(body))
    }

    /// Nobody will answer any more: because of the stop, or of a fault.
    fn lost(&self) -> Refusal {
        if *self.stopped.borrow() { Refusal::Stopping } else { Refusal::Lost }
    }
}

fn checked(event: Pieces) -> Result<Pieces, Refusal> {
    let bytes = match &event {
        Pieces::Memory(bytes) => bytes,
        Pieces::Spooled(spool) => {
            let fault = job::fault(spool.clone()).map_err(|_| Refusal::Unkept)?;
            return fault.map_or(Ok(event), |problem| Err(Refusal::NotJson(problem)));
        }
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Bytes::from_static(b"{}").into());
    }
    match serde_json::from_slice::<&RawValue>(bytes) {
        Ok(_) => Ok(event),
        Err(error) => Err(Refusal::NotJson(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_json_and_keeps_its_bytes() {
        let checked = |text: Bytes| checked(text.into()).map(|it| it.at_hand().cloned().unwrap());
        for text in ["{ \"a\": 1.10 }", "null", "\"\\ud800\"", " [] "] {
            assert_eq!(checked(text.into()), Ok(text.into()));
        }
        assert_eq!(checked(" \n".into()), Ok("{}".into()));
        for wrong in ["{", "hello", "{} {}", "\"\u{0}\""] {
            assert!(matches!(checked(wrong.into()), Err(Refusal::NotJson(_))), "{wrong}");
        }
        let wrong = checked(Bytes::from_static(b"\"\xff\""));
        assert!(matches!(wrong, Err(Refusal::NotJson(_))));
    }
}
