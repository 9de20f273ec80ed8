//! What nobody may read in a log: credentials, addresses that are keys, variables, events, contexts, tokens, answers. Planted
//! in every way in, and looked for in every way out, however it is written.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use e2e::{ControlPlane, Deployed, Run, Sandbox, python};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Different in each place, and such that each way of writing changes it.
fn canary(number: usize) -> String {
    format!("cañary/{number:02}+\"secret\"")
}

/// The ways in which a secret may be written.
fn written(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let escape = |byte: u8| match char::from(byte) {
        plain if plain.is_ascii_alphanumeric() => plain.to_string(),
        _ => format!("%{byte:02X}"),
    };
    let url = secret.bytes().map(escape).collect::<Vec<_>>().concat();
    let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    // Base64 looks different at each of three places; the characters at the seams depend on their neighbours.
    let base64 = (0..3).map(|before| {
        let text = BASE64_STANDARD_NO_PAD.encode(format!("{}{secret}", &"___"[..before]));
        text[4..text.len() - 4].to_owned()
    });
    let plain = [secret.to_owned(), json.trim_matches('"').to_owned(), url, hex];
    plain.into_iter().chain(base64).collect()
}

#[track_caller]
fn silent(run: &Run, what: &str) {
    for number in 0..40 {
        for text in written(&canary(number)) {
            assert!(
                !run.stderr.contains(&text),
                "{what}: canary {number} as {text} in:\n{}",
                run.stderr
            );
            assert!(
                !run.stdout.contains(&text),
                "{what}: canary {number} as {text} on standard output"
            );
        }
    }
}

/// A job full of secrets, and a function with some of its own.
struct Nest {
    root: TempDir,
    plane: ControlPlane,
}

impl Nest {
    fn of(handler: &str, more: &[(&str, Value)]) -> Self {
        let variables: serde_json::Map<String, Value> =
            (0..10).map(|number| (format!("SECRET_{number}"), canary(number).into())).collect();
        let function = Deployed::new(&python(), "python3.11", handler)
            .with("Environment", json!({ "Variables": variables }));
        let function =
            more.iter().fold(function, |function, (key, value)| function.with(key, value.clone()));
        let nest = Self { root: TempDir::new().unwrap(), plane: ControlPlane::with(function) };
        let event: Vec<String> = (10..20).map(canary).collect();
        let context = json!({ "custom": { "a": canary(20) } }).to_string();
        let identity = json!({ "cognitoIdentityId": canary(21) }).to_string();
        let job = json!({
            "version": 1, "id": "j-1", "function": "resize", "event": { "seconds": 0, "code": 3, "secrets": event },
            "context": { "requestId": "r-1", "clientContext": context, "identity": identity },
            "taskToken": canary(22), "origin": { "kind": "direct" }, "destinations": [],
            "created": "2026-10-09T16:43:26.568Z",
        });
        std::fs::create_dir_all(nest.root.path().join("jobs/j-1")).unwrap();
        std::fs::write(nest.root.path().join("jobs/j-1/job.json"), job.to_string()).unwrap();
        nest
    }

    /// The supervisor's own secrets.
    fn own() -> Vec<(&'static str, String)> {
        vec![
            ("AWS_SECRET_ACCESS_KEY", canary(30)),
            ("AWS_SESSION_TOKEN", canary(31)),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", canary(32)),
            ("IMMORTAL_ATTEMPT", "1".to_owned()),
            // Step Functions is not there: the outcome cannot be delivered.
            ("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9".to_owned()),
            ("IMMORTAL_STOP_TIMEOUT", "4s".to_owned()),
        ]
    }

    fn sandbox(&self) -> Sandbox {
        let runtimes = e2e::root().join(".runtimes").display().to_string();
        let address = format!("file://{}/jobs/j-1", self.root.path().display());
        let sandbox = Sandbox::new(&[])
            .variable("IMMORTAL_RUNTIME_DIR", &runtimes)
            .variable("IMMORTAL_JOB", &address);
        let plane =
            self.plane.variables().into_iter().map(|(name, value)| (name, value.to_owned()));
        let all = plane.chain(Self::own());
        all.fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, &value))
    }
}

#[test]
fn no_secret_is_told_whatever_happens() {
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, Value)]);
    let cases: [Case<'_>; 6] = [
        ("an answer", "app.echo", &[]),
        ("an exception", "app.fail", &[]),
        ("a crash", "app.leave", &[]),
        ("no such handler", "app.nowhere", &[]),
        ("no such runtime", "app.echo", &[("Runtime", json!("cobol85"))]),
        ("another digest", "app.echo", &[("CodeSha256", json!("AAAA"))]),
    ];
    for (what, handler, more) in cases {
        let nest = Nest::of(handler, more);
        let sandbox = nest.sandbox();
        let child = sandbox.start();
        // The workflow cannot be told: what is tried again and again must not be told in the log either.
        std::thread::sleep(std::time::Duration::from_millis(1500));
        crate::process::terminate(&child);
        silent(&crate::process::finish(child).0, what);
    }
}

#[test]
fn a_canary_that_sings_is_heard() {
    for text in written(&canary(7)) {
        let run = Run { code: 0, stdout: String::new(), stderr: format!("before {text} after") };
        assert!(std::panic::catch_unwind(|| silent(&run, "song")).is_err(), "{text}");
    }
}
