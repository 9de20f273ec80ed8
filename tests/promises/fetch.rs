//! How code comes here: over ranges, from S3, again when an address has expired, and with a line that
//! says so.

use e2e::{ControlPlane, Deployed, Package, Run, Sandbox};
use serde_json::json;

fn deployed() -> Deployed {
    let code = "def handler(event, context):\n    return 'ran'\n";
    Deployed::new(&Package::default().file("app.py", code), "python3.11", "app.handler")
}

fn run(plane: &ControlPlane, variables: &[(&str, &str)]) -> Run {
    let all = [&plane.variables()[..], variables].concat();
    let runtimes = e2e::root().join(".runtimes").display().to_string();
    let sandbox = Sandbox::new(&[]).variable("IMMORTAL_RUNTIME_DIR", &runtimes);
    all.iter().fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value)).run()
}

#[test]
fn each_package_has_a_line_in_the_log() {
    let layer = Package::default().file("data/x", "1").file("data/y", "2");
    let plane = ControlPlane::with(deployed().layer(&layer));
    run(&plane, &[("IMMORTAL_FUNCTION", "resize")])
        .ends_with(0)
        .prints("\"ran\"")
        .says("function package: ")
        .says("and 1 files out in")
        .says("layer:l:1: ")
        .says("and 2 files out in");
}

#[test]
fn an_expired_address_is_asked_for_again_once() {
    let plane = ControlPlane::with(deployed().code_status(403));
    run(&plane, &[("IMMORTAL_FUNCTION", "resize")])
        .ends_with(69)
        .says("the server answered 403, and the same to a fresh presigned URL");
    let asked = |route: &str| plane.requests().iter().filter(|it| it.contains(route)).count();
    assert_eq!((asked("/functions/resize"), asked("/code")), (2, 2), "{:?}", plane.requests());
}

#[test]
fn a_function_that_was_updated_in_the_meantime_is_not_mixed() {
    let plane = ControlPlane::with(deployed().code_status(403).changing());
    run(&plane, &[("IMMORTAL_FUNCTION", "resize")])
        .ends_with(69)
        .says("the function was updated in the meantime");
}

#[test]
fn code_comes_from_s3_with_the_credentials_of_the_environment() {
    let plane = ControlPlane::with(deployed());
    let endpoint = plane.variables()[0].1.to_owned();
    let arguments =
        ["--code", "s3://bucket/code", "--runtime", "python3.11", "--handler", "app.handler"];
    let sandbox = Sandbox::new(&["invoke"])
        .arguments(&arguments)
        .variable("AWS_ENDPOINT_URL_S3", &endpoint)
        .variable("IMMORTAL_RUNTIME_DIR", &e2e::root().join(".runtimes").display().to_string());
    let variables = plane.variables();
    let sandbox = variables[1..].iter().fold(sandbox, |it, (name, value)| it.variable(name, value));
    sandbox.run().ends_with(0).prints("\"ran\"").says("s3://bucket/code: ");
    let asked = plane.requests().concat();
    assert!(asked.contains("/bucket/code?") && asked.contains("X-Amz-Signature="), "{asked}");
}

#[test]
fn an_object_of_the_account_is_fetched_with_our_own_rights() {
    let mut function = deployed();
    let object = json!({ "S3Bucket": "bucket", "S3Key": "code", "S3ObjectVersion": "v1" });
    function.code = json!({ "RepositoryType": "S3", "ResolvedS3Object": object });
    let plane = ControlPlane::with(function);
    let endpoint = plane.variables()[0].1.to_owned();
    run(&plane, &[("IMMORTAL_FUNCTION", "resize"), ("AWS_ENDPOINT_URL_S3", &endpoint)])
        .ends_with(0)
        .prints("\"ran\"");
    assert!(plane.requests().concat().contains("/bucket/code?versionId=v1&"));
}

#[test]
fn a_package_that_unpacks_to_more_than_is_allowed_is_refused() {
    let package = Package::default().file("app.py", "#").file("big", "x".repeat(2000));
    Sandbox::invoke(&package, "python3.11", "app.handler")
        .arguments(&["--max-unpacked", "1000"])
        .run()
        .ends_with(65)
        .says("2001 found, 1000 allowed");
}
