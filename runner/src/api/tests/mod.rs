//! The real listener over real sockets. The test itself is the session: it takes what is asked and
//! says what is answered, so nothing here waits for time to pass.

mod bodies;
mod connections;
mod extensions;
mod runtime;
mod streams;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::answer::tests::facts;
use super::{Answer, Api, Facts, Message};
use crate::payload::Payload;
use crate::session::{Input, Upload};

/// A test that waits longer for one thing has failed.
const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(PATIENCE, future).await;
    result.unwrap_or_else(|_| panic!("{what} did not come"))
}

/// The listener, and what it asks the session.
struct Server {
    address: SocketAddr,
    calls: mpsc::UnboundedReceiver<Message>,
}

impl Server {
    async fn start() -> Self {
        Self::with(facts()).await
    }

    async fn with(facts: Facts) -> Self {
        let api = Api::bind().await.unwrap();
        Self { address: api.address, calls: api.serve(facts) }
    }

    async fn connect(&self) -> Client {
        Client(BufReader::new(TcpStream::connect(self.address).await.unwrap()))
    }

    async fn asked(&mut self) -> Message {
        soon("a call", self.calls.recv()).await.unwrap()
    }

    /// Takes the next call and answers it.
    async fn answer(&mut self, answer: Answer) -> Message {
        let mut message = self.asked().await;
        message.reply.take().unwrap().1.send(answer).unwrap();
        message
    }

    /// Lets an upload begin, and says how it ended.
    async fn uploaded(&mut self) -> Upload<Payload> {
        self.answer(Answer::Proceed(None)).await;
        self.ended().await
    }

    async fn ended(&mut self) -> Upload<Payload> {
        match self.answer(Answer::Accepted).await.input {
            Input::End { upload, .. } => upload,
            other => panic!("{other:?}"),
        }
    }

    fn is_quiet(&mut self) -> bool {
        self.calls.try_recv().is_err()
    }
}

/// What came back.
#[derive(Debug)]
struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// Status, `errorType` and `errorMessage`.
    fn error(&self) -> (u16, String, String) {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(self.body.ends_with("}\n"), "{:?}", self.body);
        (self.status, field("errorType"), field("errorMessage"))
    }
}

/// One connection, spoken to in bytes.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon("room to send", self.0.write_all(bytes.as_ref())).await.unwrap();
    }

    async fn get(&mut self, path: &str, headers: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")).await;
    }

    async fn post(&mut self, path: &str, headers: &str, body: &str) {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n");
        self.send(format!("{head}{headers}\r\n{body}")).await;
    }

    async fn response(&mut self) -> Response {
        soon("a response", self.read()).await
    }

    async fn read(&mut self) -> Response {
        let status = self.line().await;
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut response = Response { status, headers, body: String::new() };
        let length = response.header("content-length").map_or(0, |it| it.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        response.body = String::from_utf8(body).unwrap();
        response
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).await.unwrap() > 0, "the connection was closed");
        line.trim_end().to_owned()
    }
}

/// The bytes of a complete upload.
fn bytes(upload: Upload<Payload>) -> Vec<u8> {
    let Upload::Complete(payload) = upload else { panic!("{upload:?}") };
    written(payload)
}

fn written(payload: Payload) -> Vec<u8> {
    let mut out = Vec::new();
    payload.write_to(&mut out).unwrap();
    out
}

const NEXT: &str = "/2018-06-01/runtime/invocation/next";
const RESPONSE: &str = "/2018-06-01/runtime/invocation/r/response";
const ERROR: &str = "/2018-06-01/runtime/invocation/r/error";
const INIT_ERROR: &str = "/2018-06-01/runtime/init/error";
