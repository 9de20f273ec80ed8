use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::file;

const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:failed";

fn golden() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir("tests/golden").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn read(path: &PathBuf) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn message(value: &Value) -> Message {
    file::read(value.to_string().as_bytes(), QUEUE).remove(0)
}

/// The message of each fixture.
pub(crate) fn messages() -> Vec<Message> {
    golden().iter().map(|path| message(&read(path)["message"])).collect()
}

/// All that is understood, payloads too, a line each.
fn told(understood: &Understood) -> Vec<String> {
    let failed = match understood {
        Understood::Failed(failed) => failed,
        Understood::Fetch(object) => return vec![format!("fetch {object:?}")],
        Understood::Ignore(why) => return vec![format!("ignore: {why}")],
        Understood::Quarantine(reason) => return vec![format!("quarantine: {}", reason.0)],
    };
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let mut lines = vec![
        format!("{} {}", failed.kind, failed.job),
        format!("{:?}", failed.function),
        format!("event {}", text(failed.event.expose())),
    ];
    let mut more = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{name} {value}")));
    };
    more("source", failed.source.clone());
    more("request id", failed.request_id.clone());
    more("condition", failed.condition.clone());
    more("error type", failed.error.kind.clone());
    more("error message", failed.error.message.as_ref().map(|text| text.expose().clone()));
    more("invoke count", failed.invoke_count.map(|count| count.to_string()));
    more("task token", failed.task_token.as_ref().map(|token| token.expose().clone()));
    more("items", failed.items.as_ref().map(|items| items.join(",")));
    more("failed at", failed.failed_at.map(|at| at.to_string()));
    more("destinations", failed.destinations.as_ref().map(|all| format!("{all:?}")));
    more("max duration", failed.max_duration_seconds.map(|seconds| seconds.to_string()));
    more("client context", failed.client_context.as_ref().map(|text| text.expose().clone()));
    more("tenant", failed.tenant.clone());
    more("trace id", failed.trace_id.clone());
    more("carried", failed.carried.then(|| "true".to_owned()));
    lines
}

/// `UPDATE_GOLDEN=1` writes what is understood into the files, to be read before it is committed.
#[test]
fn each_shape_is_understood_as_it_always_was() {
    #[expect(clippy::disallowed_methods, reason = "a test that is told to rewrite its files")]
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = String::new();
    for path in golden() {
        let mut fixture = read(&path);
        let declared: Kind = serde_json::from_value(fixture["declared"].clone()).unwrap();
        let found = told(&understand(&message(&fixture["message"]), declared, &Known::default()));
        let found = Value::from(found);
        if update {
            fixture["understood"] = found;
            fs::write(&path, serde_json::to_string_pretty(&fixture).unwrap() + "\n").unwrap();
        } else if fixture["understood"] != found {
            let _ = writeln!(wrong, "{}\n{found:#}", path.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The words of a text that are no words of ours.
fn secrets(body: &str) -> impl Iterator<Item = &str> {
    body.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.starts_with("canary"))
}

pub(crate) fn hostile() -> Vec<String> {
    let deep = |open: &str, close: &str| open.repeat(10_000) + &close.repeat(10_000);
    let record = read(&golden().into_iter().find(|path| path.ends_with("record.json")).unwrap());
    let record = record["message"]["Body"].as_str().unwrap().to_owned();
    let nested = |inner: &str| {
        serde_json::json!({ "Type": "Notification", "TopicArn": "t", "Message": inner }).to_string()
    };
    let mut bodies: Vec<String> = [
        "", " ", "\n", "{", "}", "[", "]", "[]", "{}", "null", "true", "0", "-0", "\"\"", "\"canary\"",
        "NaN", "Infinity", "-Infinity", "1e999999", "{\"a\":NaN}", "{'a':1}", "{\"a\":1,}", "{\"a\":1}x",
        "\u{feff}{}", "\u{0}", "{\"a\":\"\u{0}\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\u0000\"}",
        "{\"a\":1,\"a\":2}", "{\"requestContext\":1}", "{\"requestContext\":{}}",
        "{\"requestContext\":{\"functionArn\":1,\"condition\":2}}",
        "{\"requestContext\":{\"functionArn\":\"canary\\r\\nX: y\",\"condition\":\"RetriesExhausted\"},\"requestPayload\":1}",
        "{\"requestContext\":{\"functionArn\":\"arn:aws-cn:lambda:x:999999999999:function:f\",\"condition\":\"RetriesExhausted\"},\"requestPayload\":1}",
        "{\"requestContext\":{\"functionArn\":\"\",\"condition\":\"\"},\"requestPayload\":\"canary\"}",
        "{\"source\":\"lambda\",\"detail-type\":\"Lambda Function Invocation Result - Failure\"}",
        "{\"source\":\"lambda\",\"detail-type\":\"Lambda Function Invocation Result - Failure\",\"detail\":\"canary\"}",
        "{\"source\":1,\"detail-type\":[]}", "{\"Records\":[]}", "{\"Records\":{}}", "{\"Records\":[null]}",
        "{\"Records\":[{\"eventSource\":\"aws:s3\"}]}",
        "{\"Records\":[{\"eventSource\":\"aws:s3\",\"s3\":{\"bucket\":{\"name\":\"b\"},\"object\":{\"key\":\"aws/lambda/%ff\"}}}]}",
        "{\"Records\":[{\"eventSource\":\"aws:s3\",\"s3\":{\"bucket\":{\"name\":\"../b\"},\"object\":{\"key\":\"aws/lambda/../../x\"}}}]}",
        "{\"Type\":\"Notification\"}", "{\"Type\":\"Notification\",\"TopicArn\":1,\"Message\":{}}",
        "{\"Type\":\"SubscriptionConfirmation\",\"SubscribeURL\":\"http://169.254.170.2/\"}",
        "{\"immortal\":1}", "{\"immortal\":\"1\",\"function\":\"f\"}", "{\"immortal\":-1,\"function\":\"f\"}",
        "{\"immortal\":1,\"function\":{\"canary\":1}}", "{\"immortal\":1,\"function\":\"f\",\"event\":}",
        "{\"immortal\":1,\"function\":\"f\",\"id\":\"../../etc\"}",
        "{\"immortal\":1,\"function\":\"f\",\"destinations\":[\"http://canary@169.254.169.254/\"]}",
        "{\"immortal\":1,\"function\":\"f\",\"image\":\"canary/evil\"}",
        "{\"immortal\":1,\"function\":\"f\",\"taskRoleArn\":\"canary\"}",
        "{\"TaskToken\":\"canary\"}", "{\"TaskToken\":\"\",\"function\":\"\"}", "{\"TaskToken\":1,\"function\":2}",
    ]
    .map(str::to_owned)
    .to_vec();
    bodies.push(deep("[", "]"));
    bodies.push(deep("{\"a\":", "}").replace("}}", "1}}"));
    bodies.push(format!("{{\"immortal\":1,\"function\":\"f\",\"event\":{}}}", deep("[", "]")));
    bodies.push(format!("\"{}\"", "x".repeat(1 << 20)));
    bodies.push("9".repeat(256 << 10));
    bodies.push(record[..record.len() / 2].to_owned());
    bodies.push(nested(&nested(&record)));
    bodies.push(record.replace("requestPayload", "requestPayload\":\"canary\",\"requestPayload"));
    bodies
}

pub(crate) fn bare(body: &str) -> Message {
    let mut message = file::read(b"", QUEUE).remove(0);
    message.body = Bytes::copy_from_slice(body.as_bytes()).into();
    message
}

const KINDS: [Kind; 11] = [
    Kind::Auto,
    Kind::DeadLetter,
    Kind::Destination,
    Kind::Redrive,
    Kind::Stream,
    Kind::Rule,
    Kind::Schedule,
    Kind::Subscription,
    Kind::Workflow,
    Kind::Direct,
    Kind::Event,
];

/// Nothing panics, and no reason, hint or debug output quotes what is not ours to print.
fn unharmed(message: &Message) {
    let body = String::from_utf8_lossy(message.body.expose()).into_owned();
    for kind in KINDS {
        let understood = understand(message, kind, &Known::default());
        let said = match &understood {
            Understood::Quarantine(reason) => reason.0.clone(),
            Understood::Ignore(why) => why.clone(),
            Understood::Failed(failed) => format!("{:?} {:?}", failed.event, failed.error.message),
            Understood::Fetch(_) => continue,
        };
        for secret in secrets(&body) {
            // The name of a function is no secret, and is asked for.
            let named = body.contains("functionArn");
            assert!(named || !said.contains(secret), "{kind}: {said}");
        }
    }
}

#[test]
fn hostile_bodies_do_no_harm() {
    let bodies = hostile();
    assert!(bodies.len() >= 61, "{}", bodies.len());
    for body in bodies {
        unharmed(&bare(&body));
    }
}

#[test]
fn what_names_itself_as_it_likes_gets_a_safe_name() {
    let request = bare("{\"immortal\":1,\"function\":\"f\",\"id\":\"../../etc/passwd\"}");
    let Understood::Failed(failed) = understand(&request, Kind::Auto, &Known::default()) else {
        panic!()
    };
    assert!(!failed.job.as_str().contains('/'), "{}", failed.job);
}

#[test]
fn the_queues_function_takes_plain_events() {
    let known = Known { default_function: Some("resize:live".into()), ..Known::default() };
    let Understood::Failed(failed) = understand(&bare("{\"a\":1}"), Kind::Auto, &known) else {
        panic!()
    };
    assert_eq!(failed.function, Hint::Function("resize:live".into()));
}

#[test]
fn the_body_counts_of_a_message_whose_source_queue_feeds_no_function() {
    let path = golden().into_iter().find(|path| path.ends_with("redrive.json")).unwrap();
    let source = "arn:aws:sqs:eu-west-1:123456789012:orders".to_owned();
    let known = Known { plain_queues: [source].into(), ..Known::default() };
    let understood = understand(&message(&read(&path)["message"]), Kind::Auto, &known);
    assert!(matches!(understood, Understood::Quarantine(_)), "{understood:?}");
}

/// Real messages with bytes of their bodies changed, cut and doubled.
pub(crate) fn mutated(messages: Vec<Message>) -> impl Strategy<Value = Message> {
    let which = prop::sample::select(messages);
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    (which, change).prop_map(|(mut message, (at, with, how))| {
        let mut body = message.body.expose().to_vec();
        if !body.is_empty() {
            let at = at.index(body.len());
            match how {
                0 => body[at] = with,
                1 => body.truncate(at),
                _ => body.extend_from_within(at..),
            }
        }
        message.body = Bytes::from(String::from_utf8_lossy(&body).into_owned()).into();
        message
    })
}

proptest! {
    #[test]
    fn mutated_bodies_do_no_harm(message in mutated(messages())) {
        unharmed(&message);
    }
}
