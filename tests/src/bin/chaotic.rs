//! The function of the chaos suite, its own runtime: notes that it began, takes its time, and answers with as much
//! as it was asked for. Small, because it is started thousands of times.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a crash, which the suite expects")]
#![expect(
    clippy::disallowed_methods,
    reason = "the bans are the runner's: a runtime reads its environment"
)]

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

fn main() {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
    loop {
        let (id, event) = call(&api, "GET", "next", "");
        let event: Value = serde_json::from_str(&event).unwrap();
        note(event["notes"].as_str().unwrap(), &id);
        std::thread::sleep(Duration::from_millis(event["millis"].as_u64().unwrap()));
        let fill = "x".repeat(usize::try_from(event["bytes"].as_u64().unwrap()).unwrap());
        let answer = json!({ "job": event["job"], "fill": fill }).to_string();
        call(&api, "POST", &format!("{id}/response"), &answer);
    }
}

/// One line for each time that the function is begun.
fn note(path: &str, id: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(format!("{id}\n").as_bytes()).unwrap();
}

/// The request id, where one is told, and the body.
fn call(api: &str, method: &str, path: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(api).unwrap();
    let length = body.len();
    let head = format!(
        "{method} /2018-06-01/runtime/invocation/{path} HTTP/1.1\r\nHost: {api}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let (mut id, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some(found) = line.strip_prefix("Lambda-Runtime-Aws-Request-Id: ") {
            found.trim().clone_into(&mut id);
        }
        line.clear();
    }
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    (id, text)
}
