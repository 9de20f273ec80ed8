//! An order that is being run: what it is answered and when, and what its report tells. Pure but for
//! the clock's moments that it is given.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::job::Event;
use crate::order::{Chunk, Figures, Order, Reply, Wants, When};
use crate::payload::Payload;
use crate::report;
use crate::session::{Ended, Millis, Verdict};
use crate::telemetry::record::{Outcome, Report, RuntimeDone, Span, Start, Tracing};

/// How many pieces of a stream wait for a caller before the function does.
const PIECES: usize = 16;

/// An order that is being run.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) event: Event,
    wants: Wants,
    pub(super) when: When,
    reply: Option<oneshot::Sender<Reply>>,
    /// Where a stream goes, once it has begun.
    stream: Option<mpsc::Sender<Chunk>>,
    /// The answer, until it is wanted.
    answer: Option<Reply>,
    error: Option<(String, Vec<u8>)>,
    /// What kind of error the function itself said it was.
    error_type: Option<String>,
    reported: bool,
    produced: u64,
    times: Times,
}

/// When what happened.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    /// The event was handed out.
    started: Option<Moment>,
    /// The answer began to come.
    answering: Option<Moment>,
    /// All of it was there.
    answered: Option<Moment>,
    /// The runtime asked for the next event.
    done: Option<Moment>,
}

/// A moment of both clocks: durations are not to jump.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) epoch: Millis,
    pub(super) instant: Instant,
}

impl Moment {
    fn since(self, earlier: Self) -> Duration {
        self.instant.saturating_duration_since(earlier.instant)
    }
}

/// What of the environment goes into each report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    pub(super) memory: u32,
    pub(super) peak_memory: u64,
    /// How long it took to be ready, where this is its first invocation.
    pub(super) init: Option<Duration>,
}

impl Job {
    pub(super) fn new(order: Order) -> Self {
        Self {
            event: order.event,
            wants: order.wants,
            when: order.when,
            reply: Some(order.reply),
            stream: None,
            answer: None,
            error: None,
            error_type: None,
            reported: false,
            produced: 0,
            times: Times::default(),
        }
    }

    pub(super) fn started(&mut self, now: Moment, version: &Arc<str>) -> Start {
        self.times.started = Some(now);
        Start {
            request_id: self.event.request_id.as_str().into(),
            version: Arc::clone(version),
            tracing: Some(self.tracing()),
            tenant: self.event.tenant.as_deref().map(Arc::from),
            function_arn: None,
        }
    }

    fn tracing(&self) -> Tracing {
        Tracing { span_id: None, value: self.event.trace_id.as_str().into() }
    }

    /// The runtime begins to answer: where to, if it goes on as it comes.
    pub(super) fn answering(
        &mut self,
        now: Moment,
        streaming: Option<String>,
    ) -> Option<mpsc::Sender<Chunk>> {
        self.times.answering = Some(now);
        let content_type = streaming.filter(|_| self.wants == Wants::Stream)?;
        let reply = self.reply.take()?;
        let (sender, chunks) = mpsc::channel(PIECES);
        let _ = reply.send(Reply::Stream { content_type, chunks });
        self.stream = Some(sender.clone());
        Some(sender)
    }

    /// How long it has been running.
    pub(super) fn age(&self) -> Duration {
        self.times.started.map_or(Duration::ZERO, |started| started.instant.elapsed())
    }

    /// There is an answer.
    pub(super) fn answered(&mut self, now: Moment, verdict: Verdict<Payload>) {
        self.times.answered = Some(now);
        let failed = !matches!(verdict, Verdict::Response(_));
        self.reported = matches!(verdict, Verdict::Response(_) | Verdict::Error(_));
        let answer = report::answer(verdict, &self.event.request_id);
        let Some(mut answer) = answer else {
            self.answer = Some(Reply::Stopped);
            return self.tell(When::Answered);
        };
        self.error_type.clone_from(&answer.error_type);
        self.produced = answer.payload.length;
        if self.stream.is_some() && failed {
            let mut body = Vec::new();
            let _ = std::mem::take(&mut answer.payload).write_to(&mut body);
            self.error = Some((answer.error_type.unwrap_or_default(), body));
        } else if self.stream.is_none() {
            self.answer = Some(Reply::Whole(answer));
        }
        self.tell(When::Answered);
    }

    /// Gives the answer to whoever wants it now.
    fn tell(&mut self, when: When) {
        if self.when != when {
            return;
        }
        if let Some((reply, answer)) = self.reply.take().zip(self.answer.take()) {
            let _ = reply.send(answer);
        }
        if when == When::Answered {
            self.end_stream(None);
        }
    }

    /// Tells a stream's caller that it is over. Never waits: a caller that does not read is left to
    /// a task of its own.
    fn end_stream(&mut self, tail: Option<Vec<u8>>) {
        if let Some(stream) = self.stream.take() {
            let end = Chunk::End { error: self.error.take(), tail };
            tokio::spawn(async move { drop(stream.send(end).await) });
        }
    }

    /// The runtime is done.
    pub(super) fn done(&mut self, now: Moment, ended: &Ended) -> RuntimeDone {
        self.times.done = Some(now);
        let started = self.times.started.unwrap_or(now);
        RuntimeDone {
            request_id: self.event.request_id.as_str().into(),
            outcome: self.outcome(ended),
            duration: now.since(started),
            produced: self.produced,
            spans: self.spans(started, now),
            tracing: Some(self.tracing()),
            tenant: self.event.tenant.as_deref().map(Arc::from),
        }
    }

    fn spans(&self, started: Moment, done: Moment) -> Vec<Span> {
        let span = |name, from: Option<Moment>, to: Option<Moment>| {
            let (from, to) = from.zip(to)?;
            Some(Span { name, start: from.epoch, duration: to.since(from) })
        };
        let Times { answering, answered, .. } = self.times;
        [
            span("responseLatency", Some(started), answering),
            span("responseDuration", answering, answered),
            span("runtimeOverhead", answered, Some(done)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn outcome(&self, ended: &Ended) -> Outcome {
        match ended {
            Ended::Answered => Outcome::of(self.error_type.as_deref()),
            Ended::Failed(failure) => Outcome::of(Some(
                report::kind(failure)
                    .unwrap_or_else(|| self.error_type.as_deref().unwrap_or("Runtime.Unknown")),
            )),
            Ended::Stopped => Outcome::of(Some("Sandbox.Failure")),
        }
    }

    /// All is over: what the report says. The answer that was wanted with its log is told by
    /// [`Self::end`], once that is written.
    pub(super) fn report(
        &self,
        now: Moment,
        ended: &Ended,
        usage: Usage,
        extensions: bool,
    ) -> Report {
        let started = self.times.started.unwrap_or(now);
        let done = self.times.done.unwrap_or(now);
        let duration = now.since(done);
        let overhead = Span { name: "extensionOverhead", start: done.epoch, duration };
        Report {
            request_id: self.event.request_id.as_str().into(),
            outcome: self.outcome(ended),
            reported: self.reported && *ended == Ended::Answered,
            duration: now.since(started),
            init: usage.init,
            memory: usage.memory,
            peak_memory: usage.peak_memory,
            spans: if extensions { vec![overhead] } else { Vec::new() },
            tracing: Some(self.tracing()),
        }
    }

    /// Tells those who waited for the end.
    pub(super) fn end(mut self, tail: Option<Vec<u8>>, figures: Figures) {
        if let Some(Reply::Whole(answer)) = &mut self.answer {
            answer.tail.clone_from(&tail);
            answer.figures = Some(figures);
        }
        self.tell(When::Finished);
        self.tell(When::WithTail);
        self.end_stream(tail);
    }
}
