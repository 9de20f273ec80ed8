//! A busy worker asks ECS not to be ended.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use serde_json::{Value, json};

use super::scene::{python, scene};

/// An agent of ECS: what it was asked.
fn agent(answer: &'static str) -> (String, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut reader, mut lines, mut length) =
                (BufReader::new(stream.try_clone().unwrap()), Vec::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
                    break;
                }
                if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = text.trim().parse().unwrap();
                }
                lines.push(line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let asked: Value = serde_json::from_slice(&body).unwrap();
            if !lines[0].starts_with("PUT /task-protection/v1/state ") || tell.send(asked).is_err()
            {
                return;
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                answer.len()
            );
            stream.write_all(format!("{head}{answer}").as_bytes()).unwrap();
        }
    });
    (address, asked)
}

#[test]
fn a_busy_worker_asks_ecs_not_to_be_ended() {
    let scene = scene(vec![python("resize")]);
    let (address, asked) = agent(r#"{"protection":{"ProtectionEnabled":true}}"#);
    for number in 1..=4 {
        scene.ask(&format!("j-{number}"), "resize", &json!({ "seconds": 0.2 }));
    }
    scene.worker(&["--idle", "4s"]).variable("ECS_AGENT_URI", &address).run().ends_with(0);
    let asked: Vec<Value> = asked.try_iter().collect();
    let minutes = json!({ "ProtectionEnabled": true, "ExpiresInMinutes": 10 });
    assert_eq!(asked, [minutes, json!({ "ProtectionEnabled": false })]);
}

#[test]
fn an_agent_that_refuses_is_said_once_and_stops_nobody() {
    let scene = scene(vec![python("resize")]);
    let (address, _asked) = agent(r#"{"failure":{"Arn":"a","Reason":"TASK_NOT_VALID"}}"#);
    scene.ask("j-1", "resize", &json!({}));
    let run = scene.worker(&["--idle", "1s"]).variable("ECS_AGENT_URI", &address).run();
    run.ends_with(0);
    assert_eq!(run.stderr.matches("TASK_NOT_VALID").count(), 1, "{}", run.stderr);
    assert_eq!(scene.answer("j-1")["count"], 1);
}
