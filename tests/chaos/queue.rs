//! The destination: a queue that counts what it was sent, and dies now and then.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// For how long it is dead.
const DEAD: Duration = Duration::from_millis(400);

/// A queue.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    /// `host:port`
    pub address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// The records that were sent, by job.
    sent: HashMap<String, Vec<Value>>,
    dead_until: Instant,
}

impl Queue {
    /// Opens one, which lasts as long as the program.
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = State { sent: HashMap::new(), dead_until: Instant::now() };
        let queue = Self { address, state: Arc::new(Mutex::new(state)) };
        let desk = queue.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let desk = desk.clone();
                std::thread::spawn(move || while desk.answer(&stream).is_some() {});
            }
        });
        queue
    }

    /// Dies, and comes back with what it had.
    pub(crate) fn restart(&self) {
        self.state.lock().unwrap().dead_until = Instant::now() + DEAD;
    }

    /// The records of a job.
    pub(crate) fn records(&self, job: &str) -> Vec<Value> {
        self.state.lock().unwrap().sent.get(job).cloned().unwrap_or_default()
    }

    fn answer(&self, mut stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
            let line = head[start..].to_ascii_lowercase();
            let told = line.strip_prefix("content-length:").and_then(|it| it.trim().parse().ok());
            length = told.unwrap_or(length);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let answer = self.said(&head.to_ascii_lowercase(), &body)?.to_string();
        let length = answer.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all((head + &answer).as_bytes()).ok()
    }

    /// What is said to a call (SQS API reference, AWS JSON protocol). Nothing by a queue that is dead.
    fn said(&self, head: &str, body: &[u8]) -> Option<Value> {
        let mut state = self.state.lock().unwrap();
        if Instant::now() < state.dead_until {
            return None;
        }
        if !head.contains("amazonsqs.sendmessage") {
            return Some(json!({ "Attributes": { "MaximumMessageSize": "1048576" } }));
        }
        let call: Value = serde_json::from_slice(body).ok()?;
        let record: Value = serde_json::from_str(call["MessageBody"].as_str()?).ok()?;
        let job = record["requestContext"]["requestId"].as_str()?.to_owned();
        state.sent.entry(job).or_default().push(record);
        Some(json!({ "MessageId": "m", "MD5OfMessageBody": "" }))
    }
}
