//! Rows 39 and 40: what processes find around them, and calls at the same time.

use crate::cast::{Extension, Runtime, id};
use crate::check::Source::{Guide, Recorded};
use crate::check::{World, checks};

/// What an extension is not told.
const ONLY_THE_RUNTIMES: [&str; 5] = [
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
];

fn variables(world: &World) {
    let serve =
        world.serve().extension("one").variable("MINE", "a=b").variable("TZ", "Europe/Sofia");
    let served = serve.variable("AWS_LAMBDA_FUNCTION_VERSION", "mine").open();
    let _waiting = served.invoking("{}");
    let one = Extension::registered(&served, "one", &[]);
    let runtime = Runtime::enter(&served);
    let variable = |name: &str| runtime.puppet.variable(name).unwrap_or("-").to_owned();
    world.see("_HANDLER", variable("_HANDLER"));
    world.see("LANG", variable("LANG"));
    world.see("AWS_LAMBDA_INITIALIZATION_TYPE", variable("AWS_LAMBDA_INITIALIZATION_TYPE"));
    world.see(
        "AWS_LAMBDA_FUNCTION_VERSION, which is reserved",
        variable("AWS_LAMBDA_FUNCTION_VERSION"),
    );
    world.see("TZ, which is not", variable("TZ"));
    world.see("a value with an equals sign", variable("MINE"));
    let directory = runtime.puppet.hello()["directory"].as_str().unwrap_or_default().to_owned();
    let root = variable("LAMBDA_TASK_ROOT");
    let real = |path: &str| std::fs::canonicalize(path).unwrap_or_default();
    world.see("working directory is LAMBDA_TASK_ROOT", real(&directory) == real(&root));
    for name in ["HOME", "USER", "TMPDIR", "AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_FORMAT"] {
        world.see(name, variable(name));
    }
    let puppet = one.puppet.as_ref().unwrap();
    let seen: Vec<_> =
        ONLY_THE_RUNTIMES.into_iter().filter(|name| puppet.variable(name).is_some()).collect();
    world.see("an extension sees of the runtime's own", seen.join(" "));
    world.see("an extension sees the function's", puppet.variable("MINE").unwrap_or("-"));
    world.see(
        "an extension is told the address",
        puppet.variable("AWS_LAMBDA_RUNTIME_API").is_some(),
    );
}

fn groups(world: &World) {
    let served = world.serve().extension("one").open();
    let _waiting = served.invoking("{}");
    let one = Extension::registered(&served, "one", &[]);
    let runtime = Runtime::enter(&served);
    let own = |hello: &serde_json::Value| hello["group"] == hello["pid"];
    world.see("the runtime's", own(runtime.puppet.hello()));
    world.see("the extension's", own(one.puppet.as_ref().unwrap().hello()));
}

fn queued(world: &World) {
    let served = world.serve().open();
    let (mut runtime, first, given) = Runtime::start(&served, "1");
    let second = served.invoking("2");
    world.see("a second call waits", second.is_waiting());
    runtime.responds(&given, "1");
    world.see("the first", first.answer().brief());
    let given = runtime.next();
    world.see("then it is its turn", given.brief());
    runtime.responds(&given, "2");
    world.see("the second", second.answer().brief());
}

fn full(world: &World) {
    let served = world.serve().arguments(&["--queue", "0"]).open();
    let (mut runtime, first, given) = Runtime::start(&served, "1");
    let refused = served.invoke("2");
    let json = refused.json();
    world.see("one call too many", refused.status);
    world.see("its type", refused.header("x-amzn-errortype"));
    world.see("its reason", json["Reason"].as_str().unwrap_or_default());
    runtime.responds(&given, "1");
    world.see("the first is unharmed", first.answer().brief());
}

fn side_by_side(world: &World) {
    let serve = world.serve().arguments(&["--concurrency", "2"]);
    let served = serve.open();
    let (mut one, first, given) = Runtime::start(&served, "1");
    let second = served.invoking("2");
    let mut other = Runtime::enter(&served);
    let other_given = other.next();
    world.see("another runtime has the second", other_given.brief());
    other.responds(&other_given, "2");
    world.see("the second, before the first", second.answer().brief());
    one.responds(&given, "1");
    world.see("the first", first.answer().brief());
}

fn many_at_once(world: &World) {
    let serve = world.serve().variable("AWS_LAMBDA_MAX_CONCURRENCY", "2");
    let served = serve.arguments(&["--concurrency", "2"]).open();
    let first = served.invoking("1");
    let runtime = Runtime::enter(&served);
    let kind = runtime.puppet.variable("AWS_LAMBDA_INITIALIZATION_TYPE").unwrap_or("-").to_owned();
    world.see("AWS_LAMBDA_INITIALIZATION_TYPE", kind);
    let call = |method: &str, path: &str, body: &str| {
        e2e::wire::call(&runtime.api, method, path, &[], body).unwrap_or_default()
    };
    let next = "/2018-06-01/runtime/invocation/next";
    let one = call("GET", next, "");
    let second = served.invoking("2");
    let two = call("GET", next, "");
    world.see("both are out", format!("{}, {}", one.text(), two.text()));
    let respond = |given: &e2e::wire::Answer, body: &str| {
        let path = format!("/2018-06-01/runtime/invocation/{}/response", id(given));
        call("POST", &path, body).brief()
    };
    world.see("the second", respond(&two, "2"));
    world.see("its caller, before the first", second.answer().brief());
    world.see("twice", respond(&two, "2"));
    world.see("the first", respond(&one, "1"));
    world.see("its caller", first.answer().brief());
    drop(runtime);
}

checks! {
    check_39_variables: variables,
        "The runtime's variables, and which of them an extension has",
        Guide("configuration-envvars"),
        [
            ("_HANDLER", "app.handler"),
            ("LANG", "en_US.UTF-8"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_FUNCTION_VERSION, which is reserved", "$LATEST"),
            ("TZ, which is not", "Europe/Sofia"),
            ("a value with an equals sign", "a=b"),
            ("working directory is LAMBDA_TASK_ROOT", "true"),
            ("HOME", "-"),
            ("USER", "-"),
            ("TMPDIR", "-"),
            ("AWS_EXECUTION_ENV", "-"),
            ("AWS_LAMBDA_LOG_FORMAT", "-"),
            ("an extension sees of the runtime's own", ""),
            ("an extension sees the function's", "a=b"),
            ("an extension is told the address", "true"),
        ],
        emulator: "it hands on its own environment, which is the test's";
    check_39_process_groups: groups,
        "Each process leads a group of its own, so that a signal reaches all that it has started",
        Recorded("lambda_introspection"),
        [("the runtime's", "true"), ("the extension's", "true")];
    check_40_calls_wait_for_their_turn: queued,
        "A second call waits while the first runs",
        Guide("lambda-concurrency"),
        [
            ("a second call waits", "true"),
            ("the first", "200 1"),
            ("then it is its turn", "200 2"),
            ("the second", "200 2"),
        ],
        emulator: "a second call at the same time ends it";
    check_40_a_call_too_many: full,
        "When it is full, callers are told so in Lambda's words",
        Guide("lambda-concurrency"),
        [
            ("one call too many", "429"),
            ("its type", "TooManyRequestsException"),
            ("its reason", "ReservedFunctionConcurrentInvocationLimitExceeded"),
            ("the first is unharmed", "200 1"),
        ],
        emulator: "a second call at the same time ends it";
    check_40_calls_side_by_side: side_by_side,
        "With room for two, a second runtime takes the second call",
        Guide("lambda-concurrency"),
        [
            ("another runtime has the second", "200 2"),
            ("the second, before the first", "200 2"),
            ("the first", "200 1"),
        ],
        emulator: "it has one runtime";
    check_40_many_in_one_runtime: many_at_once,
        "A runtime of a managed instance has many invocations at once, each with its own state",
        Guide("lambda-managed-instances"),
        [
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances"),
            ("both are out", "1, 2"),
            ("the second", "202 {\"status\":\"OK\"}"),
            ("its caller, before the first", "200 2"),
            ("twice", "400 InvalidRequestID: Invalid request ID"),
            ("the first", "202 {\"status\":\"OK\"}"),
            ("its caller", "200 1"),
        ],
        emulator: "it hands out the second only with its own mode, which has no text log and other doors";
}
