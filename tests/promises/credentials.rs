//! The function's own credentials, while they expire again and again: the real SDKs inside real handlers.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use e2e::{ControlPlane, Deployed, Package, Run, Sandbox, cache, container, python, query};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::123456789012:role/resize";
/// How long credentials are good for: whole seconds, as AWS tells their end.
const LIFE: Duration = Duration::from_secs(3);
/// Long enough for three ends.
const RUN: u64 = 11;

/// A token service whose credentials soon end: it tells a caller which of them it was called with.
#[derive(Default)]
struct Issued {
    until: Vec<Instant>,
    refused: usize,
    role: Option<String>,
}

fn sts(denied: bool) -> (String, Arc<Mutex<Issued>>) {
    let issued = Arc::new(Mutex::new(Issued::default()));
    let desk = Arc::clone(&issued);
    (query(move |head, form| answer(head, form, &desk, denied)), issued)
}

fn answer(head: &str, body: &str, desk: &Mutex<Issued>, denied: bool) -> (u16, String) {
    let mut issued = desk.lock().unwrap();
    let space = "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"";
    let refusal = |code: &str| {
        (
            403,
            format!(
                "<ErrorResponse {space}><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
            ),
        )
    };
    if body.contains("Action=AssumeRole") {
        if denied {
            return refusal("AccessDenied");
        }
        issued.role = body.split('&').find_map(|it| it.strip_prefix("RoleArn=")).map(str::to_owned);
        issued.until.push(Instant::now() + LIFE);
        let number = issued.until.len() - 1;
        let end = in_utc(SystemTime::now() + LIFE);
        return (
            200,
            format!(
                "<AssumeRoleResponse {space}><AssumeRoleResult><Credentials><AccessKeyId>AKID{number}</AccessKeyId><SecretAccessKey>canary-assumed</SecretAccessKey><SessionToken>canary-session</SessionToken><Expiration>{end}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
            ),
        );
    }
    let number: Option<usize> =
        head.split("Credential=AKID").nth(1).and_then(|it| it.split('/').next()?.parse().ok());
    match number.and_then(|number| issued.until.get(number)) {
        Some(until) if Instant::now() < *until + Duration::from_secs(1) => {
            let number = number.unwrap();
            (
                200,
                format!(
                    "<GetCallerIdentityResponse {space}><GetCallerIdentityResult><Arn>{number}</Arn><UserId>A</UserId><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
                ),
            )
        }
        _ => {
            issued.refused += 1;
            refusal("ExpiredToken")
        }
    }
}

/// `2026-10-09T16:43:26Z`
fn in_utc(moment: SystemTime) -> String {
    let output = std::process::Command::new("date")
        .args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d"])
        .arg(format!("@{}", moment.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn run(function: Deployed, sts: &str) -> Run {
    run_as(function.with("Role", json!(ROLE)), sts)
}

fn run_as(function: Deployed, sts: &str) -> Run {
    let plane = ControlPlane::with(function);
    let runtimes = e2e::root().join(".runtimes").display().to_string();
    let sandbox = Sandbox::new(&[])
        .variable("IMMORTAL_RUNTIME_DIR", &runtimes)
        .variable("IMMORTAL_CREDENTIALS", "function")
        .variable("AWS_ENDPOINT_URL_STS", sts)
        .variable("IMMORTAL_FUNCTION", "resize");
    let all = plane.variables();
    all.into_iter().fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value)).run()
}

/// Called all the time, with at least four credentials one after the other, and never with one that had ended.
#[track_caller]
fn outlived(run: &Run, issued: &Mutex<Issued>) {
    let seen = run.ends_with(0).json();
    let mut used: Vec<u64> = seen["used"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap().parse().unwrap())
        .collect();
    assert!(used.is_sorted() && used.len() > 20, "{used:?}");
    used.dedup();
    assert!(used.len() >= 4, "{used:?}");
    let issued = issued.lock().unwrap();
    assert_eq!(
        (issued.refused, issued.role.as_deref()),
        (0, Some("arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fresize"))
    );
    assert_eq!(seen["others"], json!([]), "our own credentials");
    assert!(!run.stderr.contains("canary"), "{}", run.stderr);
}

#[test]
fn boto3_outlives_them() {
    let (url, issued) = sts(false);
    let code = format!(
        "import os, time
def handler(event, context):
    import boto3
    client = boto3.client('sts', endpoint_url='{url}')
    used, end = [], time.monotonic() + {RUN}
    while time.monotonic() < end:
        used.append(client.get_caller_identity()['Arn'])
        time.sleep(0.2)
    others = [name for name in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN',
              'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI') if name in os.environ]
    return {{'used': used, 'others': others}}
"
    );
    let layer = Package::default().directory("python", &cache().join("in-python"));
    let package = Package::default().file("app.py", code);
    outlived(
        &run(Deployed::new(&package, "python3.11", "app.handler").layer(&layer), &url),
        &issued,
    );
}

/// The same in an image, where the function is another user and cannot reach the supervisor's own.
#[test]
fn in_an_image_they_are_the_functions_own() {
    let (url, issued) = sts(false);
    let code = format!(
        "import os
def handler(event, context):
    import boto3
    readable = []
    for name in ('environ', 'mem'):
        try:
            open(f'/proc/1/{{name}}', 'rb').close()
            readable.append(name)
        except OSError:
            pass
    arn = boto3.client('sts', endpoint_url='{url}').get_caller_identity()['Arn']
    return {{'arn': arn, 'readable': readable, 'uid': os.getuid(), 'key': os.environ.get('AWS_ACCESS_KEY_ID')}}
"
    );
    let layer = Package::default().directory("python", &cache().join("in-python"));
    let package = Package::default().file("app.py", code);
    let function = Deployed::new(&package, "python3.11", "app.handler").layer(&layer);
    let plane = ControlPlane::with(function.with("Role", json!(ROLE)));
    let mut variables = plane.variables();
    variables.extend([
        ("IMMORTAL_FUNCTION", "resize"),
        ("IMMORTAL_CREDENTIALS", "function"),
        ("AWS_ENDPOINT_URL_STS", &url),
    ]);
    let seen = container("immortal/python", &variables).ends_with(0).json();
    // Those that it began with may have ended by now.
    assert!(seen["arn"].as_str().is_some_and(|arn| arn.parse::<usize>().is_ok()), "{seen}");
    let expected = (&json!([]), &json!(993), &Value::Null);
    assert_eq!((&seen["readable"], &seen["uid"], &seen["key"]), expected);
    assert!(issued.lock().unwrap().role.is_some());
}

#[test]
fn the_sdk_for_javascript_outlives_them() {
    let (url, issued) = sts(false);
    let code = format!(
        "import {{ GetCallerIdentityCommand, STSClient }} from '@aws-sdk/client-sts';
export const handler = async () => {{
    const client = new STSClient({{ endpoint: '{url}' }});
    const used = [], end = Date.now() + {RUN}000;
    while (Date.now() < end) {{
        used.push((await client.send(new GetCallerIdentityCommand({{}}))).Arn);
        await new Promise((done) => setTimeout(done, 200));
    }}
    const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
    return {{ used, others: names.filter((name) => name in process.env) }};
}};"
    );
    let modules = cache().join("in-nodejs/node_modules");
    let package = Package::default().file("index.mjs", code).directory("node_modules", &modules);
    outlived(&run(Deployed::new(&package, "nodejs20.x", "index.handler"), &url), &issued);
}

#[test]
fn a_role_that_may_not_be_assumed_is_named_with_what_to_allow() {
    let (url, _issued) = sts(true);
    let run = run(Deployed::new(&python(), "python3.11", "app.echo"), &url);
    run.ends_with(69)
        .prints("")
        .says("AssumeRole of `arn:aws:iam::123456789012:role/resize` was refused: AccessDenied");
    run.says("in the trust policy of arn:aws:iam::123456789012:role/resize").says("sts:AssumeRole");
}

#[test]
fn a_function_without_a_role_has_no_credentials_of_its_own() {
    let (url, issued) = sts(false);
    let function = Deployed::new(&python(), "python3.11", "app.echo");
    run_as(function.with("Role", Value::Null), &url).ends_with(64).says("has no role");
    assert!(issued.lock().unwrap().role.is_none());
}
