//! The one loop that decides which job begins, and when the runtime is another function's. What is asked of the queue, and
//! when all is over, its other halves say.

mod end;
mod queue;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::super::attempt::{TOLD, Tried};
use super::super::error::{RunError, machine};
use super::hands::Hand;
use super::pace::Pace;
use super::protection::Protection;
use super::shelf::Shelf;
use super::take::Ready;
use super::warm::Warm;
use super::{Shared, Told, finish};
use crate::config::Environment;

/// Jobs whose ends are being recorded while others run.
const RECORDING: usize = 64;
/// A job of another function is passed over for so long while there are jobs for the runtime that is warm.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whoever takes jobs, one function's after the other's.
pub(super) struct Worker<E> {
    shared: Rc<Shared<E>>,
    ears: mpsc::UnboundedReceiver<Told>,
    environment: E,
    protection: Protection,
    warm: Option<Warm>,
    shelf: Shelf,
    /// Messages that nobody has looked at.
    letters: VecDeque<Rc<Hand>>,
    /// Jobs that are claimed and wait.
    ready: VecDeque<Ready>,
    pace: Pace,
    /// Questions to the queue.
    asking: usize,
    /// Messages that are looked at.
    taking: usize,
    /// When the jobs that run began, oldest first.
    running: VecDeque<Instant>,
    /// Jobs that run or whose ends are recorded.
    unfinished: usize,
    /// The queue has answered before, and that it is empty.
    answered: bool,
    dry: bool,
    /// When it did not answer.
    silent_since: Option<Instant>,
    idle_since: Instant,
    stopping: Option<Instant>,
}

impl<E: Environment + Clone + 'static> Worker<E> {
    pub(super) fn new(
        shared: Rc<Shared<E>>,
        ears: mpsc::UnboundedReceiver<Told>,
        environment: E,
        protection: Protection,
    ) -> Self {
        let shelf = Shelf::new(shared.work.keep);
        Self {
            shared,
            ears,
            environment,
            protection,
            shelf,
            warm: None,
            letters: VecDeque::new(),
            ready: VecDeque::new(),
            pace: Pace::default(),
            asking: 0,
            taking: 0,
            running: VecDeque::new(),
            unfinished: 0,
            answered: false,
            dry: true,
            silent_since: None,
            idle_since: Instant::now(),
            stopping: None,
        }
    }

    pub(super) async fn run(&mut self) -> Result<(), RunError> {
        let mut stop = self.shared.stop.clone();
        loop {
            self.advance().await?;
            if self.is_over() {
                return Ok(());
            }
            let timer = self.timer();
            tokio::select! {
                biased;
                _ = stop.asked(), if self.stopping.is_none() => self.stop(),
                Some(told) = self.ears.recv() => self.hear(told)?,
                () = until(timer) => self.look(),
            }
        }
    }

    /// Begins what can begin.
    async fn advance(&mut self) -> Result<(), RunError> {
        if self.warm.as_ref().is_some_and(Warm::is_gone) && self.stopping.is_none() {
            return Err(machine("running functions")("the Runtime API has ended"));
        }
        while let Some(at) = self.next() {
            self.begin(at).await?;
        }
        if self.is_busy() {
            self.idle_since = Instant::now();
        }
        if self.stopping.is_none() && !self.is_idle() {
            self.take();
            self.ask();
        }
        self.protection.busy(self.is_busy());
        Ok(())
    }

    /// Which of the jobs that wait is to begin now.
    fn next(&self) -> Option<usize> {
        let free = self.running.len() < self.shared.work.concurrency;
        let recording = self.unfinished - self.running.len();
        if !free || recording >= RECORDING || self.stopping.is_some() {
            return None;
        }
        let front = self.ready.front()?;
        let fits = |ready: &Ready| self.warm.as_ref().is_some_and(|warm| warm.serves(&ready.known));
        if front.since.elapsed() < PATIENCE
            && let Some(at) = self.ready.iter().position(fits)
        {
            return Some(at);
        }
        (fits(front) || self.running.is_empty()).then_some(0)
    }

    async fn begin(&mut self, at: usize) -> Result<(), RunError> {
        let Some(ready) = self.ready.remove(at) else { return Ok(()) };
        if let Some(warm) = self.warm.take_if(|warm| !warm.serves(&ready.known)) {
            warm.end(&mut self.shelf).await?;
        }
        if self.warm.is_none()
            && let Err(tried) = self.boot(&ready).await
        {
            self.end(ready, tried);
            return Ok(());
        }
        let Some(warm) = &self.warm else { return Ok(()) };
        let began = Instant::now();
        self.running.push_back(began);
        self.unfinished += 1;
        let reply = warm.order(ready.event.clone(), ready.limit).await;
        tokio::task::spawn_local(finish::run(Rc::clone(&self.shared), ready, began, reply));
        Ok(())
    }

    /// Boots the runtime of a job's function, or says how the attempt ended with that.
    async fn boot(&mut self, ready: &Ready) -> Result<(), Result<Tried, RunError>> {
        let mut stop = self.shared.stop.clone();
        let (known, most) = (Rc::clone(&ready.known), self.shared.work.concurrency);
        let booting = Warm::begin(known, &mut self.shelf, most, &self.environment);
        let booted = tokio::select! {
            biased;
            _ = stop.asked() => return Err(Ok(Tried::Interrupted(TOLD))),
            booted = Box::pin(booting) => booted,
        };
        self.warm = Some(booted.map_err(Err)?);
        Ok(())
    }

    /// Records the end of an attempt that has not begun to run.
    fn end(&mut self, ready: Ready, tried: Result<Tried, RunError>) {
        self.unfinished += 1;
        tokio::task::spawn_local(finish::end(Rc::clone(&self.shared), ready, tried));
    }

    fn hear(&mut self, told: Told) -> Result<(), RunError> {
        match told {
            Told::Received(received) => {
                self.asking -= 1;
                return self.received(received);
            }
            Told::Taken(ready) => {
                self.taking -= 1;
                match ready {
                    Some(ready) if self.stopping.is_some() => {
                        self.end(*ready, Ok(Tried::Interrupted(TOLD)));
                    }
                    Some(ready) => self.ready.push_back(*ready),
                    None => {}
                }
            }
            Told::Free(began) => {
                self.pace.saw(began.elapsed());
                let at = self.running.iter().position(|known| *known == began);
                at.map(|at| self.running.remove(at));
            }
            Told::Finished => self.unfinished -= 1,
        }
        Ok(())
    }

    fn stop(&mut self) {
        self.stopping = Some(Instant::now());
        if let Some(warm) = &self.warm {
            warm.stop();
        }
        self.give_back(TOLD);
    }

    /// The runtime that is warm, and where files are kept: for whoever ends the worker.
    pub(super) fn parts(self) -> (Option<Warm>, Shelf, Protection) {
        (self.warm, self.shelf, self.protection)
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
