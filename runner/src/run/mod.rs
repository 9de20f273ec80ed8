//! One run from settings to exit code: claim, where there is a ledger; prepare (describe, fetch, unpack),
//! supervise (boot, serve); decide and deliver. Each stage takes its input and returns the next type; what a stage does is its own
//! business.

mod attempt;
mod contained;
mod decided;
mod deliver;
mod error;
mod event;
mod install;
mod ledgered;
mod plan;
mod prepare;
mod serve;
mod supervise;
mod watch;
mod work;

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::time::Duration;

use attempt::Tried;
pub use decided::Decided;
pub use error::RunError;
use error::machine;
use install::Job;
pub use serve::serve;
pub use watch::watch;

use crate::clock::{Clock, millis};
use crate::code::Code;
use crate::config::{self, Container, Environment, Limits, Run, Task};
use crate::function::{Location, local};
use crate::layers;
use crate::order::Answer;
use crate::report;
use crate::session::Millis;
use crate::signals::Signals;
use crate::unpack;

/// Between SIGKILL to the function and our own end, at most.
const LAST_SECONDS: Duration = Duration::from_secs(2);

/// How much time there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    clock: Clock,
    /// Limit of the invocation.
    limit: Millis,
    /// Limit of making ready.
    init: Millis,
    /// Between SIGTERM and SIGKILL to the function.
    grace: Millis,
    /// The same for what it leaves behind.
    leftovers: Duration,
}

impl Times {
    fn new(limits: &Limits) -> Self {
        let stop = limits.stop_timeout;
        let last = LAST_SECONDS.min(stop / 4);
        let grace = stop.saturating_sub(last);
        Self {
            clock: Clock::start(),
            limit: millis(limits.max_duration),
            init: millis(limits.init_timeout),
            grace: millis(grace),
            leftovers: last / 2,
        }
    }
}

/// Runs one function once and prints its answer.
pub async fn run(
    run: Run,
    environment: &impl Environment,
    signals: Signals,
) -> Result<Code, RunError> {
    let Signals { mut stop, child } = signals;
    match Box::pin(attempt::once(run, false, environment, &mut stop, child)).await? {
        Tried::Interrupted(_) => Ok(Code::Interrupted),
        Tried::Answered(ran) => print(ran.answer),
    }
}

/// Runs what a container is there for, once, and delivers its outcome.
pub async fn contained(
    container: Container,
    environment: &(impl Environment + Clone + 'static),
    signals: Signals,
) -> Result<Code, RunError> {
    let destinations = container.destinations;
    match container.task {
        Task::Work(work) => work::work(*work, environment.clone(), signals.stop).await,
        Task::Job(job) => ledgered::run(job, destinations, environment, signals).await,
        Task::Run(run) => deliver::run(*run, destinations, environment, signals).await,
    }
}

/// Unpacks one package, fetching it if need be, and nothing more.
pub async fn unpack(
    source: &str,
    root: PathBuf,
    code: &config::Code,
    home: Option<PathBuf>,
) -> Result<(), RunError> {
    if let Some(name) = source.strip_prefix("docker://") {
        let mut limits = unpack::Limits::image();
        limits.unpacked_bytes = limits.unpacked_bytes.max(code.max_unpacked);
        contained::pull(&name.parse()?, root, code, home.as_deref(), limits).await?;
        return Ok(());
    }
    let mut package = local::package(source);
    if let Location::File(path) | Location::Directory(path) = &package.location {
        let (path, root, limits) = (path.clone(), root.clone(), code.limits());
        let tar = move || layers::file(&path, &root, &limits);
        let tar = tokio::task::spawn_blocking(tar).await.map_err(machine("unpacking"))?;
        if let Some(unpacked) = tar {
            return Ok(unpacked.map(drop)?);
        }
    }
    prepare::settle(&mut package).await?;
    let job = Job { root, packages: vec![package] };
    install::install(vec![job], code, |_| None).await
}

/// Prints the payload and nothing else.
fn print(answer: Answer) -> Result<Code, RunError> {
    let code = report::code(&answer);
    let mut stdout = io::stdout().lock();
    answer.payload.write_to(&mut stdout).map_err(RunError::Undelivered)?;
    if stdout.is_terminal() {
        let _ = stdout.write_all(b"\n");
    }
    stdout.flush().map_err(RunError::Undelivered)?;
    Ok(code)
}
