//! A client that knows no more of HTTP than the tests need, and can misbehave.

use std::collections::HashMap;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// A connection.
pub(super) struct Wire(pub(super) BufReader<TcpStream>);

/// A response.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) status: u16,
    headers: HashMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Heard {
    /// A header's value; empty where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Wire {
    pub(super) async fn open(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    /// A POST and its response.
    pub(super) async fn call(&mut self, path: &str, headers: &str, body: &[u8]) -> Heard {
        self.send(&format!("POST {path}"), headers, body).await;
        self.hear().await.unwrap()
    }

    /// Sends a request with any method: `GET /path`.
    pub(super) async fn send(&mut self, line: &str, headers: &str, body: &[u8]) {
        let length = body.len();
        let head =
            format!("{line} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{headers}\r\n");
        self.0.write_all(head.as_bytes()).await.unwrap();
        self.0.write_all(body).await.unwrap();
    }

    /// Sends anything.
    pub(super) async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next response; none where the connection was closed instead.
    pub(super) async fn hear(&mut self) -> Option<Heard> {
        let first = self.line().await?;
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HashMap::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.insert(name.to_owned(), value.to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some(Heard { status, headers, body })
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.0.read_line(&mut line).await.ok()?;
        (count > 0).then(|| line.trim_end().to_owned())
    }
}
