//! A service of AWS that does as it is told: it answers each call with the next of a list of answers, and then with
//! success, and remembers what it was asked. For what a friendly stand-in never does: throttle, refuse, be silent.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

/// One answer.
#[derive(Debug, Clone)]
pub enum Answer {
    /// An error: status, code.
    Error(u16, &'static str),
    /// None, and the connection is closed, though the call was taken.
    Lost,
    /// None at all.
    Silence,
    /// Success.
    Done,
}

/// The service, for as long as this lives. It speaks AWS's JSON protocols.
#[derive(Debug)]
pub struct Scripted {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Answer>,
    calls: Vec<(String, Value)>,
}

impl Scripted {
    /// One that answers calls of this operation so; others always with success.
    pub fn new(operation: &'static str, answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = answers.into_iter().collect();
        let state = Arc::new(Mutex::new(State { answers, calls: Vec::new() }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, operation, &state));
            }
        });
        Self { url, state }
    }

    /// Its endpoint.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What this operation was called with so far.
    pub fn calls(&self, operation: &str) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        let calls = state.calls.iter().filter(|(name, _)| name == operation);
        calls.map(|(_, body)| body.clone()).collect()
    }
}

fn serve(mut stream: &TcpStream, operation: &str, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut name, mut length, mut line) = (String::new(), 0, String::new());
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let lower = line.to_ascii_lowercase();
            if lower.starts_with("x-amz-target: ") {
                line.trim().rsplit('.').next()?.clone_into(&mut name);
            }
            length = lower
                .strip_prefix("content-length: ")
                .map_or(length, |length| length.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let answer = taken(state, operation, name, &body);
        let (status, text) = match answer {
            Answer::Done => (200, "{}".to_owned()),
            Answer::Error(status, code) => {
                (status, format!(r#"{{"__type":"{code}","message":"as told"}}"#))
            }
            Answer::Lost => return None,
            Answer::Silence => {
                std::thread::sleep(Duration::from_mins(5));
                return None;
            }
        };
        let head = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        stream.write_all(format!("{head}{text}").as_bytes()).ok()?;
    }
}

fn taken(state: &Mutex<State>, operation: &str, name: String, body: &[u8]) -> Answer {
    let mut state = state.lock().unwrap();
    let is_told = name == operation;
    state.calls.push((name, serde_json::from_slice(body).unwrap_or_default()));
    let next = if is_told { state.answers.pop_front() } else { None };
    next.unwrap_or(Answer::Done)
}
