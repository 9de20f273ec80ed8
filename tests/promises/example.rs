//! The README's first command: functions deployed to a local Lambda API with a Timeout of 3 s run for 5 s.

use std::process::Command;

use e2e::{Run, root, runner};

#[test]
fn the_shipped_examples_outlive_their_timeout() {
    let python = root().join(".venv/bin/python");
    assert!(python.is_file(), "{} is missing: `make setup` makes it", python.display());
    let output =
        Command::new(python).arg(root().join("docs/example/run.py")).arg(runner()).output();
    let run = Run::from(output.unwrap());
    run.ends_with(0).says("Timeout 3 s, works for 5 s").says("example-nodejs: 5 s of work done");
    assert_eq!(run.stdout.matches("\"worked\"").count(), 2, "{run:#?}");
}
