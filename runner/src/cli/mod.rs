//! The command line: what was typed, and its translation into settings. Nothing is opened here but a file with a secret.

mod invoke;
mod options;
mod serve;
mod work;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use self::invoke::Invoke;
pub use self::options::{CodeOptions, Secret};
pub use self::serve::Serve;
pub use self::work::Work;
use crate::image::enter::Entry;

/// Runs a deployed AWS Lambda function unchanged, without the 15 minute limit.
///
/// Without a command the job comes from the environment: `IMMORTAL_FUNCTION` and `IMMORTAL_EVENT`.
#[derive(Debug, Parser)]
#[command(name = "immortal-runner", version, max_term_width = 100)]
pub struct Cli {
    /// What to do; none takes the job from the environment.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one invocation here and now: the response on standard output, all else on standard error
    Invoke(Box<Invoke>),
    /// Serve the Lambda Invoke API on HTTP
    Serve(Box<Serve>),
    /// Take jobs from a queue: the runtime stays warm, and many jobs run in it one after the other
    Work(Box<Work>),
    /// Unpack a package into a directory, fetching it if need be
    Unpack(Unpack),
    /// Copy this program into a directory, as `immortal-runner`: for a container of another image that shares it
    Install {
        /// Directory; made if it does not exist
        directory: PathBuf,
    },
    /// List Lambda's runtime identifiers: a line each, with family and AWS's public base image, or `-`
    Runtimes,
    /// Change root and user, and become a program: how container images are started
    #[command(name = "__enter", hide = true)]
    Enter(Enter),
}

/// `immortal-runner __enter`
#[derive(Debug, Args)]
pub struct Enter {
    root: PathBuf,
    uid: u32,
    gid: u32,
    directory: PathBuf,
    #[arg(last = true)]
    program: Vec<OsString>,
}

impl Enter {
    /// What is asked for.
    pub fn entry(self) -> Entry {
        let Self { root, uid, gid, directory, program } = self;
        Entry { root, uid, gid, directory, program }
    }
}

/// `immortal-runner unpack`
#[derive(Debug, Args)]
pub struct Unpack {
    /// Zip, tar, tar.gz or tar.zst file; URL or `s3://BUCKET/KEY` of a zip; `docker://REGISTRY/NAME:TAG` of an image
    pub source: Secret,
    /// Directory to fill; made if it does not exist, refused if it is not empty
    pub directory: PathBuf,
    /// How it is fetched.
    #[command(flatten)]
    pub code: CodeOptions,
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use clap::CommandFactory as _;
    use ledger::Redacted;

    use super::*;
    use crate::config::{Run, Source};

    fn invoke(arguments: &[&str]) -> Run {
        let cli =
            Cli::try_parse_from([&["immortal-runner", "invoke"], arguments].concat()).unwrap();
        let Some(Command::Invoke(invoke)) = cli.command else { panic!("not invoke") };
        invoke.settings(&HashMap::new()).unwrap()
    }

    const CODE: [&str; 6] =
        ["--code", "f.zip", "--runtime", "python3.13", "--handler", "app.handler"];

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn code_is_described_by_its_arguments() {
        let run = invoke(&CODE);
        let Source::Local(local) = run.source else { panic!("not local") };
        assert_eq!((local.code.as_str(), local.handler.as_str()), ("f.zip", "app.handler"));
    }

    #[test]
    fn code_needs_runtime_and_handler_and_excludes_a_function() {
        for arguments in [&CODE[..2], &["f", "--code", "f.zip"], &[]] {
            let line = [&["immortal-runner", "invoke"], arguments].concat();
            assert!(Cli::try_parse_from(line).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn a_variable_is_split_at_the_first_equals_sign() {
        let run = invoke(&[&CODE[..], &["--env", "A=4=4"]].concat());
        assert_eq!(run.variables, [("A".to_owned(), Redacted::new("4=4".to_owned()))]);
    }

    #[test]
    fn no_event_or_variable_reaches_a_debug_output() {
        let line = ["immortal-runner", "invoke", "f", "--event", "\"canary\"", "--env", "K=canary"];
        assert!(!format!("{:?}", Cli::try_parse_from(line).unwrap()).contains("canary"));
    }
}
