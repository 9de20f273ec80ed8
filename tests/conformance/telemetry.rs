//! Rows 33 to 38: subscriptions, what is delivered, and the log.

use std::io::Read as _;
use std::net::TcpListener;

use e2e::wire::PATIENCE;
use serde_json::{Value, json};

use crate::cast::{Extension, Runtime, id};
use crate::check::Source::{Guide, Recorded};
use crate::check::{World, checks};

fn http(port: u16, types: &[&str]) -> Value {
    json!({
        "schemaVersion": "2022-12-13",
        "types": types,
        "destination": { "protocol": "HTTP", "URI": format!("http://sandbox.localdomain:{port}/a/b") },
        "buffering": { "timeoutMs": 25, "maxItems": 1000, "maxBytes": 262_144 },
    })
}

fn subscribes(world: &World) {
    let served = world.serve().extension("one").open();
    let waiting = served.invoking("{}");
    let mut one = Extension::registered(&served, "one", &[]);
    let good = http(4000, &["platform"]);
    let without = |name: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let destination = |it: Value| with("destination", it);
    let cases = [
        ("no types", without("types")),
        ("types that are empty", with("types", json!([]))),
        ("an unknown type", with("types", json!(["x"]))),
        ("no destination", without("destination")),
        ("another host", destination(json!({"protocol":"HTTP","URI":"http://localhost:4000"}))),
        ("no URI", destination(json!({"protocol":"HTTP"}))),
        ("an unknown schema", with("schemaVersion", json!("2000-01-01"))),
        ("maxItems too small", with("buffering", json!({"maxItems":10}))),
    ];
    for (what, body) in cases {
        world.see(what, one.subscribes(&body).kind());
    }
    world.see("no JSON", one.says("PUT", "/2022-07-01/telemetry", &[], "{").kind());
    world.see("a good one", one.subscribes(&good).brief());
    let nobody = [("lambda-extension-identifier", "6f7ad8f1-0000-4000-8000-000000000000")];
    let answer = one.call("PUT", "/2022-07-01/telemetry", &nobody, &good.to_string());
    world.see("nobody", answer.kind());
    let mut runtime = Runtime::enter(&served);
    one.parks();
    let given = runtime.next();
    world.see("after init", one.subscribes(&good).brief());
    let logs = json!({"types":["platform"],"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:4000"}});
    let late = one.says("PUT", "/2020-08-15/logs", &[], &logs.to_string());
    world.see("the Logs API, after init", late.brief());
    runtime.responds(&given, "1");
    waiting.answer();
}

/// What a listener is sent until a record of this type has come.
fn batches(listener: &TcpListener, last: &str) -> (Vec<Value>, String) {
    let (mut records, mut first) = (Vec::new(), String::new());
    while !records.iter().any(|it: &Value| it["type"] == last) {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        while let Some((head, body)) = request(&mut stream) {
            first = if first.is_empty() { head } else { first };
            records.extend(serde_json::from_slice::<Vec<Value>>(&body).unwrap());
            let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            std::io::Write::write_all(&mut stream, ok).unwrap();
            if records.iter().any(|it| it["type"] == last) {
                break;
            }
        }
    }
    (records, first)
}

/// The first line and the body of one request.
fn request(stream: &mut std::net::TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1)?.split('\r').next()?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head.lines().next()?.to_owned(), body))
}

fn delivered(world: &World) {
    let served = world.serve().extension("one").open();
    let waiting = served.invoking("{}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut one = Extension::registered(&served, "one", &["INVOKE"]);
    one.subscribes(&http(port, &["platform", "function", "extension"]));
    let mut runtime = Runtime::enter(&served);
    one.parks();
    let given = runtime.next();
    one.puppet.as_mut().unwrap().writes(1, "from the extension\n");
    runtime.puppet.writes(1, "from the function\n");
    runtime.responds(&given, "{\"a\":1}");
    waiting.answer();
    runtime.parks();
    one.parked();
    one.parks();
    let (records, first) = batches(&listener, "platform.report");
    world.see("request", first);
    let kinds: Vec<_> = records.iter().filter_map(|it| it["type"].as_str()).collect();
    world.see("platform events, in order", {
        let platform = kinds.iter().filter_map(|kind| kind.strip_prefix("platform."));
        platform.collect::<Vec<_>>().join(" ")
    });
    let of = |kind: &str| records.iter().find(|it| it["type"] == kind).cloned().unwrap_or_default();
    world.see("a line of the function's", of("function")["record"].as_str().unwrap_or_default());
    world.see("a line of the extension's", of("extension")["record"].as_str().unwrap_or_default());
    let time = of("platform.start")["time"].as_str().unwrap_or_default().to_owned();
    let digits = |letter: char| if letter.is_ascii_digit() { '0' } else { letter };
    world.see("time", time.chars().map(digits).collect::<String>());
    let keys = |value: &Value| {
        let keys = value.as_object().map(|it| it.keys().cloned().collect::<Vec<_>>());
        keys.unwrap_or_default().join(" ")
    };
    let report = of("platform.report")["record"].clone();
    world.see("platform.report is of the invocation", report["requestId"] == id(&given));
    world.see("platform.report", keys(&report));
    world.see("its metrics", keys(&report["metrics"]));
    let done = of("platform.runtimeDone")["record"].clone();
    world.see("platform.runtimeDone", keys(&done));
    world.see("bytes produced", done["metrics"]["producedBytes"].to_string());
    world.see("platform.initReport", keys(&of("platform.initReport")["record"]));
}

fn by_tcp(world: &World) {
    let served = world.serve().extension("one").open();
    let waiting = served.invoking("{}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut one = Extension::registered(&served, "one", &[]);
    let mut body = http(port, &["function"]);
    body["destination"] = json!({ "protocol": "TCP", "port": port });
    world.see("a TCP destination", one.subscribes(&body).brief());
    let mut runtime = Runtime::enter(&served);
    one.parks();
    let given = runtime.next();
    runtime.puppet.writes(1, "one\ntwo\n");
    runtime.responds(&given, "1");
    waiting.answer();
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(stream));
    let records: Vec<String> = lines
        .take(2)
        .map(|line| {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            line["record"].as_str().unwrap_or_default().to_owned()
        })
        .collect();
    world.see("a line for each record", records.join(" "));
}

/// A subscriber that does not read: the function is not held up, and it is told what it missed.
fn dropped(world: &World) {
    let served = world.serve().extension("one").open();
    let waiting = served.invoking("{}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut one = Extension::registered(&served, "one", &[]);
    one.subscribes(&http(port, &["platform", "function"]));
    let mut runtime = Runtime::enter(&served);
    one.parks();
    let given = runtime.next();
    runtime.puppet.starts_printing(200_000, &"x".repeat(100));
    runtime.puppet.is_done();
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    world.see("20 MB of lines take less memory than that", peak < 60 << 10);
    runtime.responds(&given, "1");
    world.see("the caller", waiting.answer().brief());
    runtime.parks();
    let (records, _) = batches(&listener, "platform.logsDropped");
    let dropped = records.iter().find(|it| it["type"] == "platform.logsDropped").unwrap();
    let count = dropped["record"]["droppedRecords"].as_u64().unwrap_or_default();
    world.see("told of", if count > 0 { "records that were dropped" } else { "nothing" });
}

fn logged(world: &World) {
    let served = world.serve().open();
    let (mut runtime, waiting, given) = Runtime::start(&served, "{}");
    let request = id(&given).to_owned();
    world.call("id", &request);
    runtime.puppet.writes(1, "a line\nhalf");
    runtime.responds(&given, "1");
    waiting.answer();
    runtime.parks();
    served.log.line("REPORT");
    let text = served.log.text();
    let start = text.find("START RequestId").unwrap_or_default();
    let digits = |letter: char| if letter.is_ascii_digit() { '0' } else { letter };
    for (number, line) in text[start..].lines().enumerate() {
        let masked = line.replace(&request, "<id>");
        let masked: String = masked.chars().map(digits).collect();
        let (mut short, mut last) = (String::new(), ' ');
        for letter in masked.chars() {
            if letter != '0' || last != '0' {
                short.push(letter);
            }
            last = letter;
        }
        world.see(&format!("line {}", number + 1), short.replace('\t', "|"));
    }
}

fn log_levels(world: &World) {
    let served = world.serve().arguments(&["--log-format", "json"]).open();
    let (mut runtime, waiting, given) = Runtime::start(&served, "{}");
    world.see(
        "AWS_LAMBDA_LOG_FORMAT",
        runtime.puppet.variable("AWS_LAMBDA_LOG_FORMAT").unwrap_or("-"),
    );
    world.see(
        "AWS_LAMBDA_LOG_LEVEL",
        runtime.puppet.variable("AWS_LAMBDA_LOG_LEVEL").unwrap_or("-"),
    );
    runtime.puppet.writes(1, "{\"level\":\"DEBUG\",\"message\":\"quiet\"}\n{\"level\":\"WARN\",\"message\":\"loud\"}\nplain\n");
    runtime.responds(&given, "1");
    waiting.answer();
    runtime.parks();
    let report = served.log.line("platform.report").unwrap_or_default();
    let json: Value = serde_json::from_str(&report).unwrap_or_default();
    world.see("platform.report is a line of JSON", json["record"]["requestId"] == id(&given));
    let text = served.log.text();
    world.see("DEBUG", text.contains("quiet"));
    world.see("WARN", text.contains("loud"));
    world.see("no JSON", text.contains("plain"));
    world.see("platform.runtimeDone, a success", text.contains("platform.runtimeDone"));
}

checks! {
    check_33_subscriptions: subscribes,
        "Each mistake in a subscription is told; a good one is \"OK\"; after init nobody subscribes",
        Guide("telemetry-api-reference"),
        [
            ("no types", "400 ValidationError"),
            ("types that are empty", "400 ValidationError"),
            ("an unknown type", "400 ValidationError"),
            ("no destination", "400 ValidationError"),
            ("another host", "400 ValidationError"),
            ("no URI", "400 ValidationError"),
            ("an unknown schema", "400 ValidationError"),
            ("maxItems too small", "400 ValidationError"),
            ("no JSON", "400 ValidationError"),
            ("a good one", "200 \"OK\""),
            ("nobody", "403 Extension.UnknownExtensionIdentifier"),
            ("after init", "403 Telemetry.SubscriptionClosed: Telemetry API subscription is closed already"),
            ("the Logs API, after init", "403 Logs.SubscriptionClosed: Logs API subscription is closed already"),
        ];
    check_34_36_what_is_delivered: delivered,
        "Batches are arrays that are posted to the whole address; events before the subscription are in them; each has its documented members",
        Guide("telemetry-schema-reference"),
        [
            ("request", "post /a/b http/1.1"),
            ("platform events, in order", "initStart telemetrySubscription extension initRuntimeDone initReport start runtimeDone report"),
            ("a line of the function's", "from the function"),
            ("a line of the extension's", "from the extension"),
            ("time", "0000-00-00T00:00:00.000Z"),
            ("platform.report is of the invocation", "true"),
            ("platform.report", "metrics requestId spans status tracing"),
            ("its metrics", "billedDurationMs durationMs initDurationMs maxMemoryUsedMB memorySizeMB"),
            ("platform.runtimeDone", "metrics requestId spans status tracing"),
            ("bytes produced", "7"),
            ("platform.initReport", "initializationType metrics phase status"),
        ],
        emulator: "it delivers nothing";
    check_34_tcp: by_tcp,
        "A TCP destination is sent a line for each record",
        Guide("telemetry-api"),
        [
            ("a TCP destination", "200 \"OK\""),
            ("a line for each record", "one two"),
        ],
        emulator: "it delivers nothing";
    check_35_a_slow_subscriber: dropped,
        "Who does not read holds nobody up, and is told what was dropped",
        Guide("telemetry-api"),
        [
            ("20 MB of lines take less memory than that", "true"),
            ("the caller", "200 1"),
            ("told of", "records that were dropped"),
        ],
        emulator: "it delivers nothing";
    check_38_lines_of_the_log: logged,
        "START, END and REPORT as they stand in Lambda's log; fields are separated by tabs (here: |)",
        Recorded("lambda_logs"),
        [
            ("line 1", "START RequestId: <id> Version: $LATEST"),
            ("line 2", "a line"),
            ("line 3", "half"),
            ("line 4", "END RequestId: <id>"),
            ("line 5", "REPORT RequestId: <id>|Duration: 0.0 ms|Billed Duration: 0 ms|Memory Size: 0 MB|Max Memory Used: 0 MB|Init Duration: 0.0 ms|"),
        ];
    check_38_levels_of_the_log: log_levels,
        "With JSON logs, platform events are objects and both kinds of lines are filtered by their level",
        Guide("monitoring-cloudwatchlogs-advanced"),
        [
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
            ("platform.report is a line of JSON", "true"),
            ("DEBUG", "false"),
            ("WARN", "true"),
            ("no JSON", "true"),
            ("platform.runtimeDone, a success", "false"),
        ],
        emulator: "it writes no JSON log";
}
