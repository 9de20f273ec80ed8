//! Rows 15 to 20: answers that come piece by piece, errors with a cause, and the invocation id.

use e2e::wire::{Answer, Wire};
use serde_json::Value;

use crate::cast::{RUNTIME, Runtime, id};
use crate::check::Source::{Client, Guide, Rapid};
use crate::check::{World, checks};

/// Where a caller asks for an answer as it comes.
const STREAMING: &str = "/2021-11-15/functions/function/response-streaming-invocations";

/// Kind and payload of the events that a stream is made of (`application/vnd.amazon.eventstream`).
fn events(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let number = |at: &[u8]| u32::from_be_bytes(at[..4].try_into().unwrap()) as usize;
    while bytes.len() >= 16 {
        let (total, head) = (number(bytes), number(&bytes[4..]));
        let headers = String::from_utf8_lossy(&bytes[12..12 + head]).into_owned();
        let kinds = ["PayloadChunk", "InvokeComplete"];
        let kind = kinds.into_iter().find(|kind| headers.contains(kind)).unwrap_or("other");
        all.push((kind.to_owned(), bytes[12 + head..total - 4].to_vec()));
        bytes = &bytes[total..];
    }
    all
}

fn payload(events: &[(String, Vec<u8>)]) -> Vec<u8> {
    let chunks = events.iter().filter(|(kind, _)| kind == "PayloadChunk");
    chunks.flat_map(|(_, payload)| payload.clone()).collect()
}

fn complete(events: &[(String, Vec<u8>)]) -> Value {
    let last = events.last().filter(|(kind, _)| kind == "InvokeComplete");
    last.map_or(Value::Null, |(_, payload)| serde_json::from_slice(payload).unwrap_or_default())
}

/// A caller that reads a stream, and the upload that is to feed it.
struct Streaming {
    runtime: Runtime,
    caller: Wire,
    upload: Wire,
}

impl Streaming {
    fn begin(served: &e2e::Served, more: &str) -> Self {
        let mut caller = Wire::connect(&served.door).unwrap();
        caller.ask("POST", STREAMING, &[], b"{}").unwrap();
        let mut runtime = Runtime::enter(served);
        let given = runtime.next();
        let mut upload = Wire::connect(&runtime.api).unwrap();
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{more}\r\n",
            Runtime::response(&given)
        );
        upload.send(head).unwrap();
        Self { runtime, caller, upload }
    }

    fn streamed(served: &e2e::Served) -> Self {
        Self::begin(served, "Lambda-Runtime-Function-Response-Mode: streaming\r\n")
    }

    fn sends(&mut self, piece: &[u8]) {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        self.upload.send(chunk).unwrap();
    }

    fn ends(&mut self, trailers: &str) -> Answer {
        self.upload.send(format!("0\r\n{trailers}\r\n")).unwrap();
        self.upload.answer().unwrap_or_default()
    }
}

fn relayed(world: &World) {
    let served = world.serve().open();
    let mut streaming = Streaming::streamed(&served);
    streaming.sends(b"first");
    let head = streaming.caller.answer_head().unwrap();
    world.see("type", head.header("content-type"));
    let piece = streaming.caller.chunk().unwrap().unwrap_or_default();
    let text = String::from_utf8_lossy(&payload(&events(&piece))).into_owned();
    world.see("arrives before the rest is sent", text);
    streaming.sends(b", second");
    world.see("the runtime", streaming.ends("").brief());
    let mut rest = Vec::new();
    while let Ok(Some(piece)) = streaming.caller.chunk() {
        rest.extend(piece);
    }
    let events = events(&rest);
    world.see("then", String::from_utf8_lossy(&payload(&events)));
    world.see("complete", complete(&events));
    drop(streaming.runtime);
}

fn buffered(world: &World) {
    let served = world.serve().open();
    let (mut runtime, waiting, given) = Runtime::start(&served, "{}");
    let mode = [("lambda-runtime-function-response-mode", "streaming")];
    let answer = runtime.call("POST", &Runtime::response(&given), &mode, "[1,2]");
    world.see("the runtime", answer.brief());
    world.see("a caller that wants all of it", waiting.answer().brief());
}

fn unknown_mode(world: &World) {
    let served = world.serve().open();
    let (mut runtime, waiting, given) = Runtime::start(&served, "{}");
    world.call("id", id(&given));
    let mode = [("lambda-runtime-function-response-mode", "Streaming")];
    let answer = runtime.call("POST", &Runtime::response(&given), &mode, "{}");
    world.see("`Streaming`", answer.brief());
    runtime.parks();
    world.see("the caller", waiting.answer().brief());
    let second = served.invoking("2");
    let given = runtime.parked();
    world.see("the next `next`", given.brief());
    runtime.responds(&given, "2");
    world.see("the next caller", second.answer().brief());
}

fn broken(world: &World) {
    let served = world.serve().open();
    let mut streaming = Streaming::streamed(&served);
    streaming.sends(b"some");
    let body = "eyJlcnJvck1lc3NhZ2UiOiJtIn0=";
    let answer = streaming.ends(&format!(
        "Lambda-Runtime-Function-Error-Type: Runtime.Broken\r\nLambda-Runtime-Function-Error-Body: {body}\r\n"
    ));
    world.see("the runtime", answer.brief());
    let answer = streaming.caller.answer().unwrap();
    let events = events(&answer.body);
    world.see("what was sent before", String::from_utf8_lossy(&payload(&events)));
    let complete = complete(&events);
    world.see("ErrorCode", complete["ErrorCode"].as_str().unwrap_or_default());
    world.see("ErrorDetails", complete["ErrorDetails"].as_str().unwrap_or_default());
    drop(streaming.runtime);
}

fn truncated(world: &World) {
    let served = world.serve().open();
    let mut streaming = Streaming::streamed(&served);
    streaming.sends(b"some");
    drop(streaming.upload);
    let answer = streaming.caller.answer().unwrap();
    let events = events(&answer.body);
    world.see("what was sent before", String::from_utf8_lossy(&payload(&events)));
    let complete = complete(&events);
    world.see("ErrorCode", complete["ErrorCode"].as_str().unwrap_or_default());
    let details = complete["ErrorDetails"].as_str().unwrap_or_default();
    let details: Value = serde_json::from_str(details).unwrap_or_default();
    world.see("ErrorDetails", details["errorType"].as_str().unwrap_or_default());
    drop(streaming.runtime);
}

/// The prelude is the caller's affair: it arrives as it was sent, however it was cut.
fn prelude(world: &World) {
    let served = world.serve().open();
    let mut streaming = Streaming::begin(
        &served,
        "Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: application/vnd.awslambda.http-integration-response\r\n",
    );
    let pieces: [&[u8]; 4] = [b"{\"statusCode\":2", b"01}\0\0\0", b"\0\0\0\0\0bo", b"dy"];
    for piece in pieces {
        streaming.sends(piece);
    }
    streaming.ends("");
    let answer = streaming.caller.answer().unwrap();
    let events = events(&answer.body);
    let arrived = payload(&events) == pieces.concat();
    world.see("prelude, eight NUL bytes, body", if arrived { "as sent" } else { "changed" });
    drop(streaming.runtime);
}

fn causes(world: &World) {
    let served = world.serve().open();
    let kind = "application/vnd.aws.lambda.error.cause+json";
    let bodies = [
        ("with a cause", r#"{"errorType":"E","errorMessage":"m","errorCause":{"paths":["x"]}}"#),
        ("that cannot be read", "{"),
    ];
    let mut waiting = served.invoking("{}");
    let mut runtime = Runtime::enter(&served);
    let mut given = runtime.next();
    for (what, body) in bodies {
        let path = format!("{RUNTIME}/invocation/{}/error", id(&given));
        let answer = runtime.call("POST", &path, &[("content-type", kind)], body);
        world.see(what, answer.brief());
        world.see(&format!("the caller of one {what}"), waiting.answer().text());
        waiting = served.invoking("{}");
        given = runtime.next();
    }
}

fn error_types(world: &World) {
    let served = world.serve().arguments(&["--log-format", "json"]).open();
    let mut waiting = served.invoking("{}");
    let mut runtime = Runtime::enter(&served);
    let mut given = runtime.next();
    for sent in ["Runtime.MyError", "Function.MyError", "Function.my", "unhandled", ""] {
        let path = format!("{RUNTIME}/invocation/{}/error", id(&given));
        let header = [("lambda-runtime-function-error-type", sent)];
        runtime.call("POST", &path, &header, "{\"errorMessage\":\"m\"}");
        world.see(&format!("the caller of `{sent}`"), waiting.answer().text());
        let report = format!("platform.report\",\"record\":{{\"requestId\":\"{}", id(&given));
        waiting = served.invoking("{}");
        given = runtime.next();
        let line = served.log.line(&report).unwrap_or_default();
        let json: Value = serde_json::from_str(&line).unwrap_or_default();
        world.see(
            &format!("the report of `{sent}`"),
            json["record"]["errorType"].as_str().unwrap_or("-"),
        );
    }
}

fn invocation_ids(world: &World) {
    let served = world.serve().open();
    let (mut runtime, waiting, given) = Runtime::start(&served, "1");
    let nonce = given.header("lambda-runtime-invocation-id").to_owned();
    world.see("`next` gives one", !nonce.is_empty() && nonce != id(&given));
    let path = Runtime::response(&given);
    let mut echo = |nonce: &str| {
        runtime.call("POST", &path, &[("lambda-runtime-invocation-id", nonce)], "1").brief()
    };
    world.see("another", echo("6f7ad8f1-0000-4000-8000-000000000000"));
    world.see("the same", echo(&nonce));
    world.see("the caller", waiting.answer().brief());
    let second = served.invoking("2");
    let given = runtime.next();
    world.see("the next is another", given.header("lambda-runtime-invocation-id") != nonce);
    world.see("none", runtime.responds(&given, "2").brief());
    world.see("the next caller", second.answer().brief());
}

checks! {
    check_15_a_stream_is_relayed_as_it_comes: relayed,
        "A streamed answer reaches a caller that reads streams piece by piece",
        Guide("configuration-response-streaming"),
        [
            ("type", "application/vnd.amazon.eventstream"),
            ("arrives before the rest is sent", "first"),
            ("the runtime", "202 {\"status\":\"OK\"}"),
            ("then", ", second"),
            ("complete", "{}"),
        ],
        emulator: "it has no door for streams";
    check_15_a_stream_for_a_caller_that_wants_it_whole: buffered,
        "A streamed answer reaches any other caller whole",
        Guide("configuration-response-streaming"),
        [
            ("the runtime", "202 {\"status\":\"OK\"}"),
            ("a caller that wants all of it", "200 [1,2]"),
        ];
    check_15_an_unknown_mode: unknown_mode,
        "Any mode but `streaming` fails the invocation, and the runtime goes on",
        Rapid("rapi/handler/invocationresponse.go"),
        [
            ("`Streaming`", "400 InvalidFunctionResponseMode: Invalid function response mode"),
            ("the caller", "200 Runtime.InvalidResponseModeHeader: RequestId: <id> Error: Invalid function response mode"),
            ("the next `next`", "200 2"),
            ("the next caller", "200 2"),
        ],
        emulator: "its runtime is refused every later call, and the caller waits for ever";
    check_16_an_error_in_the_middle: broken,
        "Trailers tell of an error in the middle of a stream; what was sent before stays sent",
        Guide("runtimes-custom"),
        [
            ("the runtime", "202 {\"status\":\"OK\"}"),
            ("what was sent before", "some"),
            ("ErrorCode", "Unhandled"),
            ("ErrorDetails", "{\"errorMessage\":\"m\"}"),
        ],
        emulator: "it has no door for streams";
    check_16_an_upload_that_stops: truncated,
        "An upload that stops in the middle of a stream is told to the caller",
        Rapid("core/directinvoke/directinvoke.go"),
        [
            ("what was sent before", "some"),
            ("ErrorCode", "Unhandled"),
            ("ErrorDetails", "Runtime.TruncatedResponse"),
        ],
        emulator: "it has no door for streams";
    check_17_the_prelude_of_an_http_answer: prelude,
        "JSON, eight NUL bytes and the body arrive as they were sent, wherever they were cut",
        Guide("runtimes-custom"),
        [("prelude, eight NUL bytes, body", "as sent")],
        emulator: "it has no door for streams";
    check_18_causes_are_not_for_the_caller: causes,
        "An error's cause for X-Ray is cut out of what the caller sees",
        Rapid("rapi/model/errorcause.go"),
        [
            ("with a cause", "202 {\"status\":\"OK\"}"),
            ("the caller of one with a cause", "{\"errorMessage\":\"m\",\"errorType\":\"E\"}"),
            ("that cannot be read", "202 {\"status\":\"OK\"}"),
            ("the caller of one that cannot be read", "\"Invalid error body\""),
        ];
    check_19_error_types_are_lambdas_own: error_types,
        "Error types are normalised for the log; the caller sees the runtime's own words",
        Rapid("fatalerror/fatalerror.go"),
        [
            ("the caller of `Runtime.MyError`", "{\"errorMessage\":\"m\"}"),
            ("the report of `Runtime.MyError`", "Runtime.MyError"),
            ("the caller of `Function.MyError`", "{\"errorMessage\":\"m\"}"),
            ("the report of `Function.MyError`", "Function.MyError"),
            ("the caller of `Function.my`", "{\"errorMessage\":\"m\"}"),
            ("the report of `Function.my`", "Function.Unknown"),
            ("the caller of `unhandled`", "{\"errorMessage\":\"m\"}"),
            ("the report of `unhandled`", "Runtime.Unknown"),
            ("the caller of ``", "{\"errorMessage\":\"m\"}"),
            ("the report of ``", "Runtime.Unknown"),
        ],
        emulator: "it writes no JSON log";
    check_20_the_invocation_id: invocation_ids,
        "An echoed invocation id must be this attempt's; none is fine",
        Client("Python, Java, .NET and Rust clients of 2026 echo it"),
        [
            ("`next` gives one", "true"),
            ("another", "410 InvokeTimeout: Invoke timeout"),
            ("the same", "202 {\"status\":\"OK\"}"),
            ("the caller", "200 1"),
            ("the next is another", "true"),
            ("none", "202 {\"status\":\"OK\"}"),
            ("the next caller", "200 2"),
        ];
}
