//! Events as Lambda's documentation and recordings have them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::session::{ExtensionState, Phase};
use crate::telemetry::record::{Dropped, InitKind};

const ALL: [Schema; 5] = [
    Schema::Telemetry20220701,
    Schema::Telemetry20221213,
    Schema::Telemetry20250129,
    Schema::Logs20200815,
    Schema::Logs20210318,
];
const TIME: u64 = 1_665_532_815_064;
const NOW: &str = "2022-10-12T00:00:15.064Z";

fn text(fact: Fact, schema: Schema) -> Option<String> {
    let mut out = Vec::new();
    let known = render(&Record { time: TIME, fact }, schema, &mut out);
    assert_eq!(known, !out.is_empty());
    known.then(|| String::from_utf8(out).unwrap())
}

fn telemetry(fact: Fact) -> Value {
    serde_json::from_str(&text(fact, Schema::Telemetry20221213).unwrap()).unwrap()
}

fn id() -> Arc<str> {
    "6d68ca91-49c9-448d-89b8-7ca3e6dc66aa".into()
}

fn trace() -> Tracing {
    Tracing { span_id: Some("54565fb41ac79632".into()), value: "Root=1;Sampled=1".into() }
}

fn done(error: Option<&str>) -> Fact {
    Fact::RuntimeDone(RuntimeDone {
        request_id: id(),
        outcome: Outcome::of(error),
        duration: Duration::from_millis(140),
        produced: 16,
        spans: vec![Span {
            name: "responseLatency",
            start: TIME,
            duration: Duration::from_micros(23_020),
        }],
        tracing: Some(trace()),
        tenant: None,
    })
}

fn reported(error: Option<&str>) -> Fact {
    Fact::Report(Report {
        request_id: id(),
        outcome: Outcome::of(error),
        reported: false,
        duration: Duration::from_micros(693_920),
        init: Some(Duration::from_micros(397_680)),
        memory: 128,
        peak_memory: 84 << 20,
        spans: Vec::new(),
        tracing: None,
    })
}

#[test]
fn an_init_is_told_as_documented() {
    let start = InitStart {
        kind: InitKind::OnDemand,
        phase: Phase::Init,
        function: "greet".into(),
        version: "$LATEST".into(),
        runtime: Some("python3.13".into()),
        runtime_arn: None,
        instance: Some("2022/10/12/[$LATEST]0".into()),
        memory: Some(134_217_728),
    };
    assert_eq!(
        telemetry(Fact::InitStart(start)),
        json!({"time": NOW, "type": "platform.initStart", "record": {
            "initializationType": "on-demand", "phase": "init", "runtimeVersion": "python3.13",
            "functionName": "greet", "functionVersion": "$LATEST",
            "instanceId": "2022/10/12/[$LATEST]0", "instanceMaxMemory": 134_217_728}})
    );
    let done = InitRuntimeDone {
        kind: InitKind::OnDemand,
        phase: Phase::Invoke,
        outcome: Outcome::of(Some("Runtime.Unknown")),
    };
    assert_eq!(
        telemetry(Fact::InitRuntimeDone(done))["record"],
        json!({"initializationType": "on-demand", "phase": "invoke", "status": "error",
            "errorType": "Runtime.Unknown"})
    );
    let report = InitReport {
        kind: InitKind::ManagedInstances,
        phase: Phase::Init,
        outcome: Outcome::Timeout,
        duration: Duration::from_micros(125_330),
    };
    assert_eq!(
        telemetry(Fact::InitReport(report))["record"],
        json!({"initializationType": "lambda-managed-instances", "phase": "init",
            "status": "timeout", "metrics": {"durationMs": 125.33}})
    );
}

#[test]
fn an_invocation_is_told_as_documented() {
    let start = Start {
        request_id: id(),
        version: "$LATEST".into(),
        tracing: Some(trace()),
        tenant: None,
        function_arn: None,
    };
    let tracing = json!({"spanId": "54565fb41ac79632", "type": "X-Amzn-Trace-Id", "value": "Root=1;Sampled=1"});
    assert_eq!(
        telemetry(Fact::Start(start.clone())),
        json!({"time": NOW, "type": "platform.start", "record": {
            "requestId": *id(), "version": "$LATEST", "tracing": tracing}})
    );
    assert_eq!(
        telemetry(done(None))["record"],
        json!({"requestId": *id(), "status": "success",
            "metrics": {"durationMs": 140.0, "producedBytes": 16},
            "spans": [{"name": "responseLatency", "start": NOW, "durationMs": 23.02}],
            "tracing": tracing})
    );
    assert_eq!(
        telemetry(reported(Some("Runtime.ExitError")))["record"],
        json!({"requestId": *id(), "status": "error", "errorType": "Runtime.ExitError",
            "metrics": {"durationMs": 693.92, "billedDurationMs": 1092, "memorySizeMB": 128,
                "maxMemoryUsedMB": 84, "initDurationMs": 397.68}})
    );
}

#[test]
fn durations_have_three_decimals() {
    let line = text(reported(None), Schema::Telemetry20250129).unwrap();
    assert!(line.contains(r#""durationMs":693.920,"billedDurationMs":1092,"#), "{line}");
}

#[test]
fn the_logs_api_is_told_as_its_documentation_says() {
    let logs = |fact| text(fact, Schema::Logs20210318).unwrap();
    assert_eq!(
        logs(done(Some("Runtime.ExitError"))),
        format!(
            r#"{{"time":"{NOW}","type":"platform.runtimeDone","record":{{"requestId":"{}","status":"failure"}}}}"#,
            id()
        )
    );
    assert_eq!(text(done(None), Schema::Logs20200815), None);
    assert_eq!(
        logs(Fact::End(id())),
        format!(r#"{{"time":"{NOW}","type":"platform.end","record":{{"requestId":"{}"}}}}"#, id())
    );
    assert_eq!(
        logs(Fact::Fault("RequestId: r Process exited before completing request".to_owned())),
        format!(
            r#"{{"time":"{NOW}","type":"platform.fault","record":"RequestId: r Process exited before completing request"}}"#
        )
    );
    assert!(!logs(reported(None)).contains("status"));
}

#[test]
fn each_api_knows_its_own_events_only() {
    let subscribed = |feed| {
        Fact::Subscribed(Subscriber {
            name: "e".into(),
            feed,
            types: vec![Type::Platform, Type::Function],
        })
    };
    for schema in ALL {
        let telemetry = schema.feed() == Feed::Telemetry;
        assert_eq!(text(Fact::End(id()), schema).is_none(), telemetry);
        assert_eq!(text(Fact::Fault(String::new()), schema).is_none(), telemetry);
        assert_eq!(text(subscribed(Feed::Telemetry), schema).is_some(), telemetry);
        assert_eq!(text(subscribed(Feed::Logs), schema).is_none(), telemetry);
    }
    assert_eq!(
        telemetry(subscribed(Feed::Telemetry))["record"],
        json!({"name": "e", "state": "Subscribed", "types": ["platform", "function"]})
    );
}

#[test]
fn extensions_and_losses_are_told() {
    let extension = Extension {
        name: "e".into(),
        state: ExtensionState::Ready,
        events: vec![Subscribed::Invoke, Subscribed::Shutdown],
        error_type: None,
    };
    assert_eq!(
        telemetry(Fact::Extension(extension))["record"],
        json!({"name": "e", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]})
    );
    assert_eq!(
        telemetry(Fact::LogsDropped(Dropped { records: 123, bytes: 12345 }))["record"],
        json!({"droppedBytes": 12345, "droppedRecords": 123, "reason": FELL_BEHIND})
    );
}

fn told(text: &str, schema: Schema, objects: bool) -> Value {
    let mut out = Vec::new();
    let kind = Type::Function;
    line(&Line { time: TIME, kind, text: text.as_bytes(), level: None }, schema, objects, &mut out);
    assert!(!out.contains(&b'\n'), "one record, one line");
    serde_json::from_slice::<Value>(&out).unwrap()["record"].clone()
}

#[test]
fn a_line_is_a_string_unless_it_is_json_and_wanted_so() {
    let json = "{\"level\": \"INFO\",\n \"n\": 1}";
    for schema in ALL {
        assert_eq!(told(json, schema, false), json!(json));
        let object = matches!(schema, Schema::Telemetry20221213 | Schema::Telemetry20250129);
        let expected = if object { json!({"level": "INFO", "n": 1}) } else { json!(json) };
        assert_eq!(told(json, schema, true), expected);
    }
    for text in ["[1]", "1", "{", "{} {}", "", "a\tb\u{1}\"\\\n\u{a0}"] {
        assert_eq!(told(text, Schema::Telemetry20250129, true), json!(text));
    }
}

/// Found by the fuzzer: a form feed is white space to Rust and not to JSON.
#[test]
fn a_line_with_other_white_space_is_no_object() {
    let line = "\u{c}{}";
    assert_eq!(told(line, Schema::Telemetry20221213, true), json!(line));
}

proptest::proptest! {
    #[test]
    fn whatever_is_printed_becomes_json(bytes: Vec<u8>, objects: bool) {
        let mut out = Vec::new();
        let printed = Line { time: TIME, kind: Type::Extension, text: &bytes, level: None };
        line(&printed, Schema::Telemetry20221213, objects, &mut out);
        let value: Value = serde_json::from_slice(&out).unwrap();
        proptest::prop_assert_eq!(&value["type"], "extension");
        proptest::prop_assert_eq!(value["time"].as_str(), Some(NOW));
    }
}
