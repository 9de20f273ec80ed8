//! The function's environment: Lambda's variables, the function's own, and nothing of the supervisor's.

use std::collections::BTreeSet;

use e2e::{Sandbox, nodejs, python};

/// What is there in every runtime (docs: "Using Lambda environment variables"; recorded on AWS).
const EVERYWHERE: [&str; 22] = [
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_METADATA_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "LD_LIBRARY_PATH",
    "PATH",
    "TZ",
    "_AWS_XRAY_DAEMON_ADDRESS",
    "_AWS_XRAY_DAEMON_PORT",
];

#[track_caller]
fn has_exactly(sandbox: Sandbox, more: &[&str]) {
    let run = sandbox
        .variable("CANARY", "x")
        .variable("HOME", "/canary")
        .variable("USER", "canary")
        .run();
    let json = run.json();
    let found: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let expected: BTreeSet<&str> = EVERYWHERE.iter().chain(more).copied().collect();
    assert_eq!(found, expected, "{json:#}");
}

#[test]
fn python_has_lambdas_variables_and_no_others() {
    let sandbox = Sandbox::invoke(&python(), "python3.11", "app.environment");
    has_exactly(
        sandbox,
        &["LC_CTYPE", "PWD", "PYTHONPATH", "SHLVL", "_HANDLER", "_X_AMZN_TRACE_ID"],
    );
}

#[test]
fn node_has_lambdas_variables_and_no_others() {
    let sandbox = Sandbox::invoke(&nodejs(), "nodejs20.x", "index.environment");
    has_exactly(sandbox, &["NODE_PATH", "PWD", "SHLVL", "_HANDLER", "_X_AMZN_TRACE_ID"]);
}

#[test]
fn a_function_sets_its_own_but_not_the_reserved_ones() {
    let run = Sandbox::invoke(&python(), "python3.11", "app.environment")
        .arguments(&[
            "--env",
            "TZ=Europe/Sofia",
            "--env",
            "_HANDLER=x",
            "--env",
            "AWS_REGION=x",
            "--env",
            "EMPTY=",
        ])
        .variable("AWS_REGION", "eu-central-1")
        .run()
        .json();
    assert_eq!((&run["TZ"], &run["EMPTY"]), (&"Europe/Sofia".into(), &"".into()));
    assert_eq!(
        (&run["_HANDLER"], &run["AWS_REGION"]),
        (&"app.environment".into(), &"eu-central-1".into())
    );
    assert_eq!(run["AWS_EXECUTION_ENV"], "AWS_Lambda_python3.11");
}

#[test]
fn the_way_to_credentials_is_handed_on() {
    let run = Sandbox::invoke(&python(), "python3.11", "app.environment")
        .variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x")
        .run()
        .json();
    assert_eq!(run["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"], "/v2/credentials/x");
}
