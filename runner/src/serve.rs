//! The one loop: calls, children, output, timer and stop go into the session, its effects come out.
//! Nothing is decided here, and nothing leaves by `?`: every end is a verdict.

use std::collections::HashMap;
use std::io::Write;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::api::{Answer, Message};
use crate::clock::Clock;
use crate::job::Event;
use crate::output::{self, Stream};
use crate::payload::Payload;
use crate::process::Group;
use crate::session::{Effect, Input, Invocation, Millis, Refusal, Seat, Session, Verdict};
use crate::signals::Signals;

/// A started runtime and what it is to be given.
#[derive(Debug)]
pub struct Serve<'a> {
    /// The invocation.
    pub event: &'a Event,
    /// Its function's version, for the log.
    pub version: &'a str,
    /// How long it may run, in milliseconds.
    pub limit: Millis,
    /// How long a stopped runtime may take, in milliseconds.
    pub grace: Millis,
    /// The time.
    pub clock: Clock,
    /// The runtime's processes.
    pub group: &'a Group,
    /// What they print.
    pub streams: [Stream; 2],
}

/// How it went.
#[derive(Debug)]
pub struct Served {
    /// How the invocation ended.
    pub verdict: Verdict<Payload>,
    /// When the runtime was given the event, if it ever was.
    pub delivered: Option<Instant>,
    /// When it ended.
    pub ended: Instant,
}

struct Loop<'a, W> {
    serve: Serve<'a>,
    session: Session<Payload>,
    seats: HashMap<Seat, oneshot::Sender<Answer>>,
    log: W,
    delivered: Option<Instant>,
    verdict: Option<Verdict<Payload>>,
}

impl Serve<'_> {
    /// Runs the invocation to its end. The runtime may still be alive afterwards.
    pub async fn run(
        self,
        calls: &mut mpsc::UnboundedReceiver<Message>,
        signals: &mut Signals,
        log: impl Write,
    ) -> Served {
        let invocation =
            Invocation { id: self.event.request_id.clone(), limit: self.limit, deadline: 0 };
        let session = Session::new(self.grace);
        let mut all = Loop {
            serve: self,
            session,
            seats: HashMap::new(),
            log,
            delivered: None,
            verdict: None,
        };
        all.take(Input::Submit(invocation));
        let verdict = loop {
            all.turn(calls, signals).await;
            if let Some(verdict) = all.verdict.take() {
                break verdict;
            }
        };
        all.drain();
        for stream in &mut all.serve.streams {
            stream.close(&mut all.log);
        }
        Served { verdict, delivered: all.delivered, ended: Instant::now() }
    }
}

impl<W: Write> Loop<'_, W> {
    /// Waits for one thing to happen and deals with it.
    async fn turn(&mut self, calls: &mut mpsc::UnboundedReceiver<Message>, signals: &mut Signals) {
        let deadline = self.session.deadline().map(|deadline| self.serve.clock.instant(deadline));
        let [stdout, stderr] = &self.serve.streams;
        tokio::select! {
            message = calls.recv() => if let Some(message) = message { self.call(message) },
            _ = signals.child.recv() => self.reap(),
            () = signals.stop.asked() => self.take(Input::Stop),
            () = sleep_until(deadline) => self.take(Input::Tick),
            () = stdout.readable() => self.serve.streams[0].pump(&mut self.log),
            () = stderr.readable() => self.serve.streams[1].pump(&mut self.log),
        }
    }

    fn call(&mut self, message: Message) {
        if let Some((seat, reply)) = message.reply {
            self.seats.insert(seat, reply);
        }
        self.take(message.input);
    }

    fn reap(&mut self) {
        if let Some(exit) = self.serve.group.reap() {
            self.take(Input::Exited(exit));
        }
    }

    fn take(&mut self, input: Input<Payload>) {
        for effect in self.session.handle(self.serve.clock.now(), input) {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect<Payload>) {
        match effect {
            Effect::Started => self.started(),
            Effect::Deliver(seat) => {
                let deadline = self.session.current().map_or(0, |current| current.deadline);
                self.answer(seat, Answer::Event(self.serve.event.clone(), deadline));
            }
            Effect::Proceed(seat) => self.answer(seat, Answer::Proceed),
            Effect::Accept(seat) => self.answer(seat, Answer::Accepted),
            Effect::Refuse(seat, refusal) => self.refuse(seat, refusal),
            Effect::Terminate => self.serve.group.terminate(),
            Effect::Kill => self.serve.group.kill(),
            Effect::Done(verdict) => self.verdict = Some(verdict),
        }
    }

    /// What the runtime printed so far belongs before START.
    fn started(&mut self) {
        self.drain();
        self.delivered = Some(Instant::now());
        output::line(
            &mut self.log,
            &output::start(&self.serve.event.request_id, self.serve.version),
        );
    }

    fn refuse(&mut self, seat: Seat, refusal: Refusal) {
        self.answer(seat, Answer::Refused(refusal));
    }

    /// A connection that is gone needs no answer; its runtime asks again, or ends.
    fn answer(&mut self, seat: Seat, answer: Answer) {
        if let Some(reply) = self.seats.remove(&seat) {
            let _ = reply.send(answer);
        }
    }

    fn drain(&mut self) {
        for stream in &mut self.serve.streams {
            stream.pump(&mut self.log);
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
