//! Processes: one reaper, a whole group that ends, an interruption that is 143.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Child;
use std::time::{Duration, Instant};

use e2e::{Package, Run, Sandbox, python};

/// Waits for a line on the run's standard error.
pub(crate) fn wait_for(child: &mut Child, text: &str) {
    let mut lines = BufReader::new(child.stderr.as_mut().unwrap());
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the run ended before it said `{text}`");
    }
}

pub(crate) fn terminate(child: &Child) {
    let status = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(status.success());
}

/// The most memory of its own that it has used, KiB, once it has ended: a program's code, which is large in a debug
/// build, is not counted.
pub(crate) fn peak_memory(child: &mut Child) -> u64 {
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let path = format!("/proc/{}/status", child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let now = status.split("RssAnon:").nth(1).and_then(|rest| rest.split_whitespace().next());
        peak = now.and_then(|now| now.parse().ok()).unwrap_or(0).max(peak);
        std::thread::sleep(Duration::from_millis(5));
    }
    peak
}

/// Reads what is left and waits.
pub(crate) fn finish(mut child: Child) -> (Run, Duration) {
    let started = Instant::now();
    let mut rest = Vec::new();
    child.stderr.take().unwrap().read_to_end(&mut rest).unwrap();
    let mut output = child.wait_with_output().unwrap();
    output.stderr = rest;
    (output.into(), started.elapsed())
}

/// Processes whose command line has this mark.
fn marked(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .filter(|line| line.starts_with(b"sh\0") && String::from_utf8_lossy(line).contains(mark))
        .count()
}

fn mark(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

#[test]
fn sigterm_ends_everything_within_the_stop_timeout() {
    let mark = mark("stubborn");
    let sandbox = Sandbox::invoke(&python(), "python3.11", "app.stubborn")
        .event(&format!(r#"{{"mark":"{mark}"}}"#))
        .variable("IMMORTAL_STOP_TIMEOUT", "4s");
    let mut child = sandbox.start();
    wait_for(&mut child, "ready");
    // Each of the two forks now and then.
    assert!(marked(&mark) >= 2, "the processes that are to be ended are there");
    terminate(&child);
    let (run, took) = finish(child);
    run.ends_with(143).prints("");
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert_eq!(marked(&mark), 0);
}

/// No way of not ending keeps the program from its end: nobody else has to end it.
#[test]
fn a_stop_ends_by_itself_however_stubborn_the_function_is() {
    let code = "import os, signal, time
def handler(event, context):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    print('ready', flush=True)
    if event == 'stops itself':
        os.kill(os.getpid(), signal.SIGSTOP)
    if event == 'leaves a daemon':
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            time.sleep(600)
    time.sleep(600)
";
    let package = Package::default().file("app.py", code);
    let told = Duration::from_secs(4);
    for shape in ["ignores", "stops itself", "leaves a daemon"] {
        let sandbox = Sandbox::invoke(&package, "python3.11", "app.handler")
            .event(&format!("{shape:?}"))
            .variable("IMMORTAL_STOP_TIMEOUT", "4s");
        let mut child = sandbox.start();
        wait_for(&mut child, "ready");
        terminate(&child);
        let (run, took) = finish(child);
        run.ends_with(143).prints("");
        assert!(took < told, "{shape}: {took:?}");
    }
}

#[test]
fn a_process_left_behind_by_a_handler_is_ended() {
    let mark = mark("daemon");
    let sandbox = Sandbox::invoke(&python(), "python3.11", "app.daemon");
    sandbox.event(&format!(r#"{{"mark":"{mark}"}}"#)).run().answers("\"answered\"");
    assert_eq!(marked(&mark), 0);
}

#[test]
fn an_answer_within_the_grace_counts() {
    let sandbox = Sandbox::invoke(&python(), "python3.11", "app.in_time");
    let mut child = sandbox.start();
    wait_for(&mut child, "ready");
    terminate(&child);
    finish(child).0.answers("\"in time\"");
}

#[test]
fn an_interruption_in_the_first_milliseconds_is_not_lost() {
    let sandbox = Sandbox::invoke(&python(), "python3.11", "app.sleep").event(r#"{"seconds":600}"#);
    for delay in [0, 1, 2, 5, 10, 20, 40] {
        let child = sandbox.start();
        std::thread::sleep(Duration::from_millis(delay));
        terminate(&child);
        let run = finish(child).0;
        // Before `main` runs, the kernel's own default ends a process that is not PID 1; to a shell
        // that is the same number.
        assert_eq!(run.code, 128 + 15, "after {delay} ms: {run:#?}");
    }
}

#[test]
fn orphans_are_reaped() {
    let answer = Sandbox::invoke(&python(), "python3.11", "app.orphans")
        .event(r#"{"count":300}"#)
        .run()
        .json();
    assert_eq!(answer["zombies"], 0);
}
