//! The dispatcher as a function, with a batch of messages: they are taken together, and each is answered for itself.

use e2e::{ControlPlane, Deployed, Scripted, dispatched, python};
use serde_json::{Value, json};
use tempfile::TempDir;

#[test]
fn a_batch_shares_its_calls_and_says_which_of_it_were_not_taken() {
    let ledger = TempDir::new().unwrap();
    let plane = ControlPlane::with(Deployed::new(&python(), "python3.11", "app.echo"));
    // It does not say that it has taken any.
    let workers = Scripted::new("SendMessageBatch", []);
    let configuration = format!(
        "ledger = \"file://{}\"\n[[queue]]\nurl = \"https://sqs.eu-west-1.amazonaws.com/123456789012/failed\"\n\
         [launch]\nlauncher = \"process\"\n[worker]\nmode = \"worker\"\nqueue = \"https://sqs.eu-west-1.amazonaws.com/123456789012/work\"\n",
        ledger.path().display(),
    );
    let body = |number: usize| {
        match number {
        3 | 7 => "what nobody understands".to_owned(),
        _ => json!({ "immortal": 1, "id": format!("job-{number}"), "function": "resize", "event": {} })
            .to_string(),
    }
    };
    let bodies: Vec<String> = (0..10).map(body).collect();
    let mut variables = plane.variables();
    variables.push(("AWS_ENDPOINT_URL_SQS", workers.url()));
    let run = dispatched(&configuration, &variables, &bodies);
    // What is kept out of the way is taken.
    let failed: Vec<Value> = (0..10)
        .filter(|number| ![3, 7].contains(number))
        .map(|number| json!({ "itemIdentifier": format!("m-{number}") }))
        .collect();
    assert_eq!(run.ends_with(0).json(), json!({ "batchItemFailures": failed }), "{}", run.stderr);
    let calls = workers.calls("SendMessageBatch");
    let sent: usize = calls.iter().map(|call| call["Entries"].as_array().unwrap().len()).sum();
    // One after the other, they would be eight.
    assert!(sent == 8 && calls.len() <= 4, "{calls:#?}");
}
