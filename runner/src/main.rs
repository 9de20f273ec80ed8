//! Entry point: read settings, run, print once what went wrong, end with a code. Nothing else.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use runner::causes::causes;
use runner::cli::{Cli, Command, Unpack};
use runner::code::Code;
use runner::config::{self, Environment};
use runner::layers;
use runner::run::{self, RunError};
use runner::signals::{self, Signals};
use runner::unpack;

struct Process;

impl Environment for Process {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the process's environment"
    )]
    fn get(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }
}

fn main() -> ExitCode {
    // First of all: a signal that comes earlier than this is lost to PID 1.
    let blocked = signals::block();
    let code = match (blocked, Cli::try_parse()) {
        (Err(error), _) => fail(Code::Internal, &error),
        (Ok(()), Ok(cli)) => execute(cli),
        (Ok(()), Err(error)) => {
            let _ = error.print();
            if error.use_stderr() { Code::Usage } else { Code::Success }
        }
    };
    code.into()
}

fn execute(cli: Cli) -> Code {
    let settings = match cli.command {
        None => config::from_environment(&Process),
        Some(Command::Invoke(invoke)) => invoke.settings(&Process),
        Some(Command::Unpack(arguments)) => return unpack(&arguments),
    };
    match settings.map(supervise) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => fail(Code::from(&error), &error),
        Err(error) => fail(Code::Usage, &error),
    }
}

fn unpack(arguments: &Unpack) -> Code {
    // Nothing here waits for signals: they may end it as usual.
    let _ = signals::unblock();
    let limits =
        unpack::Limits { unpacked_bytes: arguments.max_unpacked, ..unpack::Limits::default() };
    match layers::path(&arguments.source, &arguments.directory, &limits) {
        Ok(_) => Code::Success,
        Err(error) => fail(Code::from(&error), &error),
    }
}

fn supervise(settings: config::Run) -> Result<Code, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(RunError::SetUp)?;
    let ended = runtime.block_on(async {
        let mut signals = Signals::install().map_err(RunError::SetUp)?;
        run::run(settings, &Process, &mut signals).await
    });
    // Blocking work that was interrupted is not waited for.
    runtime.shutdown_background();
    ended
}

/// Prints an error and its causes on one line.
fn fail(code: Code, error: &(dyn Error + 'static)) -> Code {
    let _ = writeln!(io::stderr(), "immortal-runner: {}", causes(error));
    code
}
