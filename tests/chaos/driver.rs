//! The life of a job: attempts are launched until its marker is gone, and meet with what the schedule has for them.
//! Plays the part of `reconcile`.

use std::io::{BufRead as _, BufReader};
use std::process::Child;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use e2e::Sandbox;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::schedule::{Fate, Twin};
use super::world::World;

/// A job that needs more launches than this is lost.
const LAUNCHES: usize = 40;
/// A launch that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a job has met with.
#[derive(Debug, Default)]
pub(crate) struct Life {
    /// Its name.
    pub id: String,
    /// Runners that were started.
    pub launches: usize,
    /// Of them, those that were one too many.
    pub duplicates: usize,
    /// Of them, those that were killed.
    pub killed: usize,
    /// Of them, those that were told to stop.
    pub stopped: usize,
    /// Functions that were killed.
    pub functions_killed: usize,
    /// Records that the destination got.
    pub delivered: usize,
    /// The writers of its outcome that were seen, each once.
    pub writers: Vec<Value>,
    /// The owners of its attempts that were seen, each once, with the attempt's number.
    pub owners: Vec<(u32, Value)>,
    /// A runner that did not come to its end.
    pub hung: bool,
}

/// A runner, and what is to happen to it.
struct Launch {
    _alive: Sandbox,
    child: Child,
    fate: Fate,
}

/// Lives a job's life.
pub(crate) fn live(world: &World, number: usize) -> Life {
    let mut life = Life { id: world.record(number), ..Life::default() };
    let mut attempt = 0;
    while world.get(&format!("active/{}", life.id)).is_some()
        && life.launches < LAUNCHES
        && !life.hung
    {
        attempt += 1;
        let mut launches = vec![life.launch(world, number, attempt)];
        match world.seed.twin(number, life.launches) {
            Twin::None => {}
            Twin::Same => launches.push(life.launch(world, number, attempt)),
            Twin::Next => {
                attempt += 1;
                launches.push(life.launch(world, number, attempt));
            }
        }
        life.duplicates += launches.len() - 1;
        for launch in launches {
            life.see(world, launch);
        }
        life.look(world, attempt);
    }
    life.delivered = world.queue.records(&life.id).len();
    life
}

impl Life {
    fn launch(&mut self, world: &World, number: usize, attempt: u32) -> Launch {
        self.launches += 1;
        let sandbox = world.runner(&self.id, attempt);
        let (child, fate) = (sandbox.start(), world.seed.fate(number, self.launches));
        Launch { _alive: sandbox, child, fate }
    }

    /// Lets a launch meet its fate, and sees it to its end.
    fn see(&mut self, world: &World, mut launch: Launch) {
        match launch.fate {
            Fate::None => {}
            Fate::Killed(at) => self.killed += usize::from(launch.signal(at, Signal::SIGKILL)),
            Fate::KilledAtTheEnd(at) => {
                launch.awaits_the_end();
                self.killed += usize::from(launch.signal(at, Signal::SIGKILL));
            }
            Fate::Stopped(at) => self.stopped += usize::from(launch.signal(at, Signal::SIGTERM)),
            Fate::FunctionKilled(at) => self.functions_killed += usize::from(launch.bereave(at)),
            Fate::QueueRestarted(at) => {
                std::thread::sleep(at);
                world.queue.restart();
            }
        }
        self.hung |= !launch.ends();
    }

    /// Notes who owns what: none of that may change.
    fn look(&mut self, world: &World, attempts: u32) {
        if let Some(outcome) = world.json(&format!("jobs/{}/outcome.json", self.id)) {
            once(&mut self.writers, outcome["writer"].clone());
        }
        for number in 1..=attempts {
            if let Some(attempt) = world.json(&format!("jobs/{}/attempts/{number}.json", self.id)) {
                once(&mut self.owners, (number, attempt["writer"].clone()));
            }
        }
    }
}

fn once<T: PartialEq>(seen: &mut Vec<T>, new: T) {
    if !seen.contains(&new) {
        seen.push(new);
    }
}

impl Launch {
    /// Sends a signal at its moment, unless it was over before.
    fn signal(&mut self, at: Duration, signal: Signal) -> bool {
        std::thread::sleep(at);
        self.child.try_wait().unwrap().is_none() && kill(pid(self.child.id()), signal).is_ok()
    }

    /// Waits until the function has ended, or the runner, or patience.
    fn awaits_the_end(&mut self) {
        let Some(pipe) = self.child.stderr.take() else { return };
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if line.starts_with("REPORT") {
                    let _first_counts = ended.send(());
                }
            }
        });
        let _ = end.recv_timeout(PATIENCE);
    }

    /// Kills what the runner has started, some time after that.
    fn bereave(&mut self, at: Duration) -> bool {
        while self.child.try_wait().unwrap().is_none() {
            let children = self.children();
            if !children.is_empty() {
                std::thread::sleep(at / 5);
                return children.into_iter().any(|child| kill(child, Signal::SIGKILL).is_ok());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        false
    }

    fn children(&self) -> Vec<Pid> {
        let id = self.child.id();
        let text = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let text = text.unwrap_or_default();
        text.split_whitespace().filter_map(|child| child.parse().ok()).map(Pid::from_raw).collect()
    }

    /// Did it come to its end?
    fn ends(mut self) -> bool {
        let started = Instant::now();
        drain(&mut self.child);
        while self.child.try_wait().unwrap().is_none() {
            if started.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

/// Nobody reads what it says: a pipe that is full would stop it.
fn drain(child: &mut Child) {
    if let Some(mut pipe) = child.stderr.take() {
        std::thread::spawn(move || std::io::copy(&mut pipe, &mut std::io::sink()));
    }
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed())
}
