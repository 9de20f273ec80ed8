//! The strings of puppets: processes that the runner started and the test commands. What they are told to do is in
//! `bin/puppet.rs`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::wire::PATIENCE;

/// Where puppets come to.
#[derive(Debug)]
pub struct Stage {
    /// What they are told in `STAGE`.
    pub address: String,
    waiting: Arc<(Mutex<Vec<Puppet>>, Condvar)>,
}

/// One process.
#[derive(Debug)]
pub struct Puppet {
    strings: BufReader<TcpStream>,
    hello: Value,
    caught: usize,
}

impl Stage {
    /// Opens the doors.
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let waiting = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let doors = Arc::clone(&waiting);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(puppet) = stream.ok().and_then(Puppet::meet) else { continue };
                doors.0.lock().unwrap().push(puppet);
                doors.1.notify_all();
            }
        });
        Self { address, waiting }
    }

    /// The next process of this name, as soon as it comes.
    #[track_caller]
    pub fn enter(&self, name: &str) -> Puppet {
        self.enter_within(name, PATIENCE).unwrap_or_else(|| panic!("{name} was not started"))
    }

    /// The same, or none.
    pub fn enter_within(&self, name: &str, patience: std::time::Duration) -> Option<Puppet> {
        let all = self.waiting.0.lock().unwrap();
        let absent = |all: &mut Vec<Puppet>| !all.iter().any(|puppet| puppet.name() == name);
        let (mut all, _) = self.waiting.1.wait_timeout_while(all, patience, absent).unwrap();
        let place = all.iter().position(|puppet| puppet.name() == name)?;
        Some(all.remove(place))
    }

    /// Has nobody else come?
    pub fn is_empty(&self) -> bool {
        self.waiting.0.lock().unwrap().is_empty()
    }
}

impl Puppet {
    fn meet(stream: TcpStream) -> Option<Self> {
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut strings = BufReader::new(stream);
        let mut line = String::new();
        strings.read_line(&mut line).ok()?;
        Some(Self { strings, hello: serde_json::from_str(&line).ok()?, caught: 0 })
    }

    /// The file it was started as.
    pub fn name(&self) -> &str {
        let path = self.hello["arguments"][0].as_str().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }

    /// What it knows about itself.
    pub fn hello(&self) -> &Value {
        &self.hello
    }

    /// A variable in its environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.hello["environment"][name].as_str()
    }

    /// Where it was told that the Runtime API is.
    pub fn api(&self) -> String {
        self.variable("AWS_LAMBDA_RUNTIME_API").unwrap_or_default().to_owned()
    }

    fn pull(&mut self, order: &Value) {
        let line = format!("{order}\n");
        let _ = self.strings.get_mut().write_all(line.as_bytes());
    }

    /// Does this and says what came of it; null if it died of it.
    fn does(&mut self, order: &Value) -> Value {
        self.pull(order);
        loop {
            match self.hears() {
                Some(told) if told.get("done").is_some() => return told["done"].clone(),
                Some(_) => self.caught += 1,
                None => return Value::Null,
            }
        }
    }

    fn hears(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = self.strings.read_line(&mut line);
        (read.ok()? > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    /// Writes bytes to one of its descriptors.
    pub fn writes(&mut self, descriptor: i32, bytes: impl AsRef<[u8]>) {
        let bytes = BASE64_STANDARD.encode(bytes);
        self.does(&json!({ "write": { "to": descriptor, "bytes": bytes } }));
    }

    /// Prints a line again and again, and does not wait for it.
    pub fn starts_printing(&mut self, count: u64, line: &str) {
        self.pull(&json!({ "lines": { "count": count, "line": line } }));
    }

    /// Waits for what it does.
    pub fn is_done(&mut self) {
        while self.hears().is_some_and(|told| told.get("done").is_none()) {}
    }

    /// Takes so many megabytes.
    pub fn allocates(&mut self, megabytes: u64) {
        self.does(&json!({ "allocate": megabytes }));
    }

    /// Does not end when it is told to.
    pub fn is_stubborn(&mut self) {
        self.does(&json!({ "catch": null }));
    }

    /// Has it been told to end, or is it within our patience?
    pub fn caught_sigterm(&mut self) -> bool {
        self.caught > 0 || self.hears().is_some_and(|told| told["caught"] == "SIGTERM")
    }

    /// Starts a process of its own that sleeps.
    pub fn spawns(&mut self, seconds: &str) {
        self.does(&json!({ "spawn": seconds }));
    }

    /// Reads a file.
    pub fn reads(&mut self, path: &str) -> Option<String> {
        self.does(&json!({ "read": path })).as_str().map(str::to_owned)
    }

    /// Writes a file; whether it could.
    pub fn stores(&mut self, path: &str, text: &str) -> bool {
        self.does(&json!({ "store": { "path": path, "text": text } })) == true
    }

    /// Ends.
    pub fn exits(mut self, code: i32) {
        self.pull(&json!({ "exit": code }));
        self.is_gone();
    }

    /// Is killed by a signal.
    pub fn dies(mut self, signal: i32) {
        self.pull(&json!({ "raise": signal }));
        self.is_gone();
    }

    /// Is it gone, or within our patience?
    pub fn is_gone(&mut self) -> bool {
        loop {
            let mut line = String::new();
            match self.strings.read_line(&mut line) {
                Ok(0) => return true,
                Ok(_) => self.caught += usize::from(line.contains("caught")),
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }

    /// Does it live on for a while?
    pub fn is_alive(&mut self) -> bool {
        let pid = self.hello["pid"].as_u64().unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        status.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
    }
}

/// Does a process with this argument live, in whatever container? Ids are the container's own, arguments are not.
pub fn is_running(argument: &str) -> bool {
    let has = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|one| one == argument.as_bytes())
    };
    std::fs::read_dir("/proc").unwrap().flatten().any(has)
}
