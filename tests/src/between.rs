//! Stands between a program and a service: each request is passed on, and the answer goes back as a test wants it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

/// What comes of an answer. Nothing: the caller hears nothing for as long as the program lives.
pub type Passed = Option<Vec<u8>>;

/// Stands before a service, `http://host:port`; returns the address where it listens. `judge` is given the first line
/// of each request and the service's whole answer, when the request has had its effect.
pub fn between(
    service: &str,
    judge: impl Fn(&str, Vec<u8>) -> Passed + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (target, judge) = (service.trim_start_matches("http://").to_owned(), Arc::new(judge));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (target, judge) = (target.clone(), Arc::clone(&judge));
            // A caller that has gone is no concern of ours.
            std::thread::spawn(move || pass(stream, &target, &*judge));
        }
    });
    address
}

fn pass(
    mut stream: TcpStream,
    target: &str,
    judge: &dyn Fn(&str, Vec<u8>) -> Passed,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length, mut line) = (String::new(), 0, String::new());
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_ascii_lowercase();
        let told = lower.strip_prefix("content-length:");
        length = told.map_or(length, |told| told.trim().parse().unwrap());
        if line != "\r\n" && !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let first = head.lines().next().unwrap_or_default().to_owned();
    let mut service = TcpStream::connect(target)?;
    service.write_all(&[(head + "Connection: close\r\n\r\n").as_bytes(), &body].concat())?;
    let mut answer = Vec::new();
    service.read_to_end(&mut answer)?;
    let Some(answer) = judge(&first, answer) else {
        std::mem::forget(stream);
        return Ok(());
    };
    stream.write_all(&answer)?;
    stream.shutdown(Shutdown::Both)
}
