//! Functions that do their worst: the supervisor stays small, and the run ends with the right outcome.

use e2e::{ControlPlane, Deployed, Package, Run, Sandbox, confined};

use crate::process::{finish, terminate, wait_for};

/// What the supervisor may use, KiB (PID 1 stays below 24 MiB whatever a function does).
const MOST: u64 = 24 << 10;

/// Said by handlers in processes: the most memory that the supervisor has used so far, KiB.
const PEAK: &str = r#"
import os, resource, socket, subprocess, sys, time


def peak():
    status = open(f"/proc/{os.getppid()}/status").read()
    return int(status.split("VmHWM:")[1].split()[0])


def api():
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    return socket.create_connection((host, int(port)))

"#;

fn package(handler: &str) -> Package {
    Package::default().file("app.py", format!("{PEAK}\ndef handler(event, context):\n{handler}"))
}

/// Runs it as a process.
fn run(handler: &str) -> Run {
    Sandbox::invoke(&package(handler), "python3.11", "app.handler").run()
}

/// Runs it in its image.
fn contained(handler: &str, options: &[&str]) -> Run {
    let plane = ControlPlane::with(Deployed::new(&package(handler), "python3.11", "app.handler"));
    let mut variables = plane.variables();
    variables.push(("IMMORTAL_FUNCTION", "resize"));
    confined(options, "immortal/python", &variables)
}

#[track_caller]
fn stays_small(run: &Run) {
    let peak = run.ends_with(0).json().as_u64().unwrap();
    assert!(peak < MOST, "the supervisor's memory peaked at {peak} KiB");
}

#[test]
fn a_gigabyte_on_standard_output() {
    let handler = r#"
    block = (b"x" * 127 + b"\n") * 8192
    for _ in range(1024):
        left = memoryview(block)
        while left:
            left = left[os.write(1, left):]
    return peak()
"#;
    stays_small(&run(handler));
}

#[test]
fn lines_without_an_end_on_standard_error() {
    let handler = r#"
    for _ in range(4):
        left = memoryview(b"y" * (10 << 20))
        while left:
            left = left[os.write(2, left):]
        os.write(2, b"\n")
    return peak()
"#;
    stays_small(&run(handler));
}

#[test]
fn garbage_and_endless_headers_to_its_runtime_api() {
    let handler = r#"
    import random
    random.seed(1)
    starts = (b"", b"GET /2018-06-01/ping HTTP/1.1\r\nX-A: ", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    for start in starts:
        with api() as connection:
            connection.settimeout(10)
            try:
                connection.sendall(start)
                for _ in range(256):
                    connection.sendall(random.randbytes(1 << 16) if not start else b"f" * (1 << 16))
            except OSError:
                pass
    return peak()
"#;
    stays_small(&run(handler));
}

/// Each head is as large as one may be, none ends, and there are more of them than a program should have.
#[test]
fn many_clients_with_endless_headers() {
    let handler = r#"
    clients = []
    for _ in range(350):
        client = api()
        client.settimeout(0.02)
        try:
            client.sendall(b"GET / HTTP/1.1\r\nX-A: " + b"f" * 1_900_000)
        except OSError:
            pass
        clients.append(client)
    return peak()
"#;
    stays_small(&run(handler));
}

/// Calls without end, faster than they can be answered, from hundreds of connections.
const FLOOD: &str = r#"
    call = b"POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" * 2000
    for _ in range(2):
        if os.fork() == 0:
            clients = [api() for _ in range(100)]
            for client in clients:
                client.setblocking(False)
            while True:
                for client in clients:
                    for act in (lambda: client.send(call), lambda: client.recv(1 << 18)):
                        try:
                            act()
                        except BlockingIOError:
                            pass
    print("flooding", flush=True)
    time.sleep(600)
"#;

#[test]
fn a_function_cannot_talk_over_its_own_deadline() {
    let sandbox = Sandbox::invoke(&package(FLOOD), "python3.11", "app.handler");
    let run = sandbox.arguments(&["--max-duration", "2s"]).run();
    assert_eq!(run.ends_with(1).error().0, "Sandbox.Timedout");
}

#[test]
fn a_function_cannot_talk_over_a_stop() {
    let sandbox = Sandbox::invoke(&package(FLOOD), "python3.11", "app.handler");
    let sandbox = sandbox.variable("IMMORTAL_STOP_TIMEOUT", "4s");
    let mut child = sandbox.start();
    wait_for(&mut child, "flooding");
    terminate(&child);
    let (run, took) = finish(child);
    run.ends_with(143);
    assert!(took.as_secs() < 30, "{took:?}");
}

/// Its client may notice and connect again, crash, or wait for ever: the run ends all the same.
#[test]
fn a_runtime_that_closes_its_sockets() {
    let package = package("    os.closerange(3, 256)\n    return 1\n");
    let sandbox = Sandbox::invoke(&package, "python3.11", "app.handler");
    let run = sandbox.arguments(&["--max-duration", "2s"]).run();
    if run.code != 0 {
        let (kind, _) = run.ends_with(1).error();
        assert!(["Sandbox.Timedout", "Runtime.ExitError"].contains(&kind.as_str()), "{kind}");
    }
}

#[test]
fn a_runtime_that_never_asks_for_an_event() {
    let package = Package::default().executable("bootstrap", "#!/bin/sh\nexec sleep 600\n");
    let sandbox = Sandbox::invoke(&package, "provided.al2023", "x");
    let run = sandbox.arguments(&["--init-timeout", "1s"]).run();
    assert_eq!(run.ends_with(1).error().0, "Sandbox.Timedout");
}

/// Forks until there is no more, in a container that allows 200.
#[test]
fn a_fork_bomb_ends_with_the_run() {
    let handler = r"
    children = 0
    try:
        while True:
            if os.fork() == 0:
                time.sleep(600)
                os._exit(0)
            children += 1
    except OSError as error:
        return [children, error.errno]
";
    let run = contained(handler, &["--pids-limit", "200"]);
    let answer = run.ends_with(0).json();
    assert_eq!(answer[1], 11, "EAGAIN");
    assert!((50..200).contains(&answer[0].as_u64().unwrap()), "{answer}");
}

#[test]
fn ten_thousand_orphans_are_reaped_while_it_runs() {
    let handler = r#"
    for _ in range(10_000):
        if os.fork() == 0:
            if os.fork() == 0:
                os._exit(0)
            os._exit(0)
        os.wait()

    def zombies():
        found = 0
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                found += open(f"/proc/{name}/stat").read().rsplit(")", 1)[1].split()[0] == "Z"
            except OSError:
                pass
        return found

    end = time.monotonic() + 10
    while zombies() and time.monotonic() < end:
        time.sleep(0.01)
    return zombies()
"#;
    assert_eq!(contained(handler, &[]).ends_with(0).json(), 0);
}

#[test]
fn a_full_disk_is_told_and_stops_nobody() {
    let fill = r#"
    with open("/tmp/full", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            pass
"#;
    let small = ["--tmpfs", "/tmp:size=16m"];
    contained(&format!("{fill}    return 'small'\n"), &small).answers("\"small\"");
    let run = contained(&format!("{fill}    return 'x' * (8 << 20)\n"), &small);
    let (kind, message) = run.ends_with(1).error();
    assert_eq!(kind, "Sandbox.Failure");
    assert!(message.contains("is the disk full?"), "{message}");
}

/// Whatever the function's process may ask of the supervisor, it is told no.
#[test]
fn the_supervisor_is_out_of_reach() {
    let handler = r#"
    import ctypes, signal
    libc = ctypes.CDLL(None, use_errno=True)
    result = {}

    def attempt(name, act):
        try:
            act()
            result[name] = "allowed"
        except OSError as error:
            result[name] = error.errno

    def call(function, *arguments):
        if function(*arguments) == -1:
            raise OSError(ctypes.get_errno(), "")

    for name in ("environ", "maps", "mem", "auxv", "syscall"):
        attempt(name, lambda: open(f"/proc/1/{name}", "rb").read(1))
    for name in ("cwd", "root", "exe"):
        attempt(name, lambda: os.readlink(f"/proc/1/{name}"))
    attempt("fd", lambda: os.listdir("/proc/1/fd"))
    attempt("kill", lambda: os.kill(1, signal.SIGTERM))
    attempt("ptrace", lambda: call(libc.ptrace, 16, 1, 0, 0))
    word = ctypes.create_string_buffer(8)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(word), 8)
    attempt("process_vm_readv", lambda: call(libc.process_vm_readv, 1, vector, 1, vector, 1, 0))

    def pidfd_getfd():
        call(libc.syscall, 438, os.pidfd_open(1), 0, 0)

    attempt("pidfd_getfd", pidfd_getfd)
    def port():
        taker = socket.socket()
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taker.bind(("127.0.0.1", int(os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")[1])))

    attempt("port", port)
    attempt("task", lambda: open("/var/task/x", "w"))
    attempt("opt", lambda: open("/opt/x", "w"))
    attempt("setuid", lambda: os.setuid(0))
    return result
"#;
    let seen = contained(handler, &[]).ends_with(0).json();
    let allowed: Vec<_> = seen
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, how)| how.as_str() == Some("allowed"))
        .collect();
    assert!(allowed.is_empty() && seen.as_object().unwrap().len() == 17, "{seen}");
}
