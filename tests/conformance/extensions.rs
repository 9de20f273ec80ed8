//! Rows 26 to 32: extensions, from their start to their end.

use serde_json::Value;

use crate::cast::{Extension, Runtime, id};
use crate::check::Source::{Guide, Rapid};
use crate::check::{World, checks};

const BOTH: [&str; 2] = ["INVOKE", "SHUTDOWN"];

/// An environment with one external extension, ready, and what was given to the runtime.
fn ready(
    served: &e2e::Served,
    events: &[&str],
    event: &str,
) -> (Runtime, Extension, e2e::Invoking) {
    let waiting = served.invoking(event);
    let mut extension = Extension::registered(served, "one", events);
    let mut runtime = Runtime::enter(served);
    extension.parks();
    runtime.parks();
    (runtime, extension, waiting)
}

fn discovered(world: &World) {
    let serve = world.serve().extension("b").extension("a").opt("extensions/sub/c", "", true);
    let served = serve.open();
    let waiting = served.invoking("{}");
    let mut a = Extension::registered(&served, "a", &[]);
    world.see(
        "the runtime waits for all to register",
        served.stage.enter_within("bootstrap", e2e::wire::QUIET).is_none(),
    );
    let mut b = Extension::registered(&served, "b", &[]);
    let mut runtime = Runtime::enter(&served);
    world.see("nobody else was started", served.stage.is_empty());
    let arguments = a.puppet.as_ref().unwrap().hello()["arguments"].as_array().unwrap().len();
    world.see("arguments of an extension", arguments - 1);
    a.parks();
    runtime.parks();
    world.see("the runtime waits for all to ask", runtime.wire().is_quiet());
    b.parks();
    let given = runtime.parked();
    world.see("then it has its event", given.brief());
    runtime.responds(&given, "1");
    world.see("the caller", waiting.answer().brief());
}

fn unlaunched(world: &World) {
    let served = world.serve().opt("extensions/a", "#!/bin/sh\n", false).open();
    world.see("not executable", served.invoke("{}").kind());
    let mut many = world.serve();
    for number in 0..11 {
        many = many.extension(&format!("e{number}"));
    }
    world.see("eleven of them", many.open().invoke("{}").kind());
}

fn registers(world: &World) {
    let served = world.serve().extension("one").open();
    let waiting = served.invoking("{}");
    let mut one = Extension::enter(&served, "one");
    let named = |name: &'static str| [("lambda-extension-name", name)];
    let both = r#"{"events":["INVOKE","SHUTDOWN"]}"#;
    world.see("no name", one.register(&[], both).brief());
    world.see("no JSON", one.register(&named("one"), "").kind());
    world.see("an unknown event", one.register(&named("one"), r#"{"events":["FOO"]}"#).brief());
    let keys = r#"{"events":[],"configurationKeys":["x"]}"#;
    world.see("configurationKeys", one.register(&named("one"), keys).brief());
    let account = [named("one")[0], ("lambda-extension-accept-feature", "accountId")];
    let answer = one.register(&account, both);
    let fields = |answer: &e2e::wire::Answer| {
        let json = answer.json();
        let keys = json.as_object().map(|it| it.keys().cloned().collect::<Vec<_>>());
        keys.unwrap_or_default().join(" ")
    };
    world.see("a good one", format!("{} {}", answer.status, fields(&answer)));
    world.see("its identifier", one.id.len());
    world.see("again", one.register(&named("one"), both).kind());
    let mut runtime = Runtime::enter(&served);
    let mut inner = Extension::within(&runtime);
    world.see("an internal one, SHUTDOWN", inner.registers("inner", &["SHUTDOWN"]).brief());
    let answer = inner.registers("inner", &["INVOKE"]);
    world.see("an internal one", format!("{} {}", answer.status, fields(&answer)));
    let mut empty = Extension::within(&runtime);
    world.see("`null` for events", empty.register(&named("empty"), r#"{"events":null}"#).status);
    runtime.parks();
    let mut late = Extension::within(&runtime);
    let quiet = runtime.wire().is_quiet();
    world.see("after the runtime's first next", late.registers("late", &[]).brief());
    drop((waiting, quiet));
}

fn identified(world: &World) {
    let served = world.serve().extension("one").open();
    let (_runtime, mut one, _waiting) = ready(&served, &BOTH, "{}");
    one.parked();
    let path = "/2020-01-01/extension/event/next";
    let with = |id: &'static str| [("lambda-extension-identifier", id)];
    world.see("no identifier", one.call("GET", path, &[], "").brief());
    world.see("no UUID", one.call("GET", path, &with("x"), "").brief());
    let nobody = "6f7ad8f1-0000-4000-8000-000000000000";
    world.see("nobody's", one.call("GET", path, &with(nobody), "").brief());
    one.parks();
    let twice = one.says("GET", path, &[], "");
    world.see("a second next while one waits", twice.kind());
    let exit = "/2020-01-01/extension/exit/error";
    world.see("an error without its type", one.says("POST", exit, &[], "").brief());
}

fn told(world: &World) {
    let served = world.serve().extension("one").open();
    let (mut runtime, mut one, waiting) = ready(&served, &BOTH, "{}");
    let event = one.parked();
    let given = runtime.parked();
    let json = event.json();
    world.see("eventType", json["eventType"].as_str().unwrap_or_default());
    world.see("requestId is the runtime's", json["requestId"] == id(&given));
    let deadline = given.header("lambda-runtime-deadline-ms");
    world.see("deadlineMs is the runtime's", json["deadlineMs"].as_u64() == deadline.parse().ok());
    let arn = given.header("lambda-runtime-invoked-function-arn");
    world.see("invokedFunctionArn is the runtime's", json["invokedFunctionArn"] == arn);
    world.see("tracing", json["tracing"]["type"].as_str().unwrap_or_default());
    world.see("an event identifier", event.header("lambda-extension-event-identifier").len());
    runtime.responds(&given, "1");
    world.see("the caller, before anybody is done", waiting.answer().brief());
    let second = served.invoking("2");
    runtime.parks();
    world.see("the next event waits for the extension", runtime.wire().is_quiet());
    one.parks();
    let given = runtime.parked();
    world.see("then it comes", given.brief());
    runtime.responds(&given, "2");
    second.answer();
}

fn ends(world: &World) {
    let served = world.serve().extension("one").open();
    let (mut runtime, mut one, waiting) = ready(&served, &BOTH, "{}");
    one.parked();
    runtime.parked();
    one.exits(1);
    world.see("an exit in an invocation", waiting.answer().kind());
    world.see("the runtime ends with it", runtime.puppet.is_gone());
    let waiting = served.invoking("{}");
    let one = Extension::registered(&served, "one", &[]);
    let header = [("lambda-extension-function-error-type", "Extension.Mine")];
    for what in ["init/error", "init/error, again"] {
        let answer = one.says("POST", "/2020-01-01/extension/init/error", &header, "");
        world.see(what, answer.brief());
    }
    one.exits(1);
    world.see("an init error", waiting.answer().kind());
}

fn shut_down(world: &World) {
    let mut served = world.serve().open();
    let (mut runtime, waiting, given) = Runtime::start(&served, "{}");
    runtime.responds(&given, "1");
    waiting.answer();
    runtime.parks();
    runtime.wire().is_quiet();
    runtime.puppet.is_stubborn();
    served.stop();
    world.see("without extensions, SIGTERM", runtime.puppet.caught_sigterm());
    served.end();

    let mut served = world.serve().extension("one").open();
    let (mut runtime, mut one, waiting) = ready(&served, &["SHUTDOWN"], "{}");
    let given = runtime.parked();
    runtime.responds(&given, "1");
    waiting.answer();
    runtime.parks();
    runtime.wire().is_quiet();
    runtime.puppet.is_stubborn();
    served.stop();
    world.see("with one, SIGTERM", runtime.puppet.caught_sigterm());
    world.see("a stubborn one is killed", runtime.puppet.is_gone());
    let event = one.parked().json();
    let field = |name: &str| match &event[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    world.see("then", format!("{} {}", field("eventType"), field("shutdownReason")));
    world.see("with a deadline", event["deadlineMs"].is_u64());
    let mut puppet = one.puppet.take().unwrap();
    world.see("who does not end is killed", puppet.is_gone());
    served.end();
}

checks! {
    check_26_extensions_are_found: discovered,
        "Every file in /opt/extensions is started, before the runtime; the runtime waits until all have registered, its event until all have asked",
        Guide("runtimes-extensions-api"),
        [
            ("the runtime waits for all to register", "true"),
            ("nobody else was started", "true"),
            ("arguments of an extension", "0"),
            ("the runtime waits for all to ask", "true"),
            ("then it has its event", "200 {}"),
            ("the caller", "200 1"),
        ];
    check_26_extensions_that_cannot_be_started: unlaunched,
        "An extension that cannot be executed, or an eleventh one, fails init",
        Rapid("rapid/handlers.go"),
        [
            ("not executable", "200 Extension.LaunchError"),
            ("eleven of them", "200 Extension.LaunchError"),
        ],
        emulator: "it ends with its first init";
    check_27_registration: registers,
        "What a registration is answered; each mistake by its name",
        Guide("runtimes-extensions-api"),
        [
            ("no name", "403 Extension.InvalidExtensionName: Empty extension name"),
            ("no JSON", "403 InvalidRequestFormat"),
            ("an unknown event", "403 Extension.InvalidEventType: FOO: ErrorInvalidEventType"),
            ("configurationKeys", "403 InvalidRequestFormat: configurationKeys are deprecated; use environment variables instead"),
            ("a good one", "200 accountId functionName functionVersion handler"),
            ("its identifier", "36"),
            ("again", "403 Extension.InvalidExtensionState"),
            ("an internal one, SHUTDOWN", "403 Extension.InvalidEventType: SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"),
            ("an internal one", "200 functionName functionVersion handler"),
            ("`null` for events", "200"),
            ("after the runtime's first next", "403 Extension.RegistrationClosed: Extension registration closed already"),
        ];
    check_27_identifiers: identified,
        "Every later call says who calls",
        Rapid("rapi/middleware/middleware.go"),
        [
            ("no identifier", "403 Extension.MissingExtensionIdentifier: Missing Lambda-Extension-Identifier header"),
            ("no UUID", "403 Extension.InvalidExtensionIdentifier: Invalid Lambda-Extension-Identifier"),
            ("nobody's", "403 Extension.UnknownExtensionIdentifier: Unknown extension 6f7ad8f1-0000-4000-8000-000000000000"),
            ("a second next while one waits", "403 Extension.InvalidExtensionState"),
            ("an error without its type", "403 Extension.MissingHeader: Lambda-Extension-Function-Error-Type not found"),
        ];
    check_29_30_invocations: told,
        "An extension is told of each invocation; the next waits for it, the caller does not",
        Guide("runtimes-extensions-api"),
        [
            ("eventType", "INVOKE"),
            ("requestId is the runtime's", "true"),
            ("deadlineMs is the runtime's", "true"),
            ("invokedFunctionArn is the runtime's", "true"),
            ("tracing", "X-Amzn-Trace-Id"),
            ("an event identifier", "36"),
            ("the caller, before anybody is done", "200 1"),
            ("the next event waits for the extension", "true"),
            ("then it comes", "200 2"),
        ];
    check_31_extensions_that_end: ends,
        "An extension that ends takes the invocation with it; the first fatal error is told",
        Guide("lambda-runtime-environment"),
        [
            ("an exit in an invocation", "200 Extension.Crash"),
            ("the runtime ends with it", "true"),
            ("init/error", "202 {\"status\":\"OK\"}"),
            ("init/error, again", "202 {\"status\":\"OK\"}"),
            ("an init error", "200 Extension.InitError"),
        ],
        emulator: "it ends with a crash of an extension";
    check_32_shutdown: shut_down,
        "Without extensions a runtime is killed at once; with one it has SIGTERM first, then the extensions are told, then killed",
        Guide("lambda-runtime-environment"),
        [
            ("without extensions, SIGTERM", "false"),
            ("with one, SIGTERM", "true"),
            ("a stubborn one is killed", "true"),
            ("then", "SHUTDOWN spindown"),
            ("with a deadline", "true"),
            ("who does not end is killed", "true"),
        ];
}
