//! What each effect of the session leads to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Environment;
use super::job::{Job, Usage};
use super::sampling::Sampling;
use crate::api::Answer;
use crate::order::{Figures, When};
use crate::payload::Payload;
use crate::process::memory;
use crate::report;
use crate::session::{Effect, Ended, Failure, Input, Invocation, Kind, Phase, Seat, Upload};
use crate::telemetry::Fact;
use crate::telemetry::record::{
    Extension, InitKind, InitReport, InitRuntimeDone, InitStart, Outcome, Report,
};

/// How long subscribers have for what is on its way to them when the environment ends.
const FLUSH: Duration = Duration::from_secs(1);

/// For so long memory that was looked up is taken for what it is now,
const FRESH: Duration = Duration::from_millis(50);
/// after invocations no longer than this.
const SHORT: Duration = Duration::from_millis(5);

impl Environment {
    pub(super) fn perform(&mut self, effect: Effect<Payload>) {
        match effect {
            Effect::Start(party) => self.start(party),
            Effect::Terminate(party) => self.terminate(party),
            Effect::Kill(party) => self.kill(party),
            Effect::InitStarted(phase) => self.init_started(phase),
            Effect::InitEnded(phase, failure) => self.init_ended(phase, failure.as_ref()),
            Effect::Extension(name, state, events) => {
                let (name, error_type) = (name.as_str().into(), None);
                let extension = Extension { name, state, events, error_type };
                self.telemetry.tell(Fact::Extension(extension));
            }
            Effect::Started(id) => self.invocation_started(&id),
            Effect::Deliver(seat, invocation) => {
                self.hand_out(seat, invocation, Answer::Event);
            }
            Effect::Notify(seat, invocation) => {
                self.hand_out(seat, invocation, Answer::Invoke);
            }
            Effect::Farewell(seat, reason, deadline) => {
                tokio::spawn(self.telemetry.flush(tokio::time::Instant::now() + FLUSH));
                self.answer(seat, Answer::Shutdown(reason, deadline));
            }
            Effect::Proceed(seat, id) => self.proceed(seat, id.as_deref()),
            Effect::Accept(seat) => self.answer(seat, Answer::Accepted),
            Effect::Registered(seat, id) => self.answer(seat, Answer::Registered(id)),
            Effect::Refuse(seat, refusal) => self.answer(seat, Answer::Refused(refusal)),
            Effect::Answered(id, verdict) => {
                let now = self.now();
                if let Some(job) = self.jobs.get_mut(&id) {
                    job.answered(now, verdict);
                }
            }
            Effect::RuntimeDone(id, ended) => self.runtime_done(&id, &ended),
            Effect::Finished(id, ended) => self.finished(&id, &ended),
            Effect::Idle => self.idle(),
            Effect::Down => self.gone_down(),
        }
    }

    /// A connection that is gone needs no answer; its runtime asks again, or ends.
    fn answer(&mut self, seat: Seat, answer: Answer) {
        self.streams_asked.remove(&seat);
        self.subscriptions.remove(&seat);
        if let Some(reply) = self.seats.remove(&seat) {
            let _ = reply.send(answer);
        }
    }

    fn hand_out(
        &mut self,
        seat: Seat,
        invocation: Invocation,
        answer: impl FnOnce(Box<crate::job::Event>, Invocation) -> Answer,
    ) {
        if let Some(job) = self.jobs.get(&invocation.id) {
            let event = Box::new(job.event.clone());
            self.answer(seat, answer(event, invocation));
        }
    }

    /// An upload may begin, or a subscription is made.
    fn proceed(&mut self, seat: Seat, id: Option<&str>) {
        if let Some((extension, feed, body)) = self.subscriptions.remove(&seat) {
            let name = self.names.get(&extension).cloned().unwrap_or_default();
            let answer = match self.telemetry.subscribe(&name, feed, &body) {
                Ok(()) => Answer::Subscribed,
                Err(problem) => Answer::Invalid(feed, problem),
            };
            return self.answer(seat, answer);
        }
        let (now, streaming) = (self.now(), self.streams_asked.remove(&seat));
        let job = id.and_then(|id| self.jobs.get_mut(id));
        let sink = job.and_then(|job| job.answering(now, streaming));
        self.uploads.insert(seat);
        self.answer(seat, Answer::Proceed(sink));
    }

    /// The kind of error that the runtime says it is; the session knows nothing of such words.
    pub(super) fn note_init_error(&mut self, input: &Input<Payload>) {
        match input {
            Input::Begin { kind: Kind::InitError, .. } => self.init_error = Some(String::new()),
            Input::End { upload: Upload::Complete(payload), .. } if self.init_error.is_some() => {
                self.init_error.clone_from(&payload.error_type);
            }
            _ => {}
        }
    }

    fn kind(&self) -> InitKind {
        match self.plan.concurrency {
            Some(_) => InitKind::ManagedInstances,
            None => InitKind::OnDemand,
        }
    }

    fn init_started(&mut self, phase: Phase) {
        self.init_began = self.now();
        self.init_error = None;
        if phase == Phase::Invoke {
            self.telemetry.reset();
            self.names.clear();
        }
        self.telemetry.tell(Fact::InitStart(InitStart {
            kind: self.kind(),
            phase,
            function: Arc::clone(&self.plan.name),
            version: Arc::clone(&self.plan.version),
            runtime: self.plan.identifier.clone(),
            runtime_arn: None,
            instance: Some(Arc::clone(&self.plan.stream)),
            memory: Some(u64::from(self.plan.memory) << 20),
        }));
    }

    fn init_ended(&mut self, phase: Phase, failure: Option<&Failure>) {
        self.settle();
        let said = self.init_error.clone().unwrap_or_else(|| "Runtime.Unknown".to_owned());
        let kind = failure.map(|failure| report::kind(failure).map_or(said, str::to_owned));
        let (outcome, init) = (Outcome::of(kind.as_deref()), self.kind());
        let duration = self.now().instant.saturating_duration_since(self.init_began.instant);
        self.init_took = (phase == Phase::Init && failure.is_none()).then_some(duration);
        let done = InitRuntimeDone { kind: init, phase, outcome: outcome.clone() };
        self.telemetry.tell(Fact::InitRuntimeDone(done));
        let report = InitReport { kind: init, phase, outcome, duration };
        self.telemetry.tell(Fact::InitReport(report));
        self.telemetry.close();
    }

    /// What the runtime printed so far belongs before START.
    fn invocation_started(&mut self, id: &str) {
        self.settle();
        let (now, version) = (self.now(), Arc::clone(&self.plan.version));
        let Some(job) = self.jobs.get_mut(id) else { return };
        if job.when == When::WithTail {
            self.telemetry.tail_start();
        }
        let start = job.started(now, &version);
        self.telemetry.tell(Fact::Start(start));
    }

    fn runtime_done(&mut self, id: &str, ended: &Ended) {
        self.drain();
        let now = self.now();
        if let Some(done) = self.jobs.get_mut(id).map(|job| job.done(now, ended)) {
            self.telemetry.tell(Fact::RuntimeDone(done));
        }
    }

    fn finished(&mut self, id: &str, ended: &Ended) {
        self.settle();
        let Some(job) = self.jobs.remove(id) else { return };
        let usage = Usage {
            memory: self.plan.memory,
            peak_memory: self.peak(job.age()),
            init: self.init_took.take(),
        };
        if let Ended::Failed(failure) = ended {
            self.telemetry.tell(Fact::Fault(report::fault(failure, id)));
        }
        self.telemetry.tell(Fact::End(id.into()));
        let extensions = !self.names.is_empty();
        let report = job.report(self.now(), ended, usage, extensions);
        let Report { duration, init, peak_memory, .. } = report;
        self.telemetry.tell(Fact::Report(report));
        let oom_kills = self.common.exits.out_of_memory();
        if oom_kills > self.told_kills {
            self.tell_kills(oom_kills - self.told_kills);
            self.told_kills = oom_kills;
        }
        self.give(job, Figures { duration, init, peak_memory, oom_kills });
    }

    /// A function may go on without what was killed, and end as if nothing had been.
    fn tell_kills(&self, count: u64) {
        let what = if count == 1 { "process" } else { "processes" };
        let text =
            format!("immortal-runner: the kernel has killed {count} {what} for want of memory");
        self.common.journal.line(text.as_bytes());
    }

    /// The most memory used so far. Looking it up takes as long as a small invocation: after one that
    /// was short it is not looked up again and again.
    fn peak(&mut self, age: Duration) -> u64 {
        let fresh = self.peak.filter(|(_, at)| at.elapsed() < FRESH && age < SHORT);
        let (peak, _) = *self
            .peak
            .insert(fresh.unwrap_or_else(|| (memory::peak(&self.groups()), Instant::now())));
        peak.max(self.sampling.most())
    }

    fn give(&mut self, job: Job, figures: Figures) {
        let tail = (job.when == When::WithTail).then(|| self.telemetry.tail_take());
        job.end(tail, figures);
    }

    /// Tells the pool how much room there is.
    fn idle(&mut self) {
        let capacity = self.plan.concurrency.unwrap_or(1);
        while self.offered + self.jobs.len() < capacity {
            self.offered += 1;
            let _ = self.offers.send(self.index);
        }
    }

    /// All processes are gone. If that was the last time, so is the environment.
    fn gone_down(&mut self) {
        self.settle();
        if !self.stopping {
            self.streams.clear();
        }
        self.processes.clear();
        self.peak = None;
        self.sampling = Sampling::default();
        self.down = self.stopping;
    }
}
