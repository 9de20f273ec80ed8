//! Rows 9 to 14: buffered answers, and what is refused.

use std::fmt::Write as _;

use e2e::wire::{self, Wire};

use crate::cast::{RUNTIME, Runtime, id};
use crate::check::Source::{Client, Guide, Rapid};
use crate::check::{World, checks};

/// Lambda's limit for a buffered answer.
const LIMIT: usize = 6_291_556;

fn answered(world: &World) {
    let served = world.serve().open();
    let (mut runtime, first, given) = Runtime::start(&served, "{}");
    world.see("response", runtime.responds(&given, "{\"a\": 1}").brief());
    let answer = first.answer();
    world.see("the caller, before the next `next`", answer.brief());
    world.see("X-Amz-Function-Error", answer.header("x-amz-function-error"));
    world.see("X-Amz-Executed-Version", answer.header("x-amz-executed-version"));
    let second = served.invoking("{}");
    let given = runtime.next();
    let error = r#"{"errorType":"E","errorMessage":"m"}"#;
    world.see("error", runtime.posts(id(&given), "error", error).brief());
    let answer = second.answer();
    world.see("the caller of an error", answer.brief());
    world.see("X-Amz-Function-Error of an error", answer.header("x-amz-function-error"));
    let third = served.invoking("{}");
    let given = runtime.next();
    runtime.responds(&given, "");
    world.see("an empty answer", third.answer().brief());
}

fn wrong_ids(world: &World) {
    let served = world.serve().open();
    let first = served.invoking("1");
    let mut runtime = Runtime::enter(&served);
    world.see("before any next", runtime.posts("x", "response", "{}").brief());
    let stale = runtime.next();
    runtime.responds(&stale, "1");
    first.answer();
    let second = served.invoking("2");
    let given = runtime.next();
    world.see("wrong", runtime.posts("x", "response", "{}").brief());
    world.see("wrong, of an error", runtime.posts("x", "error", "{}").brief());
    world.see("stale", runtime.responds(&stale, "{}").brief());
    let encoded = id(&given).replace('-', "%2D");
    world.see("the right one, percent-encoded", runtime.posts(&encoded, "response", "2").brief());
    world.see("the caller is unharmed", second.answer().brief());
}

fn second_answers(world: &World) {
    let served = world.serve().open();
    let (mut runtime, mut waiting, mut given) = Runtime::start(&served, "{}");
    for (first, second) in
        [("response", "response"), ("response", "error"), ("error", "error"), ("error", "response")]
    {
        runtime.posts(id(&given), first, "{}");
        let answer = runtime.posts(id(&given), second, "{\"late\":1}");
        world.see(&format!("{second} after {first}"), answer.brief());
        world.see(&format!("the caller, {second} after {first}"), waiting.answer().text());
        waiting = served.invoking("{}");
        given = runtime.next();
    }
}

fn init_errors(world: &World) {
    let served = world.serve().open();
    let waiting = served.invoking("{}");
    let mut runtime = Runtime::enter(&served);
    let error = r#"{"errorType":"Runtime.ImportModuleError","errorMessage":"no"}"#;
    world.see("first", runtime.init_error(error).brief());
    world.see("next after it", runtime.next().brief());
    world.see("twice", runtime.init_error(error).brief());
    drop((served, waiting));
    let served = world.serve().open();
    let (mut runtime, _waiting, _given) = Runtime::start(&served, "{}");
    world.see("after next", runtime.init_error(error).brief());
}

fn limits(world: &World) {
    let served = strict(world);
    let (mut runtime, first, given) = Runtime::start(&served, "{}");
    let most = vec![b'x'; LIMIT];
    world.see("6,291,556 bytes", runtime.responds(&given, &most).brief());
    world.see("all of them arrive", first.answer().body.len());
    let second = served.invoking("{}");
    let given = runtime.next();
    let more = vec![b'x'; LIMIT + 1];
    world.see("one more", runtime.responds(&given, &more).brief());
    world.see("the caller", second.answer().brief());
    world.see("another answer", runtime.responds(&given, "{}").brief());
    let third = served.invoking("{}");
    let given = runtime.next();
    runtime.responds(&given, "3");
    world.see("the next invocation", third.answer().brief());
}

/// With Lambda's limits, which are not ours by default.
fn strict(world: &World) -> e2e::Served {
    let serve = world.serve();
    if world.is_ours() { serve.arguments(&["--strict"]).open() } else { serve.open() }
}

fn beyond(world: &World) {
    let served = world.serve().open();
    let (mut runtime, first, given) = Runtime::start(&served, "{}");
    let more = vec![b'x'; LIMIT + 1];
    world.see("6,291,557 bytes", runtime.responds(&given, &more).kind());
    world.see("of them arrive", first.answer().text().matches('x').count());
}

fn forms(world: &World) {
    let served = world.serve().open();
    let (mut runtime, mut waiting, mut given) = Runtime::start(&served, "{}");
    let chunked = "transfer-encoding: chunked\r\n";
    let forms = [
        ("chunked", format!("Host: x\r\n{chunked}\r\n2\r\n[1\r\n3;a=b\r\n,2]\r\n0\r\n\r\n")),
        (
            "chunked, with Trailer and no mode",
            format!("Host: x\r\n{chunked}Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n"),
        ),
        ("no type", "Host: x\r\nContent-Length: 5\r\n\r\n[1,2]".to_owned()),
        (
            "a form's type",
            "Host: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 5\r\n\r\n[1,2]".to_owned(),
        ),
        ("upper-case names", "HOST: x\r\nCONTENT-LENGTH: 5\r\n\r\n[1,2]".to_owned()),
        ("empty", "host: x\r\ncontent-length: 0\r\n\r\n".to_owned()),
    ];
    for (what, rest) in forms {
        let mut raw = String::new();
        let _ = write!(raw, "POST {} HTTP/1.1\r\n{rest}", Runtime::response(&given));
        runtime.wire().send(raw).unwrap();
        let told = runtime.parked().status;
        world.see(what, format!("{told}, {}", waiting.answer().brief()));
        waiting = served.invoking("{}");
        given = runtime.next();
    }
}

/// Bytes that are no request, or too much of one: the next connection is served.
fn hostile(world: &World) {
    let served = world.serve().open();
    let (runtime, waiting, given) = Runtime::start(&served, "{}");
    let path = Runtime::response(&given);
    let cases = [
        ("not HTTP", "\u{1}\u{2}\r\n\r\n".to_owned()),
        (
            "a length that is no number",
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n{{}}"),
        ),
        (
            "two lengths",
            format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{{}}"
            ),
        ),
        ("a name with a space", format!("POST {path} HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n")),
    ];
    for (what, raw) in cases {
        let mut wire = Wire::connect(&runtime.api).unwrap();
        wire.send(raw).unwrap();
        world.see(what, wire.answer().map_or(0, |answer| answer.status));
    }
    let large = "x".repeat(1 << 20);
    let cause = [("lambda-runtime-function-xray-error-cause", large.as_str())];
    let path = format!("{RUNTIME}/invocation/{}/error", id(&given));
    let answer = wire::call(&runtime.api, "POST", &path, &cause, "{\"errorMessage\":\"m\"}");
    world.see("a header of 1 MiB", answer.map_or(0, |answer| answer.status));
    world.see("the caller", waiting.answer().brief());
    drop(runtime);
}

checks! {
    check_09_answers_are_taken_and_handed_on: answered,
        "`response` and `error` give 202, and the caller has its answer before the next `next`",
        Guide("runtimes-api"),
        [
            ("response", "202 {\"status\":\"OK\"}"),
            ("the caller, before the next `next`", "200 {\"a\": 1}"),
            ("X-Amz-Function-Error", ""),
            ("X-Amz-Executed-Version", "$LATEST"),
            ("error", "202 {\"status\":\"OK\"}"),
            ("the caller of an error", "200 E: m"),
            ("X-Amz-Function-Error of an error", "Unhandled"),
            ("an empty answer", "200"),
        ];
    check_10_ids_that_are_not_the_current_one: wrong_ids,
        "A wrong, a stale and an early id are refused; the invocation under way is unharmed",
        Rapid("rapi/middleware/middleware.go"),
        [
            ("before any next", "400 InvalidRequestID: Invalid request ID"),
            ("wrong", "400 InvalidRequestID: Invalid request ID"),
            ("wrong, of an error", "400 InvalidRequestID: Invalid request ID"),
            ("stale", "400 InvalidRequestID: Invalid request ID"),
            ("the right one, percent-encoded", "202 {\"status\":\"OK\"}"),
            ("the caller is unharmed", "200 2"),
        ];
    check_11_second_answers: second_answers,
        "A second answer in any mix is refused, naming both states; the caller has the first",
        Rapid("core/states.go"),
        [
            ("response after response", "403 InvalidStateTransition: State transition from RuntimeResponseSentState to InvocationResponse failed for runtime. Error: State transition is not allowed"),
            ("the caller, response after response", "{}"),
            ("error after response", "403 InvalidStateTransition: State transition from RuntimeResponseSentState to InvocationErrorResponse failed for runtime. Error: State transition is not allowed"),
            ("the caller, error after response", "{}"),
            ("error after error", "403 InvalidStateTransition: State transition from RuntimeResponseSentState to InvocationErrorResponse failed for runtime. Error: State transition is not allowed"),
            ("the caller, error after error", "{}"),
            ("response after error", "403 InvalidStateTransition: State transition from RuntimeResponseSentState to InvocationResponse failed for runtime. Error: State transition is not allowed"),
            ("the caller, response after error", "{}"),
        ];
    check_12_init_errors: init_errors,
        "`init/error` is taken once and before the first `next`",
        Rapid("core/states.go"),
        [
            ("first", "202 {\"status\":\"OK\"}"),
            ("next after it", "403 InvalidStateTransition: State transition from InitError to Ready failed for runtime. Error: State transition is not allowed"),
            ("twice", "403 InvalidStateTransition: State transition from InitError to InitError failed for runtime. Error: State transition is not allowed"),
            ("after next", "403 InvalidStateTransition: State transition from Running to InitError failed for runtime. Error: State transition is not allowed"),
        ];
    check_13_the_largest_answer: limits,
        "A buffered answer has 6 MiB and 100 bytes (ours: with `--strict`); one byte more is an error and the runtime goes on",
        Guide("gettingstarted-limits"),
        [
            ("6,291,556 bytes", "202 {\"status\":\"OK\"}"),
            ("all of them arrive", "6291556"),
            ("one more", "413 RequestEntityTooLarge: Exceeded maximum allowed payload size (6291556 bytes)."),
            ("the caller", "200 Function.ResponseSizeTooLarge: Response payload size exceeded maximum allowed payload size (6291556 bytes)."),
            ("another answer", "403 InvalidStateTransition: State transition from RuntimeResponseSentState to InvocationResponse failed for runtime. Error: State transition is not allowed"),
            ("the next invocation", "200 3"),
        ];
    check_13_beyond_the_largest_answer: beyond,
        "An answer beyond Lambda's limit, without `--strict`",
        Guide("gettingstarted-limits"),
        [
            ("6,291,557 bytes", "413 RequestEntityTooLarge"),
            ("of them arrive", "0"),
        ],
        ours: [
            ("6,291,557 bytes", "202 -", "there is no limit here unless one is asked for"),
            ("of them arrive", "6291557", "there is no limit here unless one is asked for"),
        ];
    check_14_every_form_of_an_answer: forms,
        "Chunked, without a type, with a form's type, in any case, empty, with a declared trailer and no mode: an ordinary answer",
        Client("Go chunks and declares trailers, Rust sends no type, Ruby a form's"),
        [
            ("chunked", "202, 200 [1,2]"),
            ("chunked, with Trailer and no mode", "202, 200 [1,2]"),
            ("no type", "202, 200 [1,2]"),
            ("a form's type", "202, 200 [1,2]"),
            ("upper-case names", "202, 200 [1,2]"),
            ("empty", "202, 200"),
        ];
    check_14_what_is_no_request: hostile,
        "Bytes that are no request are refused, a header of 1 MiB is not, and the invocation goes on",
        Guide("runtimes-api"),
        [
            ("not HTTP", "400"),
            ("a length that is no number", "400"),
            ("two lengths", "400"),
            ("a name with a space", "400"),
            ("a header of 1 MiB", "202"),
            ("the caller", "200 {\"errorMessage\":\"m\"}"),
        ];
}
