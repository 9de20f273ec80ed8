//! Entry point: read the command line, set up logs, run, print once what went wrong, end with a code. Nothing else.
#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use dispatcher::cli::{Cli, Command, LogFormat};
use dispatcher::code::Code;
use dispatcher::commands::{self, Ended};
use dispatcher::config::{Config, DEFAULT};
use dispatcher::furnish;
use dispatcher::lambda;
use dispatcher::variable::Variable;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    if variable(Variable::RuntimeApi).is_some() {
        return as_function();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return (if error.use_stderr() { Code::Usage } else { Code::Success }).into();
        }
    };
    if let Some(printed) = printed(&cli.command) {
        return printed;
    }
    if let Err(problem) = logs(cli.log_format) {
        return fail(Code::Usage, &problem);
    }
    let config = cli.config;
    let loaded = match cli.command {
        Command::Attach(_) | Command::Detach(_) => Config::find(&config).map(drop),
        _ => Config::load(&config).map(drop),
    };
    if let Err(error) = loaded {
        return fail(Code::Usage, &runner::causes::causes(&error));
    }
    match block_on(Box::pin(commands::run(cli.command, &config))) {
        Ok(Ok(Ended::Well)) => Code::Success.into(),
        Ok(Ok(Ended::Not)) => Code::Not.into(),
        Ok(Err(refusal)) => fail(Code::Failed, &refusal.to_string()),
        Err(error) => fail(Code::Failed, &error.to_string()),
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

/// The program as a Lambda function: its configuration is in its package, or what `IMMORTAL_CONFIG` says.
fn as_function() -> ExitCode {
    if let Err(problem) = logs(LogFormat::Json) {
        return fail(Code::Usage, &problem);
    }
    let path = variable(Variable::Config).unwrap_or_else(|| DEFAULT.to_owned());
    let run = async {
        let config = Config::load(path.as_ref()).map_err(|error| runner::causes::causes(&error))?;
        let desk = Box::pin(furnish::desk(config)).await.map_err(|refusal| refusal.to_string())?;
        Box::pin(lambda::serve(&desk)).await.map_err(|error| error.to_string())
    };
    match block_on(Box::pin(run)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(problem)) => fail(Code::Failed, &problem),
        Err(error) => fail(Code::Failed, &error.to_string()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment itself")]
fn variable(variable: Variable) -> Option<String> {
    std::env::var(variable.name()).ok().filter(|text| !text.is_empty())
}

/// Log lines go to standard error: standard output is for what was asked for.
fn logs(format: LogFormat) -> Result<(), String> {
    let asked = variable(Variable::Log).unwrap_or_else(|| "info".to_owned());
    let filter = EnvFilter::try_new(&asked).map_err(|error| {
        format!("IMMORTAL_LOG: expected a level such as `info`, or directives of tracing, found `{asked}`: {error}")
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false);
    match format {
        LogFormat::Text => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}

fn fail(code: Code, problem: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "immortal-dispatcher: {problem}");
    code.into()
}
