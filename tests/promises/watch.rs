//! `invoke --watch`: an event runs again when the code has changed, and errors point at its file.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Command;

use e2e::{Sandbox, root};

#[test]
fn a_change_of_the_code_runs_the_event_again() {
    let runtimes = root().join(".runtimes").display().to_string();
    let sandbox = Sandbox::new(&["invoke", "--runtime", "python3.11", "--handler", "app.handler"]);
    let code = sandbox.directory().join("code");
    fs::create_dir(&code).unwrap();
    let write = |text: &str| fs::write(code.join("app.py"), text).unwrap();
    write("def handler(event, context): return 'first'\n");
    let watched = code.display().to_string();
    let sandbox = sandbox.arguments(&["--runtime-dir", &runtimes, "--watch", &watched]);
    let mut child = sandbox.start();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut until = |text: &str| log.by_ref().find(|line| line.contains(text)).unwrap();
    until("exit code 0; waiting for a change");
    write("def handler(event, context): raise ValueError('second')\n");
    let place = until("app.py\", line 1");
    assert!(place.contains(&watched), "{place}");
    until("exit code 1; waiting for a change");
    let stopped = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(stopped.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143));
    assert!(output.stdout.starts_with(b"\"first\""), "{:?}", String::from_utf8(output.stdout));
}
