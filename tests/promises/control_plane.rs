//! A deployed function: GetFunction, layers, the digest, and every hole in the answer.

use e2e::{ControlPlane, Deployed, Package, Run, Sandbox, python};
use serde_json::json;

fn deployed() -> Deployed {
    Deployed::new(&python(), "python3.11", "app.echo")
}

fn run(plane: &ControlPlane, variables: &[(&str, &str)]) -> Run {
    let runtimes = e2e::root().join(".runtimes").display().to_string();
    let sandbox = Sandbox::new(&[]).variable("IMMORTAL_RUNTIME_DIR", &runtimes);
    let all = plane.variables().into_iter().chain(variables.iter().copied());
    all.fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value)).run()
}

#[test]
fn a_deployed_function_is_described_fetched_and_run() {
    let plane = ControlPlane::with(deployed().with("Handler", json!("app.context_fields")));
    let context = run(&plane, &[("IMMORTAL_FUNCTION", "resize"), ("IMMORTAL_EVENT", "{}")]).json();
    assert_eq!(context["arn"], "arn:aws:lambda:eu-west-1:123456789012:function:resize");
    assert_eq!((&context["name"], &context["memory"]), (&"resize".into(), &"512".into()));
    assert_eq!(plane.requests()[0], "/2015-03-31/functions/resize");
}

#[test]
fn a_qualifier_is_a_parameter_of_its_own() {
    let plane = ControlPlane::with(deployed());
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:resize:live";
    run(&plane, &[("IMMORTAL_FUNCTION", arn), ("IMMORTAL_EVENT", "[2]")]).answers("[2]");
    assert!(
        plane.requests()[0].ends_with("function%3Aresize?Qualifier=live"),
        "{:?}",
        plane.requests()
    );
}

#[test]
fn invoke_runs_a_deployed_function_too() {
    let plane = ControlPlane::with(deployed());
    let runtimes = e2e::root().join(".runtimes").display().to_string();
    let sandbox = Sandbox::new(&["invoke", "resize", "--event", "3", "--runtime-dir", &runtimes]);
    let sandbox = plane
        .variables()
        .into_iter()
        .fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value));
    sandbox.run().answers("3");
}

#[test]
fn layers_are_fetched_and_the_later_one_wins() {
    let layer =
        |value: &str| Package::default().file("python/layered.py", format!("VALUE = {value:?}"));
    let function = deployed()
        .with("Handler", json!("app.layered"))
        .layer(&layer("lower"))
        .layer(&layer("upper"));
    let plane = ControlPlane::with(function);
    run(&plane, &[("IMMORTAL_FUNCTION", "resize")]).answers("\"upper\"");
}

#[test]
fn the_functions_variables_are_set() {
    let variables = json!({ "Variables": { "TABLE": "t" } });
    let plane = ControlPlane::with(
        deployed().with("Handler", json!("app.environment")).with("Environment", variables),
    );
    let environment = run(&plane, &[("IMMORTAL_FUNCTION", "resize")]).json();
    assert_eq!(
        (&environment["TABLE"], &environment["AWS_REGION"]),
        (&"t".into(), &"eu-west-1".into())
    );
}

#[test]
fn the_ancestors_variables_do_the_same() {
    let plane = ControlPlane::with(deployed().with("Handler", json!("src/other.context_fields")));
    let context = r#"{"awsRequestId":"known-id","clientContext":{"custom":{"k":"v"}},"identity":{"cognitoIdentityId":"c","cognitoIdentityPoolId":"p"}}"#;
    let answer = run(
        &plane,
        &[
            ("AWS_LAMBDA_HANDLER_NAME", "resize"),
            ("AWS_LAMBDA_HANDLER_EVENT", "{}"),
            ("AWS_LAMBDA_HANDLER_CONTEXT", context),
            ("AWS_LAMBDA_HANDLER_PATH", "app"),
            ("REGION", "eu-west-1"),
        ],
    )
    .json();
    assert_eq!(answer["request_id"], "known-id");
    assert_eq!((&answer["client"], &answer["identity"]), (&json!({ "k": "v" }), &"c".into()));
}

#[test]
fn other_code_than_the_one_deployed_is_not_run() {
    let plane = ControlPlane::with(deployed().with("CodeSha256", json!("AAAA")));
    run(&plane, &[("IMMORTAL_FUNCTION", "resize")])
        .ends_with(65)
        .prints("")
        .says("expected CodeSha256 AAAA, found ");
}

#[test]
fn each_fault_of_aws_is_named() {
    let hidden = json!({ "Error": { "ErrorCode": "AccessDeniedException", "Message": "no kms" } });
    let without_code = || {
        let mut function = deployed();
        function.code = json!({ "RepositoryType": "S3" });
        function
    };
    let faults = [
        (
            deployed().with("Environment", hidden),
            "resize",
            "hides the environment: AccessDeniedException: no kms",
        ),
        (without_code(), "resize", "has no Code.Location"),
        (deployed().with("PackageType", json!("Image")), "resize", "has no Code.ImageUri"),
        (deployed().code_status(403), "resize", "the server answered 403"),
        (deployed(), "missing", "was refused: ResourceNotFoundException: Function not found"),
    ];
    for (function, name, expected) in faults {
        let plane = ControlPlane::with(function);
        run(&plane, &[("IMMORTAL_FUNCTION", name)]).ends_with(69).prints("").says(expected);
    }
    let unreachable =
        [("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:1"), ("AWS_MAX_ATTEMPTS", "1")];
    let plane = ControlPlane::with(deployed());
    let variables = [&unreachable[..], &[("IMMORTAL_FUNCTION", "resize")]].concat();
    run(&plane, &variables).ends_with(69).says("GetFunction of `resize` got no answer");
}

#[test]
fn no_secret_reaches_the_log() {
    let secret = json!({ "Variables": { "PASSWORD": "canary-variable" } });
    let functions =
        [deployed(), deployed().code_status(403), deployed().with("CodeSha256", json!("AAAA"))];
    for function in functions {
        let plane = ControlPlane::with(function.with("Environment", secret.clone()));
        let run = run(
            &plane,
            &[("IMMORTAL_FUNCTION", "resize"), ("IMMORTAL_EVENT", "{\"e\":\"canary-event\"}")],
        );
        for canary in ["canary-signature", "canary-secret-key", "canary-variable", "canary-event"] {
            assert!(!run.stderr.contains(canary), "{canary} is in:\n{}", run.stderr);
        }
    }
}
