//! A function that fails: its error payload on standard output, exit code 1, in Lambda's own words.

use e2e::{Package, Run, Sandbox, fixture, nodejs, python};

fn run(handler: &str, event: &str) -> Run {
    Sandbox::invoke(&python(), "python3.11", handler).event(event).run()
}

/// The payload that the platform makes, byte for byte.
#[track_caller]
fn is_platform_error(run: &Run, kind: &str, message: &str) {
    let id = run.request_id();
    let payload =
        format!(r#"{{"errorType":"{kind}","errorMessage":"RequestId: {id} Error: {message}"}}"#);
    run.ends_with(1).prints(&payload);
}

#[test]
fn an_exception_is_the_runtimes_own_payload() {
    let (kind, message) = run("app.fail", "{}").error();
    assert_eq!((kind.as_str(), message.as_str()), ("ValueError", "boom"));
    let (kind, message) = Sandbox::invoke(&nodejs(), "nodejs20.x", "index.fail").run().error();
    assert_eq!((kind.as_str(), message.as_str()), ("TypeError", "boom"));
}

#[test]
fn what_keeps_a_function_from_starting_is_the_runtimes_own_payload_too() {
    let kind = |package: &Package, runtime, handler| {
        let run = Sandbox::invoke(package, runtime, handler).run();
        run.says("INIT_REPORT Init Duration: ").says("Phase: init\tStatus: error\tError Type: ");
        run.error().0
    };
    assert_eq!(kind(&python(), "python3.11", "app.nothing"), "Runtime.HandlerNotFound");
    assert_eq!(kind(&python(), "python3.11", "missing.handler"), "Runtime.ImportModuleError");
    let broken = Package::default().file("app.py", "def handler(:\n");
    assert_eq!(kind(&broken, "python3.11", "app.handler"), "Runtime.UserCodeSyntaxError");
    assert_eq!(kind(&nodejs(), "nodejs20.x", "index.nothing"), "Runtime.HandlerNotFound");
    assert_eq!(kind(&nodejs(), "nodejs20.x", "missing.handler"), "Runtime.ImportModuleError");
}

#[test]
fn a_crash_is_an_exit_error() {
    let run_ = run("app.leave", r#"{"code":7}"#);
    is_platform_error(&run_, "Runtime.ExitError", "Runtime exited with error: exit status 7");
    run_.says("Status: error\tError Type: Runtime.ExitError");
    let run_ = run("app.leave", r#"{"code":0}"#);
    is_platform_error(&run_, "Runtime.ExitError", "Runtime exited without providing a reason");
    for (signal, name) in [(9, "killed"), (11, "segmentation fault"), (15, "terminated")] {
        let run = run("app.die", &format!(r#"{{"signal":{signal}}}"#));
        is_platform_error(
            &run,
            "Runtime.ExitError",
            &format!("Runtime exited with error: signal: {name}"),
        );
    }
}

#[test]
fn a_deadline_is_a_time_out() {
    let sandbox = Sandbox::invoke(&python(), "python3.11", "app.sleep").event(r#"{"seconds":600}"#);
    let run = sandbox.arguments(&["--max-duration", "1s"]).run();
    is_platform_error(&run, "Sandbox.Timedout", "Task timed out after 1.00 seconds");
    assert!(run.stderr.trim_end().ends_with("Status: timeout"), "{}", run.stderr);
    // The same handler with enough time: the limit is what ended it.
    let sandbox = Sandbox::invoke(&python(), "python3.11", "app.sleep").event(r#"{"seconds":2}"#);
    sandbox.arguments(&["--max-duration", "10m"]).run().answers("\"slept\"");
}

#[test]
fn a_package_without_a_bootstrap_has_no_valid_entry_point() {
    let package = Package::default().file("readme", "x");
    let (kind, message) = Sandbox::invoke(&package, "provided.al2023", "h").run().error();
    assert_eq!(kind, "Runtime.InvalidEntrypoint");
    assert!(message.contains("Couldn't find valid bootstrap(s): ["), "{message}");
    let package = Package::default().file("bootstrap", fixture("provided/curl.sh"));
    let (kind, message) = Sandbox::invoke(&package, "provided.al2023", "h").run().error();
    assert_eq!(kind, "Runtime.InvalidEntrypoint");
    assert!(message.contains("ermission denied"), "{message}");
}
