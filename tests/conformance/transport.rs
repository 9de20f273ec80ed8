//! Rows 1 to 8: how the Runtime API is reached, and what `next` gives.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use e2e::wire;

use crate::cast::{RUNTIME, Runtime, id};
use crate::check::Source::{Client, Guide, Rapid};
use crate::check::{World, checks};

fn address(world: &World) {
    let served = world.serve().open();
    let _waiting = served.invoking("{}");
    let runtime = Runtime::enter(&served);
    let parts: Vec<_> = runtime.api.split(':').collect();
    let is_address = parts.len() == 2 && parts[1].parse::<u16>().is_ok();
    world.see("AWS_LAMBDA_RUNTIME_API", if is_address { "host:port" } else { &runtime.api });
    let ping = wire::call(&runtime.api, "GET", "/2018-06-01/ping", &[], "").unwrap();
    world.see("ping, as the first thing that the first process does", ping.brief());
}

fn paths(world: &World) {
    let served = world.serve().open();
    let _waiting = served.invoking("{}");
    let mut runtime = Runtime::enter(&served);
    let unknown = runtime.call("GET", "/2018-06-01/runtime/nothing", &[], "");
    world.see("unknown path", unknown.brief());
    world.see("unknown path, type", unknown.header("content-type"));
    world.see("no version", runtime.call("GET", "/runtime/invocation/next", &[], "").brief());
    let wrong = runtime.call("DELETE", &format!("{RUNTIME}/invocation/next"), &[], "");
    world.see("wrong verb", wrong.brief());
    let path = format!("{RUNTIME}/invocation/x/response");
    let html = runtime.call("POST", &path, &[("accept", "text/html")], "{}");
    world.see("Accept: text/html", html.header("content-type"));
    world.see("JSON ends with a line end", html.text().ends_with("}\n"));
    let gzip = runtime.call("POST", &path, &[("accept-encoding", "gzip")], "{}");
    world.see("Accept-Encoding: gzip", gzip.header("content-encoding"));
}

fn parks(world: &World) {
    let served = world.serve().open();
    let (mut runtime, first, given) = Runtime::start(&served, "1");
    runtime.responds(&given, "1");
    first.answer();
    runtime.parks();
    world.see("no byte while there is nothing", runtime.wire().is_quiet());
    // Who asked goes away; whoever asks next is given what comes.
    let mut again = wire::Wire::connect(&runtime.api).unwrap();
    std::mem::swap(runtime.wire(), &mut again);
    drop(again);
    let second = served.invoking("2");
    let given = runtime.next();
    world.see("handed out to whoever asks again", given.brief());
    runtime.responds(&given, "\"done\"");
    world.see("answered", second.answer().text());
}

fn headers(world: &World) {
    let served = world.serve().limit(60).open();
    let event = "{ \"ключ\" : [1,  2.50, 1e400, \"\\u0000\"] }\n";
    let (_runtime, _waiting, given) = Runtime::start(&served, event);
    world.see("request id", shape(id(&given)));
    let deadline: i64 = given.header("lambda-runtime-deadline-ms").parse().unwrap_or_default();
    let left = deadline - now();
    world.see("deadline", if (50_000..=60_000).contains(&left) { "in time" } else { "wrong" });
    let arn = given.header("lambda-runtime-invoked-function-arn");
    let is_arn = arn.starts_with("arn:aws:lambda:") && arn.split(':').count() >= 7;
    world.see("ARN", if is_arn { "an ARN" } else { arn });
    let trace = given.header("lambda-runtime-trace-id");
    world.see("trace id", trace.split('=').next().unwrap_or_default());
    world.see("type", given.header("content-type"));
    world.see("byte for byte", given.text() == event);
    let nonce = given.header("lambda-runtime-invocation-id");
    world.see("invocation id", shape(nonce));
    world.see("invocation id is the request id", nonce == id(&given));
}

/// A UUID's shape, or the text.
fn shape(text: &str) -> &str {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    if lengths == [8, 4, 4, 4, 12] { "a UUID" } else { text }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

const OPTIONAL: [&str; 3] = ["client-context", "cognito-identity", "aws-tenant-id"];

fn optional(world: &World) {
    let served = world.serve().open();
    let (mut runtime, first, given) = Runtime::start(&served, "1");
    let names: Vec<_> = given.headers.iter().map(|(name, _)| name.as_str()).collect();
    let there = OPTIONAL.iter().filter(|it| names.contains(&&*format!("lambda-runtime-{it}")));
    world.see("of the optional headers, unasked", there.count());
    runtime.responds(&given, "1");
    first.answer();
    let context = r#"{"client":{"app_title":"a"},"custom":{"k":"v"},"env":{}}"#;
    let encoded = BASE64_STANDARD.encode(context);
    let asked = [("x-amz-client-context", &*encoded), ("x-amz-tenant-id", "blue")];
    let _second = served.invoking_with("2", &asked);
    let given = runtime.next();
    world.see("client context, decoded", given.header("lambda-runtime-client-context") == context);
    world.see("tenant", given.header("lambda-runtime-aws-tenant-id"));
}

fn again(world: &World) {
    let served = world.serve().open();
    let (mut runtime, waiting, first) = Runtime::start(&served, "[1]");
    let second = runtime.next();
    let same = |name: &str| first.header(name) == second.header(name);
    world.see("second next", second.brief());
    world.see("same id", same("lambda-runtime-aws-request-id"));
    world.see("same deadline", same("lambda-runtime-deadline-ms"));
    world.see("one answer is enough", runtime.responds(&second, "7").brief());
    world.see("the caller's", waiting.answer().text());
}

fn long_job(world: &World) {
    let day = Duration::from_hours(24);
    let served = world.serve().limit(day.as_secs().try_into().unwrap()).open();
    let before = now();
    let (_runtime, _waiting, given) = Runtime::start(&served, "{}");
    let deadline: i64 = given.header("lambda-runtime-deadline-ms").parse().unwrap_or_default();
    let begun = deadline - i64::try_from(day.as_millis()).unwrap();
    world.see("24 h after it began", (before..=now()).contains(&begun));
}

fn connections(world: &World) {
    let served = world.serve().open();
    let (mut runtime, waiting, mut given) = Runtime::start(&served, "0");
    let mut calls = Some(waiting);
    let mut answered = 0;
    for number in 1..=2000 {
        answered += u32::from(runtime.responds(&given, "{}").status == 202);
        calls.take().unwrap().answer();
        calls = Some(served.invoking(number.to_string()));
        given = runtime.next();
    }
    world.see("2000 cycles on one connection", answered);
    let mut alone = 0;
    for number in 1..=200 {
        let path = Runtime::response(&given);
        let close = [("connection", "close")];
        let answer = wire::call(&runtime.api, "POST", &path, &close, "{}").unwrap_or_default();
        alone += u32::from(answer.status == 202 && !answer.lasting);
        calls.take().unwrap().answer();
        calls = Some(served.invoking(number.to_string()));
        let path = format!("{RUNTIME}/invocation/next");
        given = wire::call(&runtime.api, "GET", &path, &close, "").unwrap_or_default();
    }
    world.see("200 cycles with a connection for each call", alone);
}

checks! {
    check_01_the_address_is_host_and_port_and_listens_first: address,
        "`AWS_LAMBDA_RUNTIME_API` is `host:port`; it listens before the first process starts",
        Guide("runtimes-api"),
        [
            ("AWS_LAMBDA_RUNTIME_API", "host:port"),
            ("ping, as the first thing that the first process does", "200 pong"),
        ];
    check_02_other_paths_and_verbs: paths,
        "Unknown paths and wrong verbs are refused as by Lambda's router; JSON is JSON whatever `Accept` asks",
        Rapid("rapi/router.go"),
        [
            ("unknown path", "404 404 page not found"),
            ("unknown path, type", "text/plain; charset=utf-8"),
            ("no version", "404 404 page not found"),
            ("wrong verb", "405"),
            ("Accept: text/html", "application/json"),
            ("JSON ends with a line end", "true"),
            ("Accept-Encoding: gzip", ""),
        ];
    check_03_next_parks: parks,
        "`next` parks without a byte; a client that goes away while it waits loses no event",
        Guide("runtimes-api"),
        [
            ("no byte while there is nothing", "true"),
            ("handed out to whoever asks again", "200 2"),
            ("answered", "\"done\""),
        ];
    check_04_headers_of_next: headers,
        "`next` carries id, deadline, ARN and trace id, the exact type and the caller's bytes",
        Guide("runtimes-api"),
        [
            ("request id", "a UUID"),
            ("deadline", "in time"),
            ("ARN", "an ARN"),
            ("trace id", "Root"),
            ("type", "application/json"),
            ("byte for byte", "true"),
            ("invocation id", "a UUID"),
            ("invocation id is the request id", "false"),
        ];
    check_05_headers_only_where_supplied: optional,
        "Client context, Cognito identity and tenant are there only if the caller supplied them; the context is raw JSON",
        Guide("runtimes-api"),
        [
            ("of the optional headers, unasked", "0"),
            ("client context, decoded", "true"),
            ("tenant", "blue"),
        ];
    check_06_next_while_running: again,
        "`next` before there is an answer hands out the same invocation again",
        Rapid("rapi/handler/invocationnext.go"),
        [
            ("second next", "200 [1]"),
            ("same id", "true"),
            ("same deadline", "true"),
            ("one answer is enough", "202 {\"status\":\"OK\"}"),
            ("the caller's", "7"),
        ];
    check_07_deadline_of_a_long_job: long_job,
        "The deadline of a 24 h job is right to the millisecond",
        Guide("runtimes-api"),
        [("24 h after it began", "true")];
    check_08_connections_that_last_and_that_do_not: connections,
        "One connection for thousands of cycles (most clients) and one for each call (Ruby)",
        Client("aws-lambda-ruby-runtime-interface-client, aws-lambda-go"),
        [
            ("2000 cycles on one connection", "2000"),
            ("200 cycles with a connection for each call", "200"),
        ];
}
