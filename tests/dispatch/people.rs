//! What people do: explain, submit, list, show, retry; and what they are told when they are wrong.

use std::fs;

use serde_json::{Value, json};

use crate::world::{ARN, World, attributes, slow};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_submitted_function_is_waited_for() {
    let world = World::with(slow("python3.11"));
    world.config("");
    let output =
        world.run(&["submit", "resize", "--event", "{\"n\": 1}", "--id", "mine", "--wait"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let response: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(response, json!({ "done": { "n": 1 }, "id": "mine" }));
    for said in ["started as ", "mine: running since "] {
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
    let listed = text(&world.run(&["jobs", "--all"]).stdout);
    assert!(listed.contains("mine") && listed.contains("succeeded"), "{listed}");
    let shown = text(&world.run(&["show", "mine"]).stdout);
    assert!(
        shown.contains("attempt 1 started by process") && shown.contains("outcome   succeeded"),
        "{shown}"
    );
    let again = text(&world.run(&["retry", "mine"]).stdout);
    assert_eq!(again, "mine.2\n");
    assert_eq!(world.records(2).len(), 2);
}

#[test]
fn whoever_waits_reads_the_last_line_meanwhile() {
    let code = "import time\ndef handler(event, context):\n    for n in range(5):\n        print(f'step {n}', flush=True)\n        time.sleep(1)\n    return 'done'\n";
    let package = e2e::Package::default().file("app.py", code);
    let world = World::with(e2e::Deployed::new(&package, "python3.11", "app.handler"));
    world.config("");
    let output = world.run(&["submit", "resize", "--id", "mine", "--wait"]);
    let told = text(&output.stderr);
    assert_eq!(text(&output.stdout), "\"done\"", "{told}");
    let seen = told
        .lines()
        .filter(|line| line.contains("mine: running since ") && line.contains(": step "))
        .count();
    assert!(seen > 0, "{told}");
}

#[test]
fn a_message_is_explained_without_doing_anything() {
    let world = World::with(slow("python3.11"));
    world.config(&world.queue("auto"));
    let message = json!({ "Messages": [{
        "MessageId": "b7c8f9e2", "Body": "{\"orderId\":42,\"canary\":\"payload\"}",
        "Attributes": {}, "MessageAttributes": attributes("r-1", "Task timed out after 900.00 seconds"),
    }]});
    let file = world.path("message.json");
    fs::write(&file, message.to_string()).unwrap();
    let output = world.run(&["explain", file.to_str().unwrap()]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    for part in
        ["dead-letter", ARN, "DeadLetterConfig", "the function timed out", "r-1", "IMMORTAL_JOB"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("canary"), "{said}");
    assert!(!world.path("ledger").exists());
    let offline = text(&world.run(&["explain", file.to_str().unwrap(), "--offline"]).stdout);
    assert!(
        offline.contains("AWS was not asked") && offline.contains("the function timed out"),
        "{offline}"
    );
    fs::write(&file, "text").unwrap();
    let refused = world.run(&["explain", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stdout).contains("quarantine"), "{}", text(&refused.stdout));
}

#[test]
fn what_is_wrong_is_said_with_the_right_exit_code() {
    let world = World::with(slow("python3.11"));
    world.config("");
    for (arguments, code, said) in [
        (&["show", "nobody"][..], 69, "expected a job"),
        (&["submit", "resize", "--event", "{"], 69, "expected an event in JSON"),
        (&["submit", "unheard-of"], 69, "GetFunction of `unheard-of`"),
        (&["serv"], 64, "serve"),
        (&["explain", "/nowhere"], 69, "/nowhere"),
    ] {
        let output = world.run(arguments);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: {told}");
    }
    assert_eq!(text(&world.run(&["check-config"]).stdout), "the configuration is valid\n");
    world.config("[server]\n");
    let output = world.run(&["check-config"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("did you mean `serve`?"), "{}", text(&output.stderr));
}

#[test]
fn shells_and_readers_of_manuals_are_served() {
    let world = World::with(slow("python3.11"));
    assert!(text(&world.run(&["completion", "bash"]).stdout).contains("complete -F"));
    assert!(text(&world.run(&["man"]).stdout).contains(".TH immortal-dispatcher"));
}

#[test]
fn health_and_metrics_are_served() {
    let world = World::with(slow("python3.11"));
    let port = e2e::free_port();
    world.config(
        &(world.queue("auto")
            + &format!("[serve]\nlisten = \"127.0.0.1:{port}\"\nevery = \"1s\"\n")),
    );
    let _serving = world.serve();
    world.send("text", &json!({}));
    let get = |path: &str| {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    };
    world
        .until("it is healthy", || get("/healthz").is_some_and(|answer| answer.contains("200 OK")));
    world.until("the message is counted", || {
        get("/metrics").is_some_and(|text| {
            text.contains("immortal_dispatcher_messages_total{fate=\"quarantined\"} 1")
        })
    });
    assert!(get("/nowhere").unwrap().contains("404"));
}
