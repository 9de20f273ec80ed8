//! The dispatcher dies between any two of its steps: what it began is brought to its end by the next one.
//!
//! `IMMORTAL_FAILING` is a dispatcher that was built with the feature `failpoints`.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::world::{World, slow};

const FAST: &str = "[serve]\nevery = \"1s\"\nhidden = \"10s\"\n[watch]\npause = \"1s\"\ngrace = \"2s\"\nunseen = \"2s\"\n";

/// Each point, and the message that leads there.
fn points() -> Vec<(&'static str, Value)> {
    let request = |function: &str, id: &str| json!({ "immortal": 1, "id": id, "function": function, "event": 1 });
    let refused = |id: &str| {
        json!({
            "version": "1.0", "timestamp": "2026-10-09T16:43:26.568Z",
            "requestContext": { "requestId": id, "functionArn": format!("{}:$LATEST", crate::world::ARN),
                "condition": "RetriesExhausted", "approximateInvokeCount": 3 },
            "requestPayload": 1,
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "responsePayload": { "errorType": "ValueError", "errorMessage": "boom" },
        })
    };
    vec![
        ("received", request("resize", "received")),
        ("resolved", request("resize", "resolved")),
        ("recorded", request("resize", "recorded")),
        ("intended", request("resize", "intended")),
        ("started", request("resize", "started")),
        ("start-recorded", request("resize", "start-recorded")),
        ("before-delete", request("resize", "before-delete")),
        ("after-delete", request("resize", "after-delete")),
        ("decided", refused("decided")),
        ("delivered", refused("delivered")),
        ("quarantined", json!("no request at all: the text of nobody")),
    ]
}

#[test]
fn nothing_is_lost_wherever_the_dispatcher_dies() {
    let Some(failing) = std::env::var_os("IMMORTAL_FAILING").map(PathBuf::from) else {
        eprintln!(
            "skipped: IMMORTAL_FAILING names no dispatcher with failpoints; `make test` builds one"
        );
        return;
    };
    let world = World::with(slow("python3.11"));
    world.config(&(world.queue("auto") + FAST));
    for (point, message) in points() {
        world.send(&message.to_string(), &json!({}));
        let mut dying = world.served_by(&failing, &[("IMMORTAL_FAILPOINT", point)]);
        let ended = dying.0.wait().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&ended);
        assert_eq!(signal, Some(9), "{point} was never reached");
    }
    // A panic ends one message's work, and nobody else's.
    for (point, message) in points() {
        let (old, new) = (format!("\"{point}\""), format!("\"{point}-again\""));
        world.send(&message.to_string().replace(&old, &new), &json!({}));
        let action = format!("{point}:panic");
        let panicking = world.served_by(&failing, &[("IMMORTAL_FAILPOINT", &action)]);
        let reached = format!("the failpoint {point}\n");
        world.until(&reached, || world.log().contains(&reached));
        assert_eq!(panicking.alive(), Ok(true), "{point}");
    }
    let _serving = world.serve();
    world.until("all messages are deleted", || world.left() == 0);
    world.until("no job is unfinished", || world.unfinished() == 0);
    let jobs = world.json(&["jobs", "--all", "--json"]);
    assert_eq!(jobs.as_array().unwrap().len(), 20, "{jobs}");
    for job in jobs.as_array().unwrap() {
        let refused = job["id"].as_str().unwrap().starts_with("de");
        let expected = u32::from(!refused);
        assert_eq!(job["attempts"], expected, "{job}");
    }
    assert_eq!(world.json(&["quarantine", "--json"]).as_array().unwrap().len(), 2);
    let records = world.records(20);
    let ids: std::collections::BTreeSet<&str> = records
        .iter()
        .map(|record| record["requestContext"]["requestId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 20, "{ids:?}");
}
