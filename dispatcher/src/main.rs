//! Entry point: read the command line, set up logs, run, print once what went wrong, end with a code. Nothing else.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use dispatcher::cli::{Cli, Command, LogFormat};
use dispatcher::commands::{self, Ended};
use dispatcher::config::Config;
use dispatcher::lambda;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tracing_subscriber::EnvFilter;

/// Wrong usage or configuration (sysexits.h, `EX_USAGE`).
const USAGE: u8 = 64;
/// It could not be done.
const FAILED: u8 = 69;

fn main() -> ExitCode {
    if variable("AWS_LAMBDA_RUNTIME_API").is_some() {
        return as_function();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    if let Some(printed) = printed(&cli.command) {
        return printed;
    }
    logs(cli.log_format);
    let config = cli.config;
    if let Err(error) = Config::load(&config) {
        return fail(USAGE, &runner::causes::causes(&error));
    }
    match block_on(Box::pin(commands::run(cli.command, &config))) {
        Ok(Ok(Ended::Well)) => ExitCode::SUCCESS,
        Ok(Ok(Ended::Not)) => ExitCode::from(1),
        Ok(Err(refusal)) => fail(FAILED, &refusal.to_string()),
        Err(error) => fail(FAILED, &error.to_string()),
    }
}

/// Commands that only print something of the program itself.
fn printed(command: &Command) -> Option<ExitCode> {
    let mut program = Cli::command();
    let mut text = Vec::new();
    match command {
        Command::Completion { shell } => {
            clap_complete::generate(*shell, &mut program, "immortal-dispatcher", &mut text);
        }
        Command::Man => clap_mangen::Man::new(program).render(&mut text).ok()?,
        _ => return None,
    }
    let _ = io::stdout().write_all(&text);
    Some(ExitCode::SUCCESS)
}

fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let output = LocalSet::new().block_on(&runtime, future);
    runtime.shutdown_background();
    Ok(output)
}

/// The program as a Lambda function: its configuration is in its package, or at `IMMORTAL_CONFIG`.
fn as_function() -> ExitCode {
    logs(LogFormat::Json);
    let path = variable("IMMORTAL_CONFIG").unwrap_or_else(|| "immortal.toml".to_owned());
    let run = async {
        let config = Config::load(path.as_ref()).map_err(|error| runner::causes::causes(&error))?;
        let desk = Box::pin(commands::desk(config)).await.map_err(|refusal| refusal.to_string())?;
        Box::pin(lambda::serve(&desk)).await.map_err(|error| error.to_string())
    };
    match block_on(Box::pin(run)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(problem)) => fail(FAILED, &problem),
        Err(error) => fail(FAILED, &error.to_string()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment itself")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Log lines go to standard error: standard output is for what was asked for.
fn logs(format: LogFormat) {
    let filter = EnvFilter::try_from_env("IMMORTAL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false);
    match format {
        LogFormat::Text => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

fn fail(code: u8, problem: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "immortal-dispatcher: {problem}");
    ExitCode::from(code)
}
