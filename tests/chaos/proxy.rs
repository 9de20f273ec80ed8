//! A network that fails: passes requests on, or throttles, delays and loses them or their answers.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Mutex;

use super::schedule::{Fault, Seed};

/// Listens in front of `target`, `host:port`. What it does lasts as long as the program.
pub(crate) fn open(seed: Seed, name: &'static str, target: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (host, counts) = (address.clone(), Mutex::new(HashMap::new()));
    let shared: &'static (String, Mutex<HashMap<String, usize>>) =
        Box::leak(Box::new((host, counts)));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let target = target.clone();
            std::thread::spawn(move || pass(&stream, seed, name, &target, &shared.1));
        }
    });
    format!("http://{address}")
}

/// One request to a connection; nobody needs more.
fn pass(
    stream: &TcpStream,
    seed: Seed,
    name: &str,
    target: &str,
    counts: &Mutex<HashMap<String, usize>>,
) -> Option<()> {
    let request = read(stream)?;
    let line = String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next()?).into_owned();
    // What is asked of whom: the same request of the same job is the nth of its kind whatever others do.
    let place = format!("{name} {}", line.split('?').next()?);
    let nth =
        *counts.lock().unwrap().entry(place.clone()).and_modify(|count| *count += 1).or_insert(0);
    match seed.fault(&place, nth) {
        Fault::None => {}
        Fault::Slow(wait) => std::thread::sleep(wait),
        Fault::CutBefore => return stream.shutdown(Shutdown::Both).ok(),
        Fault::Throttled => return throttle(stream),
        Fault::CutAfter => {
            let _lost = answer(target, &request)?;
            return stream.shutdown(Shutdown::Both).ok();
        }
    }
    let mut stream = stream;
    stream.write_all(&answer(target, &request)?).ok()?;
    stream.shutdown(Shutdown::Write).ok()
}

fn throttle(mut stream: &TcpStream) -> Option<()> {
    let body =
        "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
    let head = format!(
        "HTTP/1.1 503 Slow Down\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).ok()
}

/// A whole request, which asks for the connection to be closed afterwards.
fn read(stream: &TcpStream) -> Option<Vec<u8>> {
    let mut reader = BufReader::new(stream);
    let (head, length) = head(&mut reader)?;
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some([head.into_bytes(), body].concat())
}

/// The head of a message, made one that ends its connection, and the length of its body where that is told.
fn head(reader: &mut impl BufRead) -> Option<(String, Option<usize>)> {
    let (mut head, mut length, mut line) = (String::new(), None, String::new());
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(told) = lower.strip_prefix("content-length:") {
            length = told.trim().parse().ok();
        }
        if line != "\r\n" && !lower.starts_with("connection:") && !lower.starts_with("expect:") {
            head.push_str(&line);
        }
    }
    head.push_str("Connection: close\r\n\r\n");
    Some((head, length))
}

/// The target's whole answer.
fn answer(target: &str, request: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(target).ok()?;
    stream.write_all(request).ok()?;
    let mut reader = BufReader::new(stream);
    let (head, length) = head(&mut reader)?;
    let mut answer = head.into_bytes();
    if request.starts_with(b"HEAD ") {
        return Some(answer);
    }
    let most = length.map_or(u64::MAX, |length| length as u64);
    reader.take(most).read_to_end(&mut answer).ok()?;
    Some(answer)
}
