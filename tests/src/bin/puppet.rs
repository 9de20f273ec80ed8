//! A process that does what it is told and nothing else: the runtime and the extensions of the conformance suite.
//! It tells who it is to the stage at `STAGE`, then obeys, one JSON object a line. Who speaks to the Runtime API is
//! the stage, so that every byte is the test's own.
#![expect(
    clippy::unwrap_used,
    clippy::exit,
    clippy::disallowed_methods,
    clippy::zombie_processes,
    reason = "a puppet that fails is seen by the test that holds its strings"
)]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::FromRawFd as _;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use nix::sys::signal::{SigSet, Signal, raise};
use serde_json::{Map, Value, json};

fn main() {
    let stage = std::env::var("STAGE").expect("STAGE says who pulls the strings");
    let mut strings = TcpStream::connect(stage).unwrap();
    tell(&mut strings, &hello());
    let mut kept = Vec::new();
    for line in BufReader::new(strings.try_clone().unwrap()).lines() {
        let Ok(line) = line else { break };
        let order: Value = serde_json::from_str(&line).unwrap();
        let done = obey(&order, &strings, &mut kept);
        tell(&mut strings, &json!({ "done": done }));
    }
}

fn tell(mut strings: impl std::io::Write, what: &Value) {
    let _ = strings.write_all(format!("{what}\n").as_bytes());
}

/// All that a process knows about itself.
fn hello() -> Value {
    let arguments: Vec<_> =
        std::env::args_os().map(|it| it.to_string_lossy().into_owned()).collect();
    let environment: Map<String, Value> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into()))
        .collect();
    json!({
        "arguments": arguments,
        "environment": environment,
        "directory": std::env::current_dir().unwrap_or_default(),
        "pid": std::process::id(),
        "parent": nix::unistd::getppid().as_raw(),
        "group": nix::unistd::getpgrp().as_raw(),
    })
}

fn obey(order: &Value, strings: &TcpStream, kept: &mut Vec<Vec<u8>>) -> Value {
    let (what, how) = order.as_object().and_then(|it| it.iter().next()).unwrap();
    match what.as_str() {
        "exit" => std::process::exit(how.as_i64().unwrap().try_into().unwrap()),
        "raise" => {
            let signal = Signal::try_from(i32::try_from(how.as_i64().unwrap()).unwrap()).unwrap();
            raise(signal).unwrap();
        }
        "write" => {
            let bytes = BASE64_STANDARD.decode(how["bytes"].as_str().unwrap()).unwrap();
            write(how["to"].as_i64().unwrap().try_into().unwrap(), &bytes);
        }
        "lines" => lines(how["count"].as_u64().unwrap(), how["line"].as_str().unwrap()),
        "allocate" => {
            kept.push(vec![1; usize::try_from(how.as_u64().unwrap()).unwrap() << 20]);
        }
        "catch" => catch(strings.try_clone().unwrap()),
        "spawn" => {
            Command::new("sleep").arg(how.as_str().unwrap()).spawn().unwrap();
        }
        "read" => {
            return std::fs::read_to_string(how.as_str().unwrap()).ok().into();
        }
        "store" => {
            let path = how["path"].as_str().unwrap();
            return std::fs::write(path, how["text"].as_str().unwrap()).is_ok().into();
        }
        other => panic!("not an order: {other}"),
    }
    Value::Null
}

fn write(descriptor: i32, bytes: &[u8]) {
    // SAFETY: the descriptor is open for as long as this process lives, and is not closed here.
    #[expect(unsafe_code, reason = "any descriptor, by its number, as log channels are given")]
    let mut file = ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) });
    file.write_all(bytes).unwrap();
}

/// Writes one line many times to standard output, as fast as it is taken.
fn lines(count: u64, line: &str) {
    let mut output = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    for number in 0..count {
        writeln!(output, "{number} {line}").unwrap();
    }
    output.flush().unwrap();
}

/// From now on SIGTERM is told and does nothing else.
fn catch(strings: TcpStream) {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.thread_block().unwrap();
    std::thread::spawn(move || {
        while let Ok(signal) = signals.wait() {
            tell(&strings, &json!({ "caught": signal.as_str() }));
        }
    });
}
