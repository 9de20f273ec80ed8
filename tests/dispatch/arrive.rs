//! Every way in which a failed invocation arrives, to its end.

use serde_json::{Value, json};

use crate::world::{ARN, ORDERS, World, attributes, slow};

pub(crate) const ID: &str = "8f0d0d9a-6e0b-4c1d-8a3c-5b4b2f5a9b11";

/// Lambda's record of a time-out.
pub(crate) fn record(request_id: &str) -> Value {
    json!({
        "version": "1.0",
        "timestamp": "2026-10-09T16:43:26.568Z",
        "requestContext": {
            "requestId": request_id, "functionArn": format!("{ARN}:$LATEST"),
            "condition": "RetriesExhausted", "approximateInvokeCount": 3,
        },
        "requestPayload": { "orderId": 42 },
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "responsePayload": {
            "errorType": "Sandbox.Timedout",
            "errorMessage": format!("RequestId: {request_id} Error: Task timed out after 1.00 seconds"),
        },
    })
}

#[test]
fn a_timed_out_python_function_arrives_as_a_dead_letter_and_runs_to_its_end() {
    let world = World::with(slow("python3.11"));
    world.config(&world.queue("auto"));
    let _serving = world.serve();
    world.dead_letter("{\"orderId\":42, \"price\": 1.10}");
    let records = world.records(1);
    let record = &records[0];
    assert_eq!(record["requestContext"]["condition"], "Success");
    assert_eq!(record["requestContext"]["requestId"], ID);
    assert_eq!(record["responsePayload"]["id"], ID);
    assert_eq!(record["responsePayload"]["done"]["orderId"], 42);
    world.until("its message is deleted", || world.left() == 0);
    world.until("its marker is gone", || !world.path(&format!("ledger/active/{ID}")).exists());
    let event = std::fs::read_to_string(world.path(&format!("ledger/jobs/{ID}/job.json"))).unwrap();
    assert!(event.contains("{\"orderId\":42, \"price\": 1.10}"), "{event}");
}

#[test]
fn a_timed_out_node_function_arrives_as_a_record_and_runs_to_its_end() {
    let world = World::with(slow("nodejs20.x"));
    world.config(&world.queue("destination"));
    let _serving = world.serve();
    world.send(&record(ID).to_string(), &json!({}));
    let records = world.records(1);
    assert_eq!(records[0]["responsePayload"], json!({ "done": { "orderId": 42 }, "id": ID }));
    // Lambda had tried three times.
    assert_eq!(records[0]["requestContext"]["approximateInvokeCount"], 4);
}

#[test]
fn a_redriven_message_is_the_event_that_the_function_would_have_got() {
    for runtime in ["python3.11", "nodejs20.x"] {
        let world = World::with(slow(runtime).reporting(ORDERS));
        world.config(&world.queue("auto"));
        let _serving = world.serve();
        world.given_up("order 42");
        let records = world.records(1);
        let given = &records[0]["responsePayload"]["done"]["Records"][0];
        assert_eq!(
            (&given["body"], &given["eventSourceARN"]),
            (&json!("order 42"), &json!(ORDERS))
        );
        assert_eq!(given["messageAttributes"]["tenant"]["stringValue"], "acme", "{given}");
        assert_eq!(given["attributes"].get("DeadLetterQueueSourceArn"), None, "{given}");
        world.until("its message is deleted", || world.left() == 0);
    }
}

#[test]
fn a_request_of_our_own_runs_and_the_same_request_twice_runs_once() {
    let world = World::with(slow("python3.11"));
    world.config(&world.queue("auto"));
    let _serving = world.serve();
    let request = json!({ "immortal": 1, "id": "order-42", "function": "resize", "event": [1] });
    world.send(&request.to_string(), &json!({}));
    world.send(&request.to_string(), &json!({}));
    let records = world.records(1);
    assert_eq!(records[0]["responsePayload"]["done"], json!([1]));
    world.until("both messages are deleted", || world.left() == 0);
    let shown = world.json(&["show", "order-42", "--json"]);
    assert_eq!(shown["attempts"].as_array().unwrap().len(), 1, "{shown}");
}

#[test]
fn an_exception_is_not_run_again_and_whoever_waits_hears_so() {
    let world = World::with(slow("python3.11"));
    world.config(&world.queue("auto"));
    let _serving = world.serve();
    let mut failed = record(ID);
    failed["responsePayload"] = json!({ "errorType": "ValueError", "errorMessage": "canary-text" });
    world.send(&failed.to_string(), &json!({}));
    let records = world.records(1);
    assert_eq!(records[0], failed, "Lambda's own record is handed on");
    let shown = world.json(&["show", ID, "--json"]);
    assert_eq!(shown["attempts"], json!([]));
    let reason = shown["outcome"]["facts"]["reason"].as_str().unwrap();
    assert!(reason.contains("rerun = \"any\""), "{reason}");
    assert!(!world.log().contains("canary-text"), "{}", world.log());
}

#[test]
fn what_is_not_understood_is_kept_and_can_be_run_once_it_is() {
    let world = World::with(slow("python3.11"));
    world.config(&world.queue("auto"));
    let serving = world.serve();
    world.send("no json at all", &json!({}));
    world.send("{\"detail\": \"whose event is this?\"}", &json!({}));
    world.until("both messages are deleted", || world.left() == 0);
    let kept = world.json(&["quarantine", "--json"]);
    let kept = kept.as_array().unwrap();
    let reasons: Vec<&str> = kept.iter().map(|kept| kept["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("not JSON")), "{reasons:?}");
    let event =
        kept.iter().find(|kept| kept["reason"].as_str().unwrap().contains("[[map]]")).unwrap();
    drop(serving);
    world.config(&(world.queue("auto") + "function = \"resize\"\n"));
    let retried = world.run(&["retry", event["id"].as_str().unwrap()]);
    assert!(retried.status.success(), "{}", String::from_utf8_lossy(&retried.stderr));
    assert_eq!(world.records(1)[0]["responsePayload"]["done"]["detail"], "whose event is this?");
    assert_eq!(world.json(&["quarantine", "--json"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_dead_letter_and_a_record_of_one_failure_are_one_job() {
    let world = World::with(slow("python3.11"));
    world.config(&world.queue("auto"));
    let _serving = world.serve();
    world.send("{\"orderId\":42}", &attributes(ID, "Task timed out after 1.00 seconds"));
    world.send(&record(ID).to_string(), &json!({}));
    world.records(1);
    world.until("both messages are deleted", || world.left() == 0);
    let jobs = world.json(&["jobs", "--all", "--json"]);
    assert_eq!(jobs.as_array().unwrap().len(), 1, "{jobs}");
    assert_eq!(jobs[0]["attempts"], 1);
}
