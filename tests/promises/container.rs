//! The images: the runner is PID 1, the function is somebody else and may do little.

use std::process::Command;

use e2e::{ControlPlane, Deployed, Package, Run, confined, container, fixture, nodejs, python};
use serde_json::json;

fn run(image: &str, function: Deployed, event: &str) -> Run {
    let plane = ControlPlane::with(function);
    let variables = [("IMMORTAL_FUNCTION", "resize"), ("IMMORTAL_EVENT", event), ("CANARY", "x")];
    container(image, &[&plane.variables()[..], &variables].concat())
}

#[test]
fn each_language_runs_in_its_image() {
    run("immortal/python", Deployed::new(&python(), "python3.11", "app.echo"), "[1]")
        .answers("[1]");
    run("immortal/nodejs", Deployed::new(&nodejs(), "nodejs22.x", "index.echo"), "[2]")
        .answers("[2]");
    let shell = Package::default().executable("bootstrap", fixture("provided/curl.sh"));
    run("immortal/provided", Deployed::new(&shell, "provided.al2", "h"), "[3]")
        .answers("handler=h event=[3]");
    let program = std::fs::read(env!("CARGO_BIN_EXE_rust-bootstrap")).unwrap();
    let program = Package::default().executable("bootstrap", program);
    let answer =
        run("immortal/provided", Deployed::new(&program, "provided.al2023", "h"), "[4]").json();
    assert_eq!(answer["event"], json!([4]));
}

/// Compiled with AWS's interfaces, as they lie in the image.
fn java() -> (Package, Package) {
    let work = tempfile::tempdir().unwrap();
    let script = r#"cd "$WORK"
        id=$(docker create immortal/java) && docker cp --quiet "$id:/var/runtime/lib" . && docker rm "$id" >/dev/null
        javac --release 8 -Xlint:-options -cp 'lib/*' -d . "$SOURCES"/*.java
        jar --create --file layered.jar Layered.class && jar --create --file helper.jar Helper.class"#;
    let sources = e2e::root().join("tests/fixtures/java");
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script]).env("WORK", work.path()).env("SOURCES", sources);
    assert!(command.status().unwrap().success());
    let read = |name: &str| std::fs::read(work.path().join(name)).unwrap();
    let package = Package::default().file("App.class", read("App.class"));
    let package = package.file("lib/helper.jar", read("helper.jar"));
    (package, Package::default().file("java/lib/layered.jar", read("layered.jar")))
}

#[test]
fn java_runs_in_its_image() {
    let (package, layer) = java();
    let deployed = || Deployed::new(&package, "java17", "App::handleRequest").layer(&layer);
    let run_java = |event: &str| run("immortal/java", deployed(), event);
    let answered = run_java(r#"{"a":[1]}"#);
    let expected = json!({
        "event": { "a": [1] }, "arn": "arn:aws:lambda:eu-west-1:123456789012:function:resize",
        "patient": true, "layered": "Layered", "helper": "Helper",
    });
    assert_eq!(answered.json(), expected);
    answered.ends_with(0).says("asked for [a]\n");
    let failed = run_java(r#"{"fail":true}"#);
    let (kind, message) = failed.error();
    assert_eq!((&*kind, &*message), ("java.lang.IllegalStateException", "asked to fail"));
    assert!(failed.json()["stackTrace"][0].as_str().unwrap().starts_with("App.handleRequest"));
}

/// What a careful task definition asks for: only `/tmp` and the function's own directories can be written.
#[test]
fn a_read_only_image_without_new_privileges_will_do() {
    let layer = Package::default().file("python/layered.py", "VALUE = __file__");
    let options = [
        "--read-only",
        "--security-opt",
        "no-new-privileges",
        "--tmpfs",
        "/tmp:exec",
        "--tmpfs",
        "/var/task:exec",
        "--tmpfs",
        "/opt:exec",
    ];
    let careful = |image: &str, function: Deployed| {
        let plane = ControlPlane::with(function);
        let variables = [&plane.variables()[..], &[("IMMORTAL_FUNCTION", "resize")]].concat();
        confined(&options, image, &variables)
    };
    let layered = Deployed::new(&python(), "python3.11", "app.layered").layer(&layer);
    careful("immortal/python", layered).answers("\"/opt/python/layered.py\"");
    careful("immortal/nodejs", Deployed::new(&nodejs(), "nodejs22.x", "index.echo")).answers("{}");
    let program = std::fs::read(env!("CARGO_BIN_EXE_rust-bootstrap")).unwrap();
    let program = Package::default().executable("bootstrap", program);
    careful("immortal/provided", Deployed::new(&program, "provided.al2023", "h")).ends_with(0);
}

#[test]
fn layers_lie_in_opt() {
    let layer = Package::default().file("python/layered.py", "VALUE = __file__");
    let function = Deployed::new(&python(), "python3.11", "app.layered").layer(&layer);
    run("immortal/python", function, "{}").answers("\"/opt/python/layered.py\"");
}

#[test]
fn the_function_is_confined() {
    let function = Deployed::new(&python(), "python3.11", "app.confinement");
    let found = run("immortal/python", function, "{}").json();
    let expected = json!({
        "uid": 993, "gid": 990, "groups": [], "cwd": "/var/task", "no_new_privs": "1",
        "blocked": "0000000000000000", "capabilities": "0000000000000000",
        "task": false, "opt": false, "tmp": true, "supervisor_environment": false,
    });
    assert_eq!(found, expected);
}

#[test]
fn the_environment_is_lambdas() {
    let function = Deployed::new(&python(), "python3.11", "app.environment");
    let found = run("immortal/python", function, "{}").json();
    let libraries = "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib";
    let expected = [
        ("PATH", "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        ("LD_LIBRARY_PATH", libraries),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("PYTHONPATH", "/var/runtime"),
        ("PWD", "/var/task"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.11"),
    ];
    for (name, value) in expected {
        assert_eq!(found[name], value, "{name}");
    }
    for name in ["CANARY", "IMMORTAL_FUNCTION", "IMMORTAL_OPT", "HOME", "HOSTNAME"] {
        assert!(found.get(name).is_none(), "{name}");
    }
}

#[test]
fn a_function_out_of_memory_is_killed_and_the_supervisor_tells() {
    out_of_memory("app.hoard");
}

#[test]
fn a_swarm_out_of_memory_is_killed_before_the_supervisor() {
    out_of_memory("app.swarm");
}

fn out_of_memory(handler: &str) {
    let function = Deployed::new(&python(), "python3.11", handler);
    let plane = ControlPlane::with(function);
    let variables = [&plane.variables()[..], &[("IMMORTAL_FUNCTION", "resize")]].concat();
    let run = confined(&["--memory", "64m"], "immortal/python", &variables);
    let (kind, message) = run.error();
    assert_eq!(kind, "Runtime.ExitError");
    assert!(message.ends_with("Error: Runtime exited with error: signal: killed"), "{message}");
    run.says("Status: error\tError Type: Runtime.OutOfMemory");
}

/// What the kernel kills is counted, whether or not the function ends of it; and only that: neither a SIGKILL of
/// somebody's nor files in memory up to the limit.
#[test]
fn only_what_was_killed_for_want_of_memory_is_called_so() {
    let code = "import os, signal, time
def handler(event, context):
    if event == 'killed':
        os.kill(os.getpid(), signal.SIGKILL)
    if event == 'files':
        with open('/tmp/large', 'wb') as file:
            for _ in range(200):
                file.write(bytes(1 << 20))
        os.kill(os.getpid(), signal.SIGKILL)
    child = os.fork()
    if child == 0:
        held = []
        while True:
            held.append(bytearray(8 << 20))
    status = os.waitpid(child, 0)[1]
    if event == 'killed later':
        time.sleep(7)
        os.kill(os.getpid(), signal.SIGKILL)
    if event == 'leaves':
        os._exit(0)
    return os.WTERMSIG(status)
";
    let package = Package::default().file("app.py", code);
    let told = "has killed 1 process for want of memory";
    for (event, is_told) in [
        ("killed", false),
        ("files", false),
        ("goes on", true),
        ("leaves", true),
        ("killed later", true),
    ] {
        let plane = ControlPlane::with(Deployed::new(&package, "python3.11", "app.handler"));
        let text = json!(event).to_string();
        let variables = [("IMMORTAL_FUNCTION", "resize"), ("IMMORTAL_EVENT", &text)];
        let variables = [&plane.variables()[..], &variables].concat();
        let run = confined(&["--memory", "64m"], "immortal/python", &variables);
        assert_eq!(run.stderr.contains(told), is_told, "{event}: {run:#?}");
        run.never_says("Runtime.OutOfMemory");
        match event {
            "goes on" => run.answers("9"),
            _ => run.ends_with(1).says("Error Type: Runtime.ExitError"),
        };
    }
}

#[test]
fn pid_1_reaps_orphans() {
    let function = Deployed::new(&python(), "python3.11", "app.orphans");
    let found = run("immortal/python", function, r#"{"count":300}"#).json();
    assert_eq!(found, json!({ "zombies": 0, "supervisor": 1 }));
}

#[test]
fn a_function_for_another_image_is_refused() {
    let function = Deployed::new(&nodejs(), "nodejs22.x", "index.echo");
    run("immortal/python", function, "{}").ends_with(64).says("no client for runtime `nodejs22.x`");
}

#[test]
fn a_restarted_container_runs_again() {
    let plane = ControlPlane::with(Deployed::new(&python(), "python3.11", "app.echo"));
    let name = format!("immortal-test-restart-{}", std::process::id());
    let mut create = Command::new("docker");
    create.args(["create", "--network", "host", "--name", &name, "-e", "IMMORTAL_FUNCTION=resize"]);
    for (variable, value) in plane.variables() {
        create.args(["-e", &format!("{variable}={value}")]);
    }
    assert!(create.arg("immortal/python").status().unwrap().success());
    let start =
        || Run::from(Command::new("docker").args(["start", "--attach", &name]).output().unwrap());
    let runs = [start(), start()];
    assert!(Command::new("docker").args(["rm", "--force", &name]).status().unwrap().success());
    runs[0].answers("{}");
    runs[1].answers("{}");
}

#[test]
fn docker_stop_ends_with_143_and_a_signal_to_pid_1_is_not_lost() {
    let plane = ControlPlane::with(Deployed::new(&python(), "python3.11", "app.sleep"));
    let name = format!("immortal-test-stop-{}", std::process::id());
    let mut start = Command::new("docker");
    start.args([
        "run",
        "--detach",
        "--network",
        "host",
        "--name",
        &name,
        "-e",
        "IMMORTAL_FUNCTION=resize",
    ]);
    start.args(["-e", r#"IMMORTAL_EVENT={"seconds":600}"#]);
    for (variable, value) in plane.variables() {
        start.args(["-e", &format!("{variable}={value}")]);
    }
    assert!(start.arg("immortal/python").output().unwrap().status.success());
    assert!(
        Command::new("docker")
            .args(["stop", "--time", "60", &name])
            .output()
            .unwrap()
            .status
            .success()
    );
    let code = Command::new("docker").args(["wait", &name]).output().unwrap().stdout;
    Command::new("docker").args(["rm", "--force", &name]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&code).trim(), "143");
}

#[test]
fn an_extension_is_told_what_happens() {
    let layer =
        Package::default().executable("extensions/telling.py", fixture("extensions/telling.py"));
    let function = Deployed::new(&python(), "python3.11", "app.echo").layer(&layer);
    let run = run("immortal/python", function, "[5]");
    run.answers("[5]");
    run.says("TELEMETRY\tName: telling.py\tState: Subscribed\tTypes: [Platform, Function]");
    run.says("EXTENSION\tName: telling.py\tState: Ready\tEvents: [INVOKE, SHUTDOWN]");
    let events: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("event ")).collect();
    assert!(events[0].contains("INVOKE") && events[0].ends_with("uid 993"), "{events:?}");
    assert!(events[1].contains(r#""shutdownReason":"spindown""#), "{events:?}");
    let told = |kind: &str| run.says(&format!(r#""type": "{kind}""#));
    for kind in ["platform.initStart", "platform.start", "platform.runtimeDone", "platform.report"]
    {
        told(kind);
    }
}

/// In AWS's base images the emulator is started where nobody else is the Runtime API.
#[test]
fn it_takes_the_place_of_the_emulator() {
    let code = tempfile::tempdir().unwrap();
    std::fs::write(code.path().join("app.py"), fixture("python/app.py")).unwrap();
    let name = format!("immortal-test-emulator-{}", std::process::id());
    let mounts = [
        format!("{}:/var/task:ro", code.path().display()),
        format!("{}:/usr/local/bin/aws-lambda-rie:ro", e2e::runner().display()),
    ];
    let docker = |arguments: &[&str]| Command::new("docker").args(arguments).output().unwrap();
    let started = docker(&[
        "run",
        "-d",
        "--rm",
        "--network",
        "none",
        "--name",
        &name,
        "-v",
        &mounts[0],
        "-v",
        &mounts[1],
        "-e",
        "_HANDLER=app.echo",
        "-e",
        "AWS_LAMBDA_FUNCTION_NAME=mine",
        "--entrypoint",
        "/usr/local/bin/aws-lambda-rie",
        "-w",
        "/var/task",
        "immortal/python",
        "/var/runtime/bootstrap",
    ]);
    assert!(started.status.success(), "{started:?}");
    let script = "
import time, urllib.request
url = 'http://127.0.0.1:8080/2015-03-31/functions/function/invocations'
for _ in range(100):
    try:
        print(urllib.request.urlopen(url, b'[6]').read().decode(), end='')
        break
    except OSError:
        time.sleep(0.05)
";
    let called = docker(&["exec", &name, "python3", "-c", script]);
    docker(&["kill", &name]);
    assert_eq!(String::from_utf8_lossy(&called.stdout), "[6]", "{called:?}");
}
