//! A scripted service of AWS's query protocol, as IAM and STS speak it: forms in, XML out.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// Starts one, for as long as the test lives; its endpoint. It is told a request's head and its form, and says status and XML.
pub fn query(answer: impl Fn(&str, &str) -> (u16, String) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || while answered(&stream, &*answer).is_some() {});
        }
    });
    url
}

fn answered(mut stream: &TcpStream, answer: &dyn Fn(&str, &str) -> (u16, String)) -> Option<()> {
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
    let mut form = vec![0; length];
    reader.read_exact(&mut form).ok()?;
    let (status, xml) = answer(&head, &String::from_utf8(form).ok()?);
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        xml.len()
    );
    stream.write_all((head + &xml).as_bytes()).ok()
}
