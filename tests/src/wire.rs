//! HTTP as bytes on a socket: requests that no library would send, answers with all that stood in them.
//! What they mean is left to whoever asked.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read, Result, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long an answer may take that is meant to come.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long nothing must come where nothing is meant to.
pub const QUIET: Duration = Duration::from_millis(300);

/// An answer, as it came.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// All of the body.
    pub body: Vec<u8>,
    /// Trailers of a chunked body.
    pub trailers: Vec<(String, String)>,
    /// Does the connection stay open?
    pub lasting: bool,
}

impl Answer {
    /// A header's or trailer's value, the empty text where it is not there.
    pub fn header(&self, name: &str) -> &str {
        let mut all = self.headers.iter().chain(&self.trailers);
        all.find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Status, and the error that the body tells or else the body: what a table shows.
    pub fn brief(&self) -> String {
        let json = self.json();
        let told = |name: &str| json[name].as_str().map(str::to_owned);
        let body = match (told("errorType"), told("errorMessage")) {
            (Some(kind), Some(message)) => format!("{kind}: {message}"),
            _ => self.text().trim_end().to_owned(),
        };
        format!("{} {body}", self.status).trim_end().to_owned()
    }

    /// Status and error type alone: where the message is a parser's own.
    pub fn kind(&self) -> String {
        let json = self.json();
        format!("{} {}", self.status, json["errorType"].as_str().unwrap_or("-"))
    }
}

/// One connection.
#[derive(Debug)]
pub struct Wire {
    stream: BufReader<TcpStream>,
    address: String,
}

impl Wire {
    /// Connects.
    pub fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), address: address.to_owned() })
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Sends a request whose length is told.
    pub fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<()> {
        let length = body.len().to_string();
        let told: &[_] = if method == "GET" { &[] } else { &[("content-length", length.as_str())] };
        let head = self.head(method, path, &[headers, told].concat());
        self.send(head)?;
        self.send(body)
    }

    /// A request's head, to be sent with a body of any kind.
    pub fn head(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head + "\r\n"
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> Result<Answer> {
        let mut answer = self.answer_head()?;
        answer.body = self.body(&mut answer)?;
        Ok(answer)
    }

    /// Reads the head of an answer; what follows is read with [`Self::chunk`].
    pub fn answer_head(&mut self) -> Result<Answer> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| Error::other(format!("not a status line: {line}")))?;
        let headers = self.headers()?;
        let mut answer = Answer { status, headers, ..Answer::default() };
        answer.lasting = !answer.header("connection").eq_ignore_ascii_case("close");
        if status == 100 {
            return self.answer_head();
        }
        Ok(answer)
    }

    fn body(&mut self, answer: &mut Answer) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        if answer.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
            while let Some(chunk) = self.chunk()? {
                body.extend(chunk);
            }
            answer.trailers = self.headers()?;
        } else if let Ok(length) = answer.header("content-length").parse() {
            body.resize(length, 0);
            self.stream.read_exact(&mut body)?;
        } else if answer.status != 204 {
            self.stream.read_to_end(&mut body)?;
        }
        Ok(body)
    }

    /// Reads one chunk of a chunked body; none at its end, where trailers follow.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let length = usize::from_str_radix(line.split(';').next().unwrap_or_default(), 16);
        let length = length.map_err(|_| Error::other(format!("not a chunk's length: {line}")))?;
        if length == 0 {
            return Ok(None);
        }
        let mut chunk = vec![0; length];
        self.stream.read_exact(&mut chunk)?;
        self.line()?;
        Ok(Some(chunk))
    }

    /// Reads headers or trailers up to the empty line.
    pub fn headers(&mut self) -> Result<Vec<(String, String)>> {
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { return Ok(headers) };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Sends a request and reads its answer.
    pub fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Result<Answer> {
        self.ask(method, path, headers, body.as_ref())?;
        self.answer()
    }

    /// Does nothing come for a while?
    pub fn is_quiet(&mut self) -> bool {
        let started = Instant::now();
        let _ = self.stream.get_ref().set_read_timeout(Some(QUIET));
        let silent = self.stream.fill_buf().is_err();
        let _ = self.stream.get_ref().set_read_timeout(Some(PATIENCE));
        silent && started.elapsed() >= QUIET / 2
    }

    /// Has the other side closed, or does it within our patience?
    pub fn is_closed(&mut self) -> bool {
        match self.stream.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    /// Ends our side, so that the other sees an upload that stops.
    pub fn cut(&self) -> Result<()> {
        self.stream.get_ref().shutdown(std::net::Shutdown::Write)
    }

    /// The socket, for those that read by themselves.
    pub fn stream(&mut self) -> &mut BufReader<TcpStream> {
        &mut self.stream
    }
}

/// One request on a connection of its own.
pub fn call(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Result<Answer> {
    Wire::connect(address)?.call(method, path, headers, body)
}
