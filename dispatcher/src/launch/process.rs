//! Runners as processes of this machine, for laptops and tests. Owns their start, their log files and what is seen of
//! them; they outlive the dispatcher.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, Launched, Refused, Seen};

/// `[process]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The runner's program.
    pub runner: PathBuf,
    /// Where each attempt's output goes, a file each; none: to the dispatcher's standard error.
    pub logs: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { runner: PathBuf::from("immortal-runner"), logs: None }
    }
}

/// What a process is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Variables, beside those of the dispatcher.
    pub environment: BTreeMap<String, String>,
    /// Name of its log file.
    pub log: String,
}

/// Bytes at the end of a log file in which its last line is looked for.
const TAIL: u64 = 4096;

/// Starts processes.
#[derive(Debug, Clone)]
pub struct Processes {
    settings: Settings,
    at_once: usize,
    /// Our own children, by id. Their ends are kept: a job may be looked at more than once.
    children: Rc<RefCell<HashMap<String, Child>>>,
}

impl Processes {
    /// None is started yet.
    pub fn new(settings: Settings, at_once: usize) -> Self {
        Self { settings, at_once, children: Rc::default() }
    }

    /// Starts a runner. One that is started twice for an attempt ends at once: the attempt is claimed.
    pub fn launch(&self, placement: &Placement) -> Result<Launched, Refused> {
        if self.alive() >= self.at_once {
            return Err(super::busy(self.at_once));
        }
        // An earlier request may have started it, and died before that was recorded.
        let note = self.note(&placement.log);
        if let Some(id) = fs::read_to_string(&note).ok().filter(|id| is_alive(id)) {
            return Ok(Launched { id });
        }
        let runner = &self.settings.runner;
        let never = |error: io::Error| {
            let why = format!(
                "the runner `{}` could not be started: {error}; set [process] runner",
                runner.display()
            );
            Refused::later(why, Duration::from_mins(1))
        };
        let mut command = Command::new(runner);
        let output = self.output(&placement.log).map_err(never)?;
        command.stdin(Stdio::null()).stdout(output.0).stderr(output.1);
        command.envs(&placement.environment).process_group(0);
        let child = command.spawn().map_err(never)?;
        let id = identity(child.id()).unwrap_or_else(|| child.id().to_string());
        // Without the note a repetition is started too, and ends at once.
        let _noted = fs::write(note, &id);
        self.children.borrow_mut().insert(id.clone(), child);
        Ok(Launched { id })
    }

    #[expect(clippy::disallowed_methods, reason = "the one place of the dispatcher that reaps")]
    fn alive(&self) -> usize {
        let mut children = self.children.borrow_mut();
        children
            .values_mut()
            .filter_map(|child| child.try_wait().ok())
            .filter(Option::is_none)
            .count()
    }

    /// Where the id of the process is that makes this attempt.
    fn note(&self, log: &str) -> PathBuf {
        let directory = self.settings.logs.clone().unwrap_or_else(std::env::temp_dir);
        directory.join(format!("{log}.pid"))
    }

    fn output(&self, log: &str) -> io::Result<(Stdio, Stdio)> {
        let Some(directory) = &self.settings.logs else {
            // Standard output is the program's own.
            return Ok((io::stderr().into(), Stdio::inherit()));
        };
        fs::create_dir_all(directory)?;
        let file = fs::OpenOptions::new().create(true).append(true).open(directory.join(log))?;
        Ok((file.try_clone()?.into(), file.into()))
    }

    /// The last line of an attempt's log file.
    pub fn last_line(&self, placement: &Placement) -> Option<String> {
        let path = self.settings.logs.as_ref()?.join(&placement.log);
        let mut file = fs::File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        text.lines().rfind(|line| !line.trim().is_empty()).map(str::to_owned)
    }

    /// What is seen of a process.
    #[expect(clippy::disallowed_methods, reason = "the one place of the dispatcher that reaps")]
    pub fn look(&self, id: &str) -> Seen {
        if let Some(Ok(Some(status))) = self.children.borrow_mut().get_mut(id).map(Child::try_wait)
        {
            return over(status);
        }
        if is_alive(id) {
            return Seen::Alive { step: "RUNNING".to_owned() };
        }
        let reason = "its process has ended".to_owned();
        Seen::Over { reason, exit: None, cause: Cause::Exited }
    }
}

/// Whether this very process lives.
fn is_alive(id: &str) -> bool {
    let found = id.split(':').next().and_then(|pid| pid.parse().ok()).and_then(identity);
    found.as_deref() == Some(id)
}

fn over(status: ExitStatus) -> Seen {
    match (status.code(), status.signal()) {
        (Some(code), _) => Seen::Over {
            reason: format!("the runner ended with exit code {code}"),
            exit: Some(code),
            cause: Cause::Exited,
        },
        (None, signal) => Seen::Over {
            reason: format!("the runner was killed by signal {}", signal.unwrap_or_default()),
            exit: None,
            cause: Cause::Killed,
        },
    }
}

/// A process's id with the moment of its start, since ids are used again (proc(5), field 22 of `stat`); nothing if
/// there is none, or only its remains.
fn identity(pid: u32) -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The name in parentheses may contain anything.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    let moment = fields.nth(18)?;
    (state != "Z").then(|| format!("{pid}:{moment}"))
}
