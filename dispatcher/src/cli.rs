//! The command line: what can be said, and its help. What is done is `commands`'s business.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ledger::JobId;

use crate::attach::found::Way;
use crate::config::DEFAULT;
use crate::variable::Variable;

/// Takes failed Lambda invocations from queues and runs them to their end in containers.
#[derive(Debug, Parser)]
#[command(name = "immortal-dispatcher", version, max_term_width = 100)]
pub struct Cli {
    /// The configuration: a file, or its text.
    #[arg(
        long,
        short,
        global = true,
        env = Variable::Config.name(),
        default_value = DEFAULT,
        value_name = "FILE"
    )]
    pub config: PathBuf,
    /// How log lines are written.
    #[arg(
        long,
        global = true,
        env = Variable::LogFormat.name(),
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read the queues, launch, look after what was launched, until told to stop.
    Serve,
    /// Say what would happen to a message, and why. Nothing is done. Exits 0 if it would run, 1 if not.
    Explain(Explain),
    /// Run a function now.
    Submit(Submit),
    /// List jobs: the unfinished ones, or all.
    Jobs(Jobs),
    /// Show all that is recorded of a job.
    Show(Show),
    /// Run a job once more, or a message that is kept out of the way.
    Retry(Retry),
    /// List messages that are kept out of the way, and why.
    Quarantine(Printed),
    /// Look at all unfinished jobs once, and do what is to be done.
    Reconcile,
    /// Wire a function's failures to the queue: prints the calls, then does them.
    Attach(Attach),
    /// Undo what `attach` has done: prints the calls, then does them.
    Detach(Detach),
    /// Check a deployment from its configuration, and say how each finding is mended. Exits 0 if all is well, 1 if not.
    Doctor(Printed),
    /// Check the configuration file.
    CheckConfig,
    /// Print a script for the shell's completion.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// A message as `aws sqs receive-message` prints it, a record of a Lambda SQS event, or a bare body; `-` is
    /// standard input.
    pub file: PathBuf,
    /// The queue that it is in, by URL or ARN: its `kind` and `function` in the configuration count.
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<String>,
    /// Ask nobody: only what follows from the message.
    #[arg(long)]
    pub offline: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `submit`.
#[derive(Debug, Args)]
pub struct Submit {
    /// Name or ARN, with an optional version or alias.
    pub function: String,
    /// The event: JSON, `@FILE`, or `-` for standard input.
    #[arg(long, default_value = "{}", value_name = "JSON|@FILE|-")]
    pub event: String,
    /// The job's name: a second `submit` of the same name finds the first.
    #[arg(long, value_name = "ID")]
    pub id: Option<JobId>,
    /// Where its outcome goes; may be given more than once.
    #[arg(long = "destination", value_name = "DESTINATION")]
    pub destinations: Vec<ledger::Destination>,
    /// The longest invocation: `2h`.
    #[arg(long, value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub max_duration: Option<std::time::Duration>,
    /// Wait for its end: progress on standard error, the response on standard output. Exits 1 if the function failed.
    #[arg(long)]
    pub wait: bool,
}

/// Arguments of `jobs`.
#[derive(Debug, Args)]
pub struct Jobs {
    /// Finished ones too.
    #[arg(long)]
    pub all: bool,
    /// Only those in this state.
    #[arg(long, value_name = "STATE")]
    pub state: Option<crate::people::state::State>,
    /// Only those of functions whose name or ARN contains this.
    #[arg(long, value_name = "TEXT")]
    pub function: Option<String>,
    /// At most so many, newest first.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub limit: usize,
    /// Only those that come after this job in the list: the next page.
    #[arg(long, value_name = "JOB")]
    pub after: Option<JobId>,
    /// How it is printed.
    #[command(flatten)]
    pub printed: Printed,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The job.
    pub job: JobId,
    /// How it is printed.
    #[command(flatten)]
    pub printed: Printed,
}

/// Arguments of `retry`.
#[derive(Debug, Args)]
pub struct Retry {
    /// The job, or the message that is kept.
    pub job: JobId,
}

/// Arguments of `attach`.
#[derive(Debug, Args)]
pub struct Attach {
    /// Name or ARN, with an optional version or alias: what is invoked is what has to be wired.
    pub function: String,
    /// The queue, by URL or ARN; not said: the one in the configuration, which is not needed otherwise.
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<String>,
    /// By what failures get there: a destination also tells the error and the function.
    #[arg(long = "as", default_value = "destination", value_name = "WAY")]
    pub way: Way,
    /// How often Lambda tries again itself: each try of a function that times out costs its whole time-out.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..=2), value_name = "N")]
    pub retries: i32,
    /// Take the place of another destination or dead-letter queue; `detach` brings it back.
    #[arg(long)]
    pub replace: bool,
    /// Let the function's own role be used here: adds one statement to its trust policy.
    #[arg(long)]
    pub own_role: bool,
    /// Only print the calls.
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `detach`.
#[derive(Debug, Args)]
pub struct Detach {
    /// Name or ARN, with the version or alias that was attached.
    pub function: String,
    /// Only print the calls.
    #[arg(long)]
    pub dry_run: bool,
}

/// How something is printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Printed {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
