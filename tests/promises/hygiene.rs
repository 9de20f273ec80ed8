//! What a function's process is given, and what becomes of what it leaves behind.

use std::path::Path;

use e2e::{ControlPlane, Deployed, Package, Run, Sandbox, container, python};
use serde_json::Value;

/// A runtime that answers with what the kernel says of its own process.
const MIRROR: &str = r#"#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
id=$(curl -sSD - -o /dev/null "$api/next" | sed -n 's/^Lambda-Runtime-Aws-Request-Id: *\([^\r]*\).*/\1/ip' | tr -d '\r')
told() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$$/status"; }
fds=$(ls "/proc/$$/fd" | sort -n | tr '\n' ' ')
limits=$(grep -E 'core file|open files|processes|locked' "/proc/$$/limits" | awk '{print $(NF-2)}' | tr '\n' ' ')
session=$(cut -d ' ' -f 6 "/proc/$$/stat")
printf '{"fds":"%s","blocked":"%s","ignored":"%s","caps":"%s","new":"%s","groups":"%s","umask":"%s","uid":"%s","limits":"%s","leads":%s}' \
    "$fds" "$(told SigBlk)" "$(told SigIgn)" "$(told CapEff)" "$(told NoNewPrivs)" "$(told Groups)" "$(umask)" \
    "$(told Uid | tr '\t' ' ')" "$limits" "$([ "$session" = $$ ] && echo true || echo false)" > "/tmp/mirror.$$"
curl -sS -X POST --data-binary "@/tmp/mirror.$$" "$api/$id/response" > /dev/null
rm "/tmp/mirror.$$"
curl -sS "$api/next"
"#;

fn mirror() -> Package {
    Package::default().executable("bootstrap", MIRROR)
}

/// Checks what holds everywhere.
fn clean(run: &Run) -> Value {
    let seen = run.ends_with(0).json();
    // The shell reads its script from 10; the log channel is the only other.
    let fds: Vec<u32> =
        seen["fds"].as_str().unwrap().split_whitespace().map(|fd| fd.parse().unwrap()).collect();
    let beyond: Vec<&u32> = fds.iter().filter(|fd| **fd > 2 && **fd != 10).collect();
    assert!(fds.starts_with(&[0, 1, 2]) && beyond.len() <= 1, "{seen}");
    let none = "0000000000000000";
    assert_eq!((&seen["blocked"], &seen["ignored"]), (&none.into(), &none.into()), "{seen}");
    assert_eq!((&seen["umask"], &seen["leads"]), (&"0022".into(), &true.into()), "{seen}");
    seen
}

/// A careless parent: descriptors open, signals ignored, a strange umask.
const CARELESS: &str =
    r#"trap '' HUP USR1 PIPE; umask 077; exec 7</etc/passwd 8</etc/hosts; exec "$@""#;

#[test]
fn a_function_inherits_nothing_from_whoever_started_the_runner() {
    let package = mirror();
    let sandbox = Sandbox::invoke(&package, "provided.al2023", "h");
    clean(&sandbox.run_by(&["sh", "-c", CARELESS, "sh"]));
}

#[test]
fn in_an_image_it_has_no_rights_and_lambdas_limits() {
    let plane = ControlPlane::with(Deployed::new(&mirror(), "provided.al2023", "h"));
    let mut variables = plane.variables();
    variables.push(("IMMORTAL_FUNCTION", "resize"));
    let seen = clean(&container("immortal/provided", &variables));
    assert_eq!(seen["caps"], "0000000000000000");
    assert_eq!((&seen["new"], &seen["groups"]), (&"1".into(), &"".into()));
    assert_eq!(seen["uid"], "993 993 993 993");
    assert_eq!(seen["limits"], "10737418240 1024 1024 65536 ");
}

/// PID 1 can still start the function as another user and end it, and nothing else of what root can; and it needs no more
/// from whoever starts the container, who may also let nobody gain rights.
#[test]
fn pid_1_has_no_rights_but_those_it_needs() {
    let code = "def handler(event, context):
    lines = open('/proc/1/status').read().splitlines()
    sets = dict(line.split(':\\t') for line in lines if line.startswith('Cap'))
    return [sets[name] for name in ('CapEff', 'CapPrm', 'CapInh')]
";
    let package = Package::default().file("app.py", code);
    let plane = ControlPlane::with(Deployed::new(&package, "python3.11", "app.handler"));
    let mut variables = plane.variables();
    variables.push(("IMMORTAL_FUNCTION", "resize"));
    // KILL, SETGID, SETUID: bits 5 to 7.
    let few = serde_json::json!(["00000000000000e0", "00000000000000e0", "0000000000000000"]);
    let strict = ["--cap-drop=ALL", "--cap-add=KILL", "--cap-add=SETGID", "--cap-add=SETUID"];
    let strict = [&strict[..], &["--security-opt=no-new-privileges"]].concat();
    for options in [&[][..], &strict] {
        let seen = e2e::confined(options, "immortal/python", &variables).ends_with(0).json();
        assert_eq!(seen, few, "{options:?}");
    }
}

/// Variables by which loaders, runtimes and SDKs are led: the function's owner may set them for the function. The
/// supervisor would neither find Lambda nor the code if it took one of them for itself.
const DANGEROUS: [(&str, &str); 41] = [
    ("LD_LIBRARY_PATH", "/opt/lib"),
    ("LD_PRELOAD", ""),
    ("GCONV_PATH", "/opt/gconv"),
    ("NODE_OPTIONS", "--require=/opt/x.js"),
    ("PYTHONSTARTUP", "/opt/x.py"),
    ("JAVA_TOOL_OPTIONS", "-javaagent:/opt/x.jar"),
    ("HTTP_PROXY", "http://127.0.0.1:1"),
    ("HTTPS_PROXY", "http://127.0.0.1:1"),
    ("ALL_PROXY", "http://127.0.0.1:1"),
    ("http_proxy", "http://127.0.0.1:1"),
    ("https_proxy", "http://127.0.0.1:1"),
    ("SSL_CERT_FILE", "/nowhere"),
    ("SSL_CERT_DIR", "/nowhere"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
    ("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:1"),
    ("AWS_CONFIG_FILE", "/nowhere"),
    ("AWS_PROFILE", "nobody"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere"),
    ("AWS_CA_BUNDLE", "/nowhere"),
    ("AWS_MAX_ATTEMPTS", "0"),
    ("NO_PROXY", "*"),
    ("RES_OPTIONS", "attempts:0"),
    ("GLIBC_TUNABLES", "glibc.malloc.check=3"),
    ("LD_BIND_NOW", "1"),
    ("NODE_PATH", "/opt/x"),
    ("NODE_EXTRA_CA_CERTS", "/nowhere"),
    ("RUBYOPT", "-r/opt/x.rb"),
    ("RUBYLIB", "/opt/x"),
    ("PERL5LIB", "/opt/x"),
    ("PERL5OPT", "-Mx"),
    ("CLASSPATH", "/opt/x.jar"),
    ("_JAVA_OPTIONS", "-javaagent:/opt/x.jar"),
    ("DOTNET_STARTUP_HOOKS", "/opt/x.dll"),
    ("BASH_ENV", "/opt/x.sh"),
    ("RUST_LOG", "trace"),
    ("RUST_BACKTRACE", "full"),
    ("TMPDIR", "/nowhere"),
    ("TZ", "Mars/Olympus"),
    ("IMMORTAL_STOP_TIMEOUT", "never"),
    ("IMMORTAL_DESTINATIONS", "nowhere"),
];

#[test]
fn variables_that_lead_programs_reach_the_function_and_nobody_else() {
    let variables: serde_json::Map<String, Value> =
        DANGEROUS.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let function = Deployed::new(&python(), "python3.11", "app.environment")
        .with("Environment", serde_json::json!({ "Variables": variables }));
    let plane = ControlPlane::with(function);
    let mut own = plane.variables();
    own.push(("IMMORTAL_FUNCTION", "resize"));
    let seen = container("immortal/python", &own).ends_with(0).json();
    for (name, value) in DANGEROUS {
        let found = seen[name].as_str().unwrap_or_else(|| panic!("{name} is not there"));
        // Lambda's own directories come first.
        assert!(
            found == value || (name == "LD_LIBRARY_PATH" && found.contains(value)),
            "{name}: {found}"
        );
    }
}

#[test]
fn a_variable_may_be_as_long_as_the_kernel_allows_and_a_longer_one_is_told() {
    // MAX_ARG_STRLEN: 131,072 bytes with name, `=` and the zero at the end (execve(2)).
    for (length, fits) in [(131_067, true), (131_068, false)] {
        let variables = serde_json::json!({ "Variables": { "BIG": "x".repeat(length) } });
        let function =
            Deployed::new(&python(), "python3.11", "app.echo").with("Environment", variables);
        let plane = ControlPlane::with(function);
        let runtimes = e2e::root().join(".runtimes").display().to_string();
        let sandbox = Sandbox::new(&["invoke", "resize", "--event", "1"])
            .variable("IMMORTAL_RUNTIME_DIR", &runtimes);
        let all = plane.variables();
        let run =
            all.iter().fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value)).run();
        if fits {
            run.ends_with(0).prints("1");
        } else {
            let (kind, message) = run.error();
            assert_eq!(kind, "Runtime.InvalidEntrypoint");
            assert!(message.contains("Argument list too long"), "{message}");
        }
    }
}

/// Workers that come and go while the invocation is at work: what they held together for a while is told.
#[test]
fn the_memory_of_workers_is_told_together() {
    let code = "import os, time
def hold(megabytes, seconds):
    held = bytearray(megabytes << 20)
    for page in range(0, len(held), 4096):
        held[page] = 1
    time.sleep(seconds)
def handler(event, context):
    workers = []
    for _ in range(event['workers']):
        pid = os.fork()
        if pid == 0:
            hold(event['megabytes'], 0.5)
            os._exit(0)
        workers.append(pid)
    for pid in workers:
        os.waitpid(pid, 0)
";
    let package = Package::default().file("app.py", code);
    let used = |workers: u64, megabytes: u64| {
        let event = serde_json::json!({ "workers": workers, "megabytes": megabytes }).to_string();
        let run = Sandbox::invoke(&package, "python3.11", "app.handler")
            .arguments(&["--memory", "4096"])
            .event(&event)
            .run();
        run.ends_with(0);
        let (_, told) = run.stderr.split_once("Max Memory Used: ").unwrap();
        told.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let alone = used(0, 0);
    for (workers, megabytes) in [(1, 256), (2, 128), (4, 64)] {
        // A worker shares the interpreter's pages until it writes to them.
        let (told, held) = (used(workers, megabytes), workers * megabytes);
        let most = alone + held + workers * alone / 2 + held / 20;
        assert!((held..=most).contains(&told), "{workers} x {megabytes} MB beside {alone}: {told}");
    }
}

/// Behind `docker run --init` the runner is not PID 1: what it starts is still its own to reap and to end.
#[test]
fn behind_another_init_nothing_is_left_either() {
    let plane = ControlPlane::with(Deployed::new(&python(), "python3.11", "app.orphans"));
    let mut variables = plane.variables();
    let event = ("IMMORTAL_EVENT", "{\"count\":100}");
    variables.extend([("IMMORTAL_FUNCTION", "resize"), event]);
    let seen = e2e::confined(&["--init"], "immortal/python", &variables).ends_with(0).json();
    assert_ne!(seen["supervisor"], 1);
    assert_eq!(seen["zombies"], 0);
}

#[test]
fn what_a_function_leaves_behind_is_asked_to_end_and_has_time_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::invoke(&python(), "python3.11", "app.leftovers");
    let event = format!(r#"{{"directory":{:?}}}"#, directory.path());
    sandbox.event(&event).run().answers("\"left\"");
    for who in ["group", "session", "daemon"] {
        let path = directory.path().join(who);
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), "ended\n", "{who}");
    }
}

#[test]
fn a_runner_that_is_killed_takes_its_function_with_it() {
    let sandbox = Sandbox::invoke(&python(), "python3.11", "app.sleep").event(r#"{"seconds":600}"#);
    let mut child = sandbox.start();
    crate::process::wait_for(&mut child, "sleeping");
    let function = only_child(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    let gone = || !Path::new(&format!("/proc/{function}")).exists();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !gone() && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(gone(), "the function lives on");
}

fn only_child(parent: u32) -> u32 {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).unwrap().flatten();
    let children =
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let all: String = children.collect();
    all.split_whitespace().next().unwrap().parse().unwrap()
}
