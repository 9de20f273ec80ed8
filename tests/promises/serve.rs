//! `serve`: the clients that people have call it as if it were Lambda, and it ends when it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};

use e2e::{Package, Run, Sandbox, cache, fixture, nodejs, root};

/// A front door that is open.
struct Door {
    sandbox: Sandbox,
    child: Child,
    endpoint: String,
}

impl Door {
    fn open(package: &Package, runtime: &str, handler: &str, more: &[&str]) -> Self {
        let mut sandbox = Sandbox::new(&["serve", "--port", "0"]);
        let code = sandbox.write("code.zip", package.bytes());
        let runtimes = root().join(".runtimes").display().to_string();
        let function = ["--code", &code, "--runtime", runtime, "--handler", handler];
        let sandbox = sandbox.arguments(&function).arguments(&["--runtime-dir", &runtimes]);
        let sandbox = sandbox.arguments(more);
        let mut child = sandbox.start();
        let endpoint = listening(&mut child);
        Self { sandbox, child, endpoint }
    }

    fn python(more: &[&str]) -> Self {
        let package = Package::default().file("served.py", fixture("python/served.py"));
        Self::open(&package, "python3.11", "served.handler", more)
    }

    fn notes(&self) -> String {
        self.sandbox.directory().join("notes").display().to_string()
    }

    /// Runs a client to its end.
    #[track_caller]
    fn client(&self, program: &Path, arguments: &[&str]) -> Run {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").args(arguments);
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", "none"),
            ("AWS_SECRET_ACCESS_KEY", "none"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", &self.endpoint),
        ] {
            command.env(name, value);
        }
        command.current_dir(self.sandbox.directory());
        command.output().unwrap().into()
    }

    /// Tells it to stop: its exit code, and its standard output.
    fn stop(&mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        let mut printed = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        (self.child.wait().unwrap().code(), printed)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where it listens, as it says; what it says afterwards is read, so that it can say it.
fn listening(child: &mut Child) -> String {
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    loop {
        let before = said.len();
        assert!(stderr.read_line(&mut said).unwrap() > 0, "it did not open:\n{said}");
        let line = said[before..].trim_end();
        if let Some(endpoint) = line.strip_prefix("immortal-runner: listening on ") {
            let endpoint = endpoint.to_owned();
            std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
            return endpoint;
        }
    }
}

fn tool(name: &str) -> std::path::PathBuf {
    root().join(".venv/bin").join(name)
}

#[test]
fn boto3_calls_it_as_if_it_were_lambda() {
    let door = Door::python(&[]);
    let script = root().join("tests/clients/boto.py").display().to_string();
    let run = door.client(&tool("python"), &[&script, &door.endpoint, &door.notes()]);
    run.ends_with(0).prints("");
}

#[test]
fn boto3_finds_a_pool_of_runtimes_too() {
    let door = Door::python(&["--concurrency", "4"]);
    let script = root().join("tests/clients/boto.py").display().to_string();
    let run = door.client(&tool("python"), &[&script, &door.endpoint, &door.notes()]);
    run.ends_with(0).prints("");
}

#[test]
fn the_sdk_for_javascript_reads_its_streams() {
    let modules = cache().join("client-lambda@3.1164.0").display().to_string();
    let script = root().join("tests/clients/sdk.mjs").display().to_string();
    for (handler, does) in [("index.stream", "stream"), ("index.brokenStream", "broken")] {
        let door = Door::open(&nodejs(), "nodejs20.x", handler, &[]);
        let arguments = [&script, &modules, &door.endpoint, does].map(|it: &str| it);
        door.client(Path::new("node"), &arguments).ends_with(0).prints("");
    }
}

#[test]
fn the_aws_cli_invokes_it() {
    let door = Door::python(&[]);
    let aws = |more: &[&str]| {
        let arguments = ["lambda", "invoke", "--function-name", "any:7", "--output", "json", "out"];
        door.client(&tool("aws"), &[&arguments[..], more].concat())
    };
    let run = aws(&["--payload", r#"{"a": 1}"#, "--log-type", "Tail"]);
    let said = run.ends_with(0).json();
    assert_eq!((&said["StatusCode"], &said["ExecutedVersion"]), (&200.into(), &"$LATEST".into()));
    assert!(said["LogResult"].is_string(), "{said}");
    let out = std::fs::read(door.sandbox.directory().join("out")).unwrap();
    let out: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(out["event"]["a"], 1);
    assert!(out["arn"].as_str().unwrap().ends_with(":7"), "{out}");
    let event = aws(&["--invocation-type", "Event", "--payload", "{}"]).ends_with(0).json();
    assert_eq!(event["StatusCode"], 202);
    let failed = aws(&["--payload", r#"{"do": "fail"}"#]).ends_with(0).json();
    assert_eq!(failed["FunctionError"], "Unhandled");
}

#[test]
fn cargo_lambda_invokes_it() {
    let door = Door::python(&[]);
    let port = door.endpoint.rsplit_once(':').unwrap().1;
    let context = r#"{"custom":{"k":"v"}}"#;
    // Without an address it asks ::1, where this machine has that.
    let run = door.client(
        &tool("cargo-lambda"),
        &[
            "lambda",
            "invoke",
            "--invoke-address",
            "127.0.0.1",
            "--invoke-port",
            port,
            "--data-ascii",
            "[1]",
            "--client-context-ascii",
            context,
            "any-name",
        ],
    );
    let said = run.ends_with(0).json();
    assert_eq!((&said["event"][0], &said["custom"]["k"]), (&1.into(), &"v".into()));
}

#[test]
fn curl_and_health_checks_speak_to_it_as_to_the_emulator() {
    let door = Door::python(&[]);
    let curl = |arguments: &[&str]| {
        door.client(Path::new("curl"), &[&["-sS", "--fail-with-body"], arguments].concat())
    };
    let path = "/2015-03-31/functions/function/invocations";
    let url = format!("{}{path}", door.endpoint);
    let answer = curl(&["-d", "{}", &url]);
    assert!(answer.json()["event"].is_object());
    for arguments in [&["-I", &door.endpoint][..], &[&door.endpoint], &["-X", "OPTIONS", &url]] {
        curl(arguments).ends_with(0);
    }
    // A port check connects and says nothing.
    drop(TcpStream::connect(door.endpoint.strip_prefix("http://").unwrap()).unwrap());
    // With `Expect: 100-continue`, as curl sends large events.
    let mut large = std::fs::File::create(door.sandbox.directory().join("large")).unwrap();
    write!(large, "\"{}\"", "x".repeat(3 << 20)).unwrap();
    let answer = curl(&["-H", "Expect: 100-continue", "--data-binary", "@large", &url]);
    assert_eq!(answer.json()["event"].as_str().unwrap().len(), 3 << 20);
}

#[test]
fn told_to_stop_it_stops_and_has_printed_nothing_but_its_log() {
    let mut door = Door::python(&[]);
    let url = format!("{}/2015-03-31/functions/function/invocations", door.endpoint);
    door.client(Path::new("curl"), &["-sS", "-d", "1", &url]).ends_with(0);
    let (_, printed) = door.stop();
    assert_eq!(printed, "");
    assert!(TcpStream::connect(door.endpoint.strip_prefix("http://").unwrap()).is_err());
}
