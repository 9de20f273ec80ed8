//! A proxy before S3 that fails as S3 and networks do, on the wire: what the store's own client makes
//! of it is part of what is tried.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// 503, as S3 throttles.
    SlowDown,
    /// 400, as S3 refuses credentials that have expired.
    Expired,
    /// 409 to a conditional write, as S3 answers while another is under way.
    Conflict,
    /// The request has its effect, and the connection is cut before the answer.
    Cut,
    /// Of a large answer only half arrives.
    Half,
}

/// Starts a proxy and returns its address. Request after request meets the next trouble, again and
/// again from the first.
pub(crate) fn start(upstream: &str, troubles: &[Trouble]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let upstream = upstream.trim_start_matches("http://").to_owned();
    let troubles = troubles.to_vec();
    std::thread::spawn(move || {
        let streams = listener.incoming().flatten();
        for (stream, trouble) in streams.zip(troubles.iter().copied().cycle()) {
            // A client that has gone is no concern of the proxy's.
            let _ended = serve(stream, &upstream, trouble);
        }
    });
    address
}

fn serve(mut stream: TcpStream, upstream: &str, trouble: Trouble) -> std::io::Result<()> {
    let (head, body) = request(&stream)?;
    let conditional = head.to_ascii_lowercase().contains("\r\nif-none-match:");
    match trouble {
        Trouble::SlowDown => refuse(&mut stream, "503 Slow Down", "SlowDown"),
        Trouble::Expired => refuse(&mut stream, "400 Bad Request", "ExpiredToken"),
        Trouble::Conflict if conditional => {
            refuse(&mut stream, "409 Conflict", "ConditionalRequestConflict")
        }
        Trouble::Cut => forward(upstream, &head, &body).map(|_| ()),
        Trouble::Half => {
            let answer = forward(upstream, &head, &body)?;
            let is_large = answer.len() > ledger::INLINE;
            stream.write_all(if is_large { &answer[..answer.len() / 2] } else { &answer })
        }
        Trouble::None | Trouble::Conflict => stream.write_all(&forward(upstream, &head, &body)?),
    }
}

/// Head and body of the one request of a connection.
fn request(stream: &TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        reader.read_line(&mut head)?;
        let line = head[start..].to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        if line.trim_end().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((head, body))
}

/// The upstream's whole answer, after which both connections end.
fn forward(upstream: &str, head: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(upstream)?;
    let head = head.trim_end().to_owned() + "\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn refuse(stream: &mut TcpStream, status: &str, code: &str) -> std::io::Result<()> {
    let body = format!("<Error><Code>{code}</Code><Message>as planned</Message></Error>");
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
