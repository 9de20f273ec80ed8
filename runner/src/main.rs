//! Entry point: read settings, run, print once what went wrong, end with a code. Nothing else.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;
use runner::causes::causes;
use runner::cli::{Cli, Command, Unpack};
use runner::code::Code;
use runner::config::{self, ConfigError, Environment, Variable};
use runner::function::runtime::families;
use runner::image::enter::ENTER;
use runner::run::{self, RunError};
use runner::signals::{self, Signals};
use tokio::runtime::{Builder, Runtime};

#[derive(Debug, Clone, Copy)]
struct Process;

impl Environment for Process {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the process's environment"
    )]
    fn get(&self, variable: Variable) -> Option<OsString> {
        std::env::var_os(variable.name())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the process's environment"
    )]
    fn all(&self) -> Vec<(OsString, OsString)> {
        std::env::vars_os().collect()
    }
}

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == ENTER) {
        return enter();
    }
    // First of all: a signal that comes earlier than this is lost to PID 1.
    let blocked = signals::block();
    let code = match (blocked, Cli::try_parse_from(arguments())) {
        (Err(error), _) => fail(Code::Internal, &error),
        (Ok(()), Ok(cli)) => execute(cli),
        (Ok(()), Err(error)) => {
            let _ = error.print();
            if error.use_stderr() { Code::Usage } else { Code::Success }
        }
    };
    code.into()
}

/// The command line. Under the name of AWS's emulator, which its images start where nobody else is
/// the Runtime API, this is `serve -- COMMAND` on its port.
fn arguments() -> Vec<OsString> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let called = arguments.first().map(Path::new).and_then(Path::file_name);
    if called != Some("aws-lambda-rie".as_ref()) {
        return arguments;
    }
    let serve = ["aws-lambda-rie", "serve", "--host", "0.0.0.0", "--port", "8080", "--"];
    serve.into_iter().map(OsString::from).chain(arguments.into_iter().skip(1)).collect()
}

/// Becomes the program of a container image.
fn enter() -> ExitCode {
    match Cli::parse().command {
        Some(Command::Enter(arguments)) => arguments.entry().enter().into(),
        _ => Code::Usage.into(),
    }
}

fn execute(cli: Cli) -> Code {
    let settings = match cli.command {
        None => return end(config::from_environment(&Process).map(contained)),
        Some(Command::Invoke(invoke)) => match invoke.watch.clone() {
            None => invoke.settings(&Process),
            Some(directory) => {
                return end(invoke.settings(&Process).map(|run| watch(run, &directory)));
            }
        },
        Some(Command::Serve(serve)) => {
            return end(serve.settings(&Process).map(serve_until_stopped));
        }
        Some(Command::Work(work)) => return end(work.settings(&Process).map(work_until_done)),
        Some(Command::Unpack(arguments)) => return unpack(&arguments),
        Some(Command::Install { directory }) => return install(&directory),
        Some(Command::Runtimes) => return list_runtimes(),
        Some(Command::Enter(_)) => return Code::Usage,
    };
    end(settings.map(supervise))
}

fn end(ended: Result<Result<Code, RunError>, ConfigError>) -> Code {
    match ended {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => fail(Code::from(&error), &error),
        Err(error) => fail(Code::Usage, &error),
    }
}

fn serve_until_stopped(settings: config::Serve) -> Result<Code, RunError> {
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let signals = Signals::install().map_err(RunError::SetUp)?;
        Box::pin(run::serve(settings, &Process, signals)).await
    });
    runtime.shutdown_background();
    ended
}

fn work_until_done(settings: config::Work) -> Result<Code, RunError> {
    contained(config::Container {
        task: config::Task::Work(Box::new(settings)),
        destinations: None,
    })
}

fn watch(settings: config::Run, directory: &Path) -> Result<Code, RunError> {
    let runtime = runtime()?;
    let ended = runtime.block_on(run::watch(settings, directory, &Process));
    runtime.shutdown_background();
    ended
}

fn unpack(arguments: &Unpack) -> Code {
    // Nothing here waits for signals: they may end it as usual.
    let _ = signals::unblock();
    let root = arguments.directory.clone();
    let code = match arguments.code.settings() {
        Ok(code) => code,
        Err(error) => return fail(Code::Usage, &error),
    };
    let home = Process.get(Variable::Home).map(PathBuf::from);
    let unpacked = runtime().and_then(|runtime| {
        runtime.block_on(run::unpack(arguments.source.expose(), root, &code, home))
    });
    match unpacked {
        Ok(()) => Code::Success,
        Err(error) => fail(Code::from(&error), &error),
    }
}

/// Whoever starts it finds all of it, or nothing.
fn install(directory: &Path) -> Code {
    let (whole, part) = (directory.join("immortal-runner"), directory.join(".immortal-runner"));
    let copied = std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::copy("/proc/self/exe", &part))
        .and_then(|_| std::fs::rename(&part, &whole));
    match copied {
        Ok(()) => Code::Success,
        Err(error) => {
            let _ = writeln!(io::stderr(), "immortal-runner: {}: {error}", whole.display());
            Code::Internal
        }
    }
}

fn list_runtimes() -> Code {
    let lines = families().iter().flat_map(|family| {
        family.identifiers.iter().map(|identifier| {
            let image = family.base_image(identifier);
            format!("{identifier}\t{}\t{}\n", family.name, image.as_deref().unwrap_or("-"))
        })
    });
    match io::stdout().write_all(lines.collect::<String>().as_bytes()) {
        Ok(()) => Code::Success,
        // Nobody reads any more.
        Err(_) => Code::Internal,
    }
}

fn runtime() -> Result<Runtime, RunError> {
    Builder::new_current_thread().enable_all().build().map_err(RunError::SetUp)
}

fn contained(container: config::Container) -> Result<Code, RunError> {
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let signals = Signals::install().map_err(RunError::SetUp)?;
        Box::pin(run::contained(container, &Process, signals)).await
    });
    runtime.shutdown_background();
    ended
}

fn supervise(settings: config::Run) -> Result<Code, RunError> {
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let signals = Signals::install().map_err(RunError::SetUp)?;
        Box::pin(run::run(settings, &Process, signals)).await
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
