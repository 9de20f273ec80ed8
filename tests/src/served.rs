//! A front door that is open: `immortal-runner serve` or, for comparison, AWS's emulator, with a function behind it.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use tempfile::TempDir;

use crate::puppet::{Puppet, Stage};
use crate::wire::{self, Answer, PATIENCE, Wire};
use crate::{Package, cache, root, runner};

/// Who runs the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The runner under test.
    Ours,
    /// AWS's Runtime Interface Emulator.
    Emulator,
}

/// Where `tests/setup.sh` puts the emulator.
pub fn emulator() -> PathBuf {
    cache().join("aws-lambda-rie")
}

/// A front door in the making. Without more said: a puppet as custom runtime.
#[derive(Debug)]
pub struct Serve {
    who: Who,
    package: Package,
    layers: Vec<Package>,
    extensions: Package,
    variables: Vec<(String, String)>,
    host: Vec<(String, String)>,
    limit: Option<u32>,
    runtime: (String, String),
    arguments: Vec<String>,
    puppet: Vec<u8>,
}

impl Serve {
    /// A function whose runtime and extensions are this program.
    pub fn puppets(who: Who, program: &str) -> Self {
        let puppet = std::fs::read(program).unwrap();
        let package = Package::default().executable("bootstrap", puppet.clone());
        Self { puppet, ..Self::package(who, package, "provided.al2023", "app.handler") }
    }

    /// A function.
    pub fn package(who: Who, package: Package, runtime: &str, handler: &str) -> Self {
        Self {
            who,
            package,
            layers: Vec::new(),
            extensions: Package::default(),
            variables: Vec::new(),
            host: Vec::new(),
            limit: None,
            runtime: (runtime.to_owned(), handler.to_owned()),
            arguments: Vec::new(),
            puppet: Vec::new(),
        }
    }

    /// With another package.
    #[must_use]
    pub fn code(self, package: Package) -> Self {
        Self { package, ..self }
    }

    /// With a variable of the function's.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a variable in the environment of the front door itself.
    #[must_use]
    pub fn host(mut self, name: &str, value: &str) -> Self {
        self.host.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With an external extension that is a puppet too.
    #[must_use]
    pub fn extension(mut self, name: &str) -> Self {
        let puppet = self.puppet.clone();
        self.extensions = self.extensions.executable(&format!("extensions/{name}"), puppet);
        self
    }

    /// With any other file below `/opt`.
    #[must_use]
    pub fn opt(mut self, name: &str, contents: impl Into<Vec<u8>>, executable: bool) -> Self {
        self.extensions = if executable {
            self.extensions.executable(name, contents)
        } else {
            self.extensions.file(name, contents)
        };
        self
    }

    /// With a layer, above those before it.
    #[must_use]
    pub fn layer(mut self, layer: Package) -> Self {
        self.layers.push(layer);
        self
    }

    /// An invocation may take so many seconds.
    #[must_use]
    pub fn limit(self, seconds: u32) -> Self {
        Self { limit: Some(seconds), ..self }
    }

    /// With more arguments; the emulator has none of them.
    #[must_use]
    pub fn arguments(mut self, more: &[&str]) -> Self {
        self.arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Opens it.
    #[track_caller]
    pub fn open(self) -> Served {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::open();
        let mut command = match self.who {
            Who::Ours => self.ours(directory.path(), &stage),
            Who::Emulator => self.emulators(directory.path(), &stage),
        };
        command.current_dir(directory.path()).env("TMPDIR", directory.path());
        let port = free_port();
        match self.who {
            Who::Ours => command.args(["--port", &port.to_string()]),
            Who::Emulator => command.env("RIE_PORT", port.to_string()),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Log::default();
        log.follow(child.stdout.take().unwrap());
        log.follow(child.stderr.take().unwrap());
        let door = format!("127.0.0.1:{port}");
        let mut served =
            Served { who: self.who, child, door, stage, log, _directory: directory, ended: None };
        served.wait_until_open();
        served
    }

    fn ours(&self, directory: &Path, stage: &Stage) -> Command {
        let mut command = Command::new(runner());
        command.env_clear().envs(self.host.iter().cloned()).arg("serve");
        std::fs::write(directory.join("code.zip"), self.package.bytes()).unwrap();
        command.args(["--code", "code.zip", "--runtime", &self.runtime.0]);
        command.args(["--handler", &self.runtime.1]).arg("--runtime-dir");
        command.arg(root().join(".runtimes"));
        let more = (!self.extensions.is_empty()).then_some(&self.extensions);
        for (number, layer) in more.into_iter().chain(&self.layers).enumerate() {
            let name = format!("layer-{number}.zip");
            std::fs::write(directory.join(&name), layer.bytes()).unwrap();
            command.args(["--layer", &name]);
        }
        command.args(["--env", &format!("STAGE={}", stage.address)]);
        for (name, value) in &self.variables {
            command.args(["--env", &format!("{name}={value}")]);
        }
        if let Some(seconds) = self.limit {
            command.args(["--max-duration", &format!("{seconds}s")]);
        }
        command.args(&self.arguments);
        command
    }

    /// It takes its extensions from `/opt`, so it has a mount namespace of its own.
    fn emulators(&self, directory: &Path, stage: &Stage) -> Command {
        let task = directory.join("task");
        unpack(&self.package, &task);
        unpack(&self.extensions, &directory.join("opt"));
        for layer in &self.layers {
            unpack(layer, &directory.join("opt"));
        }
        let mut command = Command::new("unshare");
        let api = format!("127.0.0.1:{}", free_port());
        let script = r#"mount --bind "$0/opt" /opt && cd "$0/task" && exec "$@" \
            --runtime-interface-emulator-address "127.0.0.1:$RIE_PORT" ./bootstrap "$_RIE_HANDLER""#;
        command.args(["--mount", "sh", "-c", script]).arg(directory).arg(emulator());
        command.args(["--runtime-api-address", &api]);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("STAGE", &stage.address).env("_RIE_HANDLER", &self.runtime.1);
        command.env("AWS_LAMBDA_FUNCTION_TIMEOUT", self.limit.unwrap_or(300).to_string());
        command.envs(self.variables.iter().cloned());
        command
    }
}

fn unpack(package: &Package, directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    for (name, contents, mode) in package.entries() {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).unwrap();
    }
}

/// A port that nobody listened on a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What was printed so far.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<(Mutex<String>, Condvar)>);

impl Log {
    fn follow(&self, from: impl std::io::Read + Send + 'static) {
        let log = self.clone();
        std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                log.0.0.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                log.0.1.notify_all();
                line.clear();
            }
        });
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.0.0.lock().unwrap().clone()
    }

    /// The first line that holds this, as soon as it is there.
    pub fn line(&self, text: &str) -> Option<String> {
        self.lines(text, 1).into_iter().next()
    }

    /// The lines that hold this, as soon as there are so many; fewer where that takes too long.
    pub fn lines(&self, text: &str, count: usize) -> Vec<String> {
        let found = |log: &str| -> Vec<String> {
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            whole.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
        };
        let log = self.0.0.lock().unwrap();
        let absent = |log: &mut String| found(log).len() < count;
        let (log, _) = self.0.1.wait_timeout_while(log, PATIENCE, absent).unwrap();
        found(&log)
    }
}

/// A front door that is open.
#[derive(Debug)]
pub struct Served {
    who: Who,
    child: Child,
    /// Where it listens.
    pub door: String,
    /// Where its puppets are.
    pub stage: Stage,
    /// What it has printed.
    pub log: Log,
    _directory: TempDir,
    ended: Option<i32>,
}

impl Served {
    fn wait_until_open(&mut self) {
        if self.who == Who::Ours {
            let line = self.log.line("immortal-runner: listening on http://");
            assert!(line.is_some(), "the front door did not open:\n{}", self.log.text());
            return;
        }
        let started = Instant::now();
        while Wire::connect(&self.door).is_err() {
            assert!(
                started.elapsed() < PATIENCE,
                "the emulator did not listen: {}",
                self.log.text()
            );
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// The process behind the door.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where invocations are posted.
    pub const INVOKE: &str = "/2015-03-31/functions/function/invocations";

    /// Invokes and waits.
    pub fn invoke(&self, event: impl AsRef<[u8]>) -> Answer {
        wire::call(&self.door, "POST", Self::INVOKE, &[], event).unwrap_or_default()
    }

    /// Invokes while the test goes on.
    pub fn invoking(&self, event: impl AsRef<[u8]>) -> Invoking {
        self.invoking_with(event, &[])
    }

    /// The same with headers.
    pub fn invoking_with(&self, event: impl AsRef<[u8]>, headers: &[(&str, &str)]) -> Invoking {
        let event = event.as_ref().to_vec();
        let door = self.door.clone();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers: Vec<(String, String)> = headers.iter().map(owned).collect();
        Invoking(std::thread::spawn(move || {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            wire::call(&door, "POST", Self::INVOKE, &headers, event).unwrap_or_default()
        }))
    }

    /// The runtime, as soon as it comes.
    #[track_caller]
    pub fn runtime(&self) -> Puppet {
        self.stage.enter("bootstrap")
    }

    /// Tells it to end.
    pub fn stop(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
    }

    /// Waits for its end: the exit code, or 128 and the signal.
    pub fn end(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt as _;
        let started = Instant::now();
        while self.ended.is_none() && started.elapsed() < PATIENCE {
            let status = self.child.try_wait().unwrap();
            let code = |it: std::process::ExitStatus| {
                it.code().unwrap_or_else(|| 128 + it.signal().unwrap_or_default())
            };
            self.ended = status.map(code);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        self.ended.unwrap_or(-1)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.stop();
            if self.end() < 0 {
                let _ = self.child.kill();
            }
        }
        let _ = self.child.wait();
    }
}

/// An invocation under way.
#[derive(Debug)]
pub struct Invoking(JoinHandle<Answer>);

impl Invoking {
    /// Is there no answer yet?
    pub fn is_waiting(&self) -> bool {
        std::thread::sleep(wire::QUIET);
        !self.0.is_finished()
    }

    /// The answer; status 0 where the connection ended without one.
    pub fn answer(self) -> Answer {
        self.0.join().unwrap()
    }
}
