//! A harness that reads like sentences: what is deployed, how it is run, what must come of it.
#![expect(
    clippy::disallowed_methods,
    reason = "the bans are the runner's: tests start programs and read their own environment"
)]
#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a failed expectation is a panic here"
)]

mod between;
mod cluster;
mod control_plane;
mod deployed;
mod function;
mod hush;
mod moto;
pub mod namespace;
mod puppet;
mod query;
mod quota;
mod registry;
mod run;
mod scripted;
mod served;
mod tree;
pub mod wire;
mod wiring;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub use between::{Passed, between};
pub use cluster::{Cluster, Faults};
pub use control_plane::ControlPlane;
pub use deployed::Deployed;
pub use function::dispatched;
pub use hush::Hush;
pub use moto::Moto;
pub use puppet::{Puppet, Stage, is_running};
pub use query::query;
pub use quota::Quota;
pub use registry::Registry;
pub use run::Run;
pub use scripted::{Answer, Scripted};
pub use served::{Invoking, Log, Serve, Served, Who, emulator, free_port};
use tempfile::TempDir;
pub use tree::walk;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The repository. Asked when the tests run: what cargo finds built may be from another clone.
pub fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    Path::new(&package).parent().unwrap().to_path_buf()
}

/// What `make setup` has fetched: `IMMORTAL_CACHE`, or `.cache` of the repository.
pub fn cache() -> PathBuf {
    std::env::var_os("IMMORTAL_CACHE").map_or_else(|| root().join(".cache"), PathBuf::from)
}

/// A file below `tests/fixtures`.
pub fn fixture(name: &str) -> Vec<u8> {
    fs::read(root().join("tests/fixtures").join(name)).unwrap()
}

/// The dispatcher that is tested: `IMMORTAL_DISPATCHER`, or the one beside the runner.
pub fn dispatcher() -> PathBuf {
    let beside = || runner().with_file_name("immortal-dispatcher");
    let path = std::env::var_os("IMMORTAL_DISPATCHER").map_or_else(beside, PathBuf::from);
    assert!(path.is_file(), "{} is missing: run `make build`", path.display());
    path
}

/// The runner that is tested: `IMMORTAL_RUNNER`, or the one that cargo has built.
pub fn runner() -> PathBuf {
    let built = || root().join("target/debug/immortal-runner");
    let runner = std::env::var_os("IMMORTAL_RUNNER").map_or_else(built, PathBuf::from);
    assert!(
        runner.is_file(),
        "{} is missing: run `make build` and set IMMORTAL_RUNNER",
        runner.display()
    );
    runner
}

/// A zip file in the making.
#[derive(Debug, Default)]
pub struct Package(Vec<(String, Vec<u8>, u32)>);

impl Package {
    /// With one file.
    #[must_use]
    pub fn file(mut self, name: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.0.push((name.into(), contents.into(), 0o644));
        self
    }

    /// With one executable file.
    #[must_use]
    pub fn executable(mut self, name: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.0.push((name.into(), contents.into(), 0o755));
        self
    }

    /// With all files below a directory.
    #[must_use]
    pub fn directory(mut self, name: &str, from: &Path) -> Self {
        assert!(from.is_dir(), "{} is missing: `make setup` makes it", from.display());
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{name}/{}", path.file_name().unwrap().to_string_lossy());
            self = if path.is_dir() {
                self.directory(&name, &path)
            } else {
                self.file(&name, fs::read(&path).unwrap())
            };
        }
        self
    }

    /// Has it no files?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its files: name, contents, mode.
    pub fn entries(&self) -> &[(String, Vec<u8>, u32)] {
        &self.0
    }

    /// The zip file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, contents, mode) in &self.0 {
            archive.start_file(name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            archive.write_all(contents).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }
}

/// The Python fixture.
pub fn python() -> Package {
    Package::default().file("app.py", fixture("python/app.py"))
}

/// The Node.js fixture.
pub fn nodejs() -> Package {
    Package::default()
        .file("index.js", fixture("nodejs/index.js"))
        .file("esm.mjs", fixture("nodejs/esm.mjs"))
}

/// One run of the runner in a directory of its own, with nothing in its environment but what is given.
#[derive(Debug)]
pub struct Sandbox {
    directory: TempDir,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    stdin: Option<String>,
}

impl Sandbox {
    /// `immortal-runner` and these arguments.
    pub fn new(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self {
            directory: tempfile::tempdir().unwrap(),
            arguments,
            environment: Vec::new(),
            stdin: None,
        }
    }

    /// `immortal-runner invoke` of a package.
    pub fn invoke(package: &Package, runtime: &str, handler: &str) -> Self {
        let mut sandbox = Self::new(&["invoke"]);
        let code = sandbox.write("code.zip", package.bytes());
        let runtimes = root().join(".runtimes").display().to_string();
        sandbox.arguments(&[
            "--code",
            &code,
            "--runtime",
            runtime,
            "--handler",
            handler,
            "--runtime-dir",
            &runtimes,
        ])
    }

    /// With more arguments.
    #[must_use]
    pub fn arguments(mut self, more: &[&str]) -> Self {
        self.arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// With an event.
    #[must_use]
    pub fn event(self, event: &str) -> Self {
        self.arguments(&["--event", event])
    }

    /// With a variable in the runner's own environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// With something on standard input.
    #[must_use]
    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Writes a file beside the run and gives its path.
    pub fn write(&mut self, name: &str, contents: impl AsRef<[u8]>) -> String {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path.display().to_string()
    }

    /// Where the run writes its temporary files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts it.
    pub fn start(&self) -> Child {
        self.spawn(Command::new(runner()))
    }

    /// Runs it to its end by another program, which is given the command line.
    pub fn run_by(&self, program: &[&str]) -> Run {
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).arg(runner());
        self.run_as(command)
    }

    /// Runs another program with the command line.
    pub fn run_as(&self, command: Command) -> Run {
        self.spawn(command).wait_with_output().unwrap().into()
    }

    fn spawn(&self, mut command: Command) -> Child {
        command
            .env_clear()
            .envs(self.environment.iter().cloned())
            .env("TMPDIR", self.directory.path());
        command.args(&self.arguments).current_dir(self.directory.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        if let (Some(text), Some(mut stdin)) = (&self.stdin, child.stdin.take()) {
            stdin.write_all(text.as_bytes()).unwrap();
        }
        child
    }

    /// Runs it to its end.
    pub fn run(&self) -> Run {
        self.start().wait_with_output().unwrap().into()
    }
}

/// Runs an image to its end, on the host's network and with these variables.
pub fn container(image: &str, variables: &[(&str, &str)]) -> Run {
    confined(&[], image, variables)
}

/// The same with more options to `docker run`.
pub fn confined(options: &[&str], image: &str, variables: &[(&str, &str)]) -> Run {
    let given: Vec<String> =
        variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--network", "host"]).args(options);
    command.args(given.iter().flat_map(|variable| ["-e", variable])).arg(image);
    let output = command.output().expect("docker is installed by `make test`");
    let run = Run::from(output);
    assert_ne!(
        run.code, 125,
        "docker could not run {image} (`make images BASE=debian` builds it): {}",
        run.stderr
    );
    run
}
