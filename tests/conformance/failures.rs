//! Rows 21 to 25: exits, time-outs, inits that fail, programs that cannot be started.

use e2e::{Package, is_running};

use crate::cast::{Runtime, id};
use crate::check::Source::{Guide, Recorded};
use crate::check::{World, checks};

/// The end of a REPORT line, where a failure is told.
fn status(served: &e2e::Served, id: &str) -> String {
    let line = served.log.line(&format!("REPORT RequestId: {id}")).unwrap_or_default();
    line.split_once("\tStatus: ").map_or_else(|| "-".to_owned(), |(_, status)| status.to_owned())
}

fn exits(world: &World) {
    let served = world.serve().open();
    for (what, code, signal) in [("exit 3", 3, 0), ("exit 0", 0, 0), ("SIGKILL", 0, 9)] {
        let (runtime, waiting, given) = Runtime::start(&served, "{}");
        let request = id(&given).to_owned();
        world.call("id", &request);
        if signal == 0 {
            runtime.exits(code);
        } else {
            runtime.dies(signal);
        }
        let answer = waiting.answer();
        world.see(what, answer.brief());
        world.see(&format!("{what}, X-Amz-Function-Error"), answer.header("x-amz-function-error"));
        world.see(&format!("{what}, in the log"), status(&served, &request));
    }
    let (mut runtime, waiting, given) = Runtime::start(&served, "{}");
    runtime.responds(&given, "4");
    world.see("the next invocation", waiting.answer().brief());
}

fn answers_and_exits(world: &World) {
    let served = world.serve().open();
    let (mut runtime, waiting, given) = Runtime::start(&served, "{}");
    runtime.responds(&given, "1");
    world.see("the answer counts", waiting.answer().brief());
    runtime.exits(0);
    let (mut runtime, waiting, given) = Runtime::start(&served, "{}");
    runtime.responds(&given, "2");
    world.see("the next invocation has a runtime of its own", waiting.answer().brief());
    world.see("started", served.log.lines("INIT_START", 2).len());
}

fn times_out(world: &World) {
    let served = world.serve().limit(1).open();
    let (mut runtime, waiting, given) = Runtime::start(&served, "{}");
    let request = id(&given).to_owned();
    world.call("id", &request);
    runtime.puppet.is_stubborn();
    // No other process sleeps for just so long.
    let child = format!("60.0{}", std::process::id());
    runtime.puppet.spawns(&child);
    let answer = waiting.answer();
    world.see("the caller", answer.brief());
    world.see("X-Amz-Function-Error", answer.header("x-amz-function-error"));
    world.see("the runtime is killed", runtime.puppet.is_gone());
    let gone = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        !is_running(&child)
    });
    world.see("and what it has started", gone);
    world.see("in the log", status(&served, &request));
    let (mut runtime, waiting, given) = Runtime::start(&served, "{}");
    runtime.responds(&given, "2");
    world.see("the next invocation", waiting.answer().brief());
}

fn fails_to_start(world: &World) {
    let served = world.serve().open();
    let waiting = served.invoking("{}");
    let error = r#"{"errorType":"Runtime.ImportModuleError","errorMessage":"no"}"#;
    let header = [("lambda-runtime-function-error-type", "Runtime.ImportModuleError")];
    for _ in 0..2 {
        let mut runtime = Runtime::enter(&served);
        runtime.call("POST", "/2018-06-01/runtime/init/error", &header, error);
        runtime.exits(1);
    }
    let answer = waiting.answer();
    world.see("the caller, after the second time", answer.brief());
    world.see("X-Amz-Function-Error", answer.header("x-amz-function-error"));
    let reports = served.log.lines("INIT_REPORT", 2);
    for (what, line) in ["the first time", "the second time"].iter().zip(&reports) {
        let told = line.split_once("ms\t").map_or("", |(_, told)| told);
        world.see(&format!("{what}, in the log"), told.replace('\t', " "));
    }
}

fn starts_too_slowly(world: &World) {
    let served = world.serve().arguments(&["--init-timeout", "1s"]).open();
    let waiting = served.invoking("{}");
    let mut slow = Runtime::enter(&served);
    world.see("it is killed", slow.puppet.is_gone());
    let line = served.log.line("INIT_REPORT").unwrap_or_default();
    let told = line.split_once("ms\t").map_or("", |(_, told)| told);
    world.see("in the log", told.replace('\t', " "));
    let mut runtime = Runtime::enter(&served);
    let given = runtime.next();
    runtime.responds(&given, "1");
    world.see("the second time is within the invocation", waiting.answer().brief());
}

fn cannot_be_started(world: &World) {
    let cases = [
        ("no bootstrap", Package::default().file("other", "")),
        ("one that is not executable", Package::default().file("bootstrap", "#!/bin/sh\n")),
    ];
    for (what, package) in cases {
        let served = world.serve().code(package).open();
        let answer = served.invoke("{}");
        let kind = answer.json()["errorType"].as_str().unwrap_or("-").to_owned();
        world.see(what, format!("{} {kind}", answer.status));
        world.see(&format!("{what}: tries"), served.log.lines("INIT_REPORT", 2).len());
        world.see(&format!("{what}, again"), served.invoke("{}").kind());
    }
}

checks! {
    check_21_exits: exits,
        "A runtime that ends in the middle of an invocation is its caller's error, with the reason",
        Recorded("lambda_invoke_exit"),
        [
            ("exit 3", "200 Runtime.ExitError: RequestId: <id> Error: Runtime exited with error: exit status 3"),
            ("exit 3, X-Amz-Function-Error", "Unhandled"),
            ("exit 3, in the log", "error\tError Type: Runtime.ExitError"),
            ("exit 0", "200 Runtime.ExitError: RequestId: <id> Error: Runtime exited without providing a reason"),
            ("exit 0, X-Amz-Function-Error", "Unhandled"),
            ("exit 0, in the log", "error\tError Type: Runtime.ExitError"),
            ("SIGKILL", "200 Runtime.ExitError: RequestId: <id> Error: Runtime exited with error: signal: killed"),
            ("SIGKILL, X-Amz-Function-Error", "Unhandled"),
            ("SIGKILL, in the log", "error\tError Type: Runtime.ExitError"),
            ("the next invocation", "200 4"),
        ];
    check_21_an_answer_before_the_end: answers_and_exits,
        "A runtime that answers and then ends has answered; the next invocation starts all over",
        Guide("lambda-runtime-environment"),
        [
            ("the answer counts", "200 1"),
            ("the next invocation has a runtime of its own", "200 2"),
            ("started", "2"),
        ];
    check_22_time_outs: times_out,
        "An invocation that takes too long is cut off, with all that it has started; the next starts all over",
        Recorded("lambda_invoke_timeout"),
        [
            ("the caller", "200 Sandbox.Timedout: RequestId: <id> Error: Task timed out after 1.00 seconds"),
            ("X-Amz-Function-Error", "Unhandled"),
            ("the runtime is killed", "true"),
            ("and what it has started", "true"),
            ("in the log", "timeout"),
            ("the next invocation", "200 2"),
        ];
    check_23_a_runtime_that_fails_to_start: fails_to_start,
        "An init error is not returned: init runs once more within the invocation, and then it is",
        Guide("lambda-runtime-environment"),
        [
            ("the caller, after the second time", "200 Runtime.ImportModuleError: no"),
            ("X-Amz-Function-Error", "Unhandled"),
            ("the first time, in the log", "Phase: init Status: error Error Type: Runtime.ImportModuleError"),
            ("the second time, in the log", "Phase: invoke Status: error Error Type: Runtime.ImportModuleError"),
        ],
        emulator: "it does not start it a second time";
    check_23_a_runtime_that_starts_too_slowly: starts_too_slowly,
        "An init that takes too long is ended and tried once more within the invocation",
        Guide("lambda-runtime-environment"),
        [
            ("it is killed", "true"),
            ("in the log", "Phase: init Status: timeout"),
            ("the second time is within the invocation", "200 1"),
        ],
        emulator: "it has no limit for an init";
    check_24_a_runtime_that_cannot_be_started: cannot_be_started,
        "Without an executable bootstrap the caller is told so, after two tries and no more",
        Recorded("lambda_invoke_invalid_entrypoint"),
        [
            ("no bootstrap", "200 Runtime.InvalidEntrypoint"),
            ("no bootstrap: tries", "2"),
            ("no bootstrap, again", "200 Runtime.InvalidEntrypoint"),
            ("one that is not executable", "200 Runtime.InvalidEntrypoint"),
            ("one that is not executable: tries", "2"),
            ("one that is not executable, again", "200 Runtime.InvalidEntrypoint"),
        ],
        emulator: "it ends where there is none";
}
