//! The one waiter: no exit is lost, whatever else ends at the same moment. A program of its own, since whoever reaps
//! everybody's children can share a process with nobody.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a panic here")]

use std::collections::HashMap;
use std::time::Duration;

use runner::process::{self, Exits, Group, Program};
use runner::session::Exit;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Programs that end at about the same time.
const AT_ONCE: usize = 64;
/// How often each exit code is given; `make soak` sets another number.
const TIMES: usize = 4;

#[expect(clippy::disallowed_methods, reason = "a test that is told how long it may take")]
fn times() -> usize {
    std::env::var("TIMES").ok().map_or(TIMES, |text| text.parse().unwrap())
}

fn shell(script: &str) -> Program {
    Program {
        path: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        variables: [("PATH".to_owned(), "/usr/bin:/bin".to_owned().into())].into(),
        directory: "/".into(),
        user: None,
        log: None,
    }
}

/// Runs them all, and says how each ended that ended otherwise than expected.
async fn wrong(programs: Vec<(Program, Exit)>) -> Vec<(Exit, Option<Exit>)> {
    process::prepare(None).unwrap();
    let exits = Exits::new();
    let mut child = signal(SignalKind::child()).unwrap();
    let (ended, mut told) = mpsc::unbounded_channel();
    let mut wrong = Vec::new();
    for some in programs.chunks(AT_ONCE) {
        let mut expected: HashMap<Group, Exit> = HashMap::new();
        let mut pipes = Vec::new();
        for (program, exit) in some {
            let started = program.start(&exits, &ended).unwrap();
            expected.insert(started.group, *exit);
            pipes.push((started.stdout, started.stderr));
        }
        while !expected.is_empty() {
            tokio::select! {
                Some((group, exit)) = told.recv() => {
                    let meant = expected.remove(&group).unwrap();
                    if exit != meant {
                        wrong.push((meant, Some(exit)));
                    }
                }
                _ = child.recv() => exits.reap(),
                () = tokio::time::sleep(Duration::from_secs(20)) => {
                    wrong.extend(expected.drain().map(|(_, meant)| (meant, None)));
                }
            }
        }
    }
    wrong
}

#[tokio::test]
async fn each_exit_code_and_each_signal_is_told_while_orphans_end() {
    // Each leaves orphans, which end just before and just after it.
    let code = |code: i32| {
        (shell(&format!("(true &) ; (sleep 0.01 &) ; (true &) ; exit {code}")), Exit::Code(code))
    };
    // Those that end a process by default, real-time ones too; 32 and 33 are the C library's own.
    let fatal = (1..=64).filter(|signal| !matches!(signal, 17..=23 | 28 | 32 | 33));
    let signal =
        |signal: i32| (shell(&format!("kill -{signal} $$; sleep 9")), Exit::Signal(signal));
    let mut programs: Vec<(Program, Exit)> =
        (0..times()).flat_map(|_| (0..=255).map(code)).collect();
    programs.extend(fatal.map(signal));
    assert_eq!(wrong(programs).await, []);
}
