//! The runner dies, fails or hesitates before and after each of its calls of the ledger: its job is brought to its end by
//! the next attempt, with one outcome.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::chaos::{arrived, send};
use crate::points::{around, begun, failing, request, world};
use crate::world::World;

const FAST: &str = "[serve]\nevery = \"1s\"\n[watch]\nattempts = 8\npause = \"1s\"\ngrace = \"2s\"\nunseen = \"2s\"\n";
/// The runner's calls of the ledger.
const CALLS: [&str; 11] = [
    "read job",
    "read outcome",
    "create attempts",
    "read attempts",
    "write attempts",
    "create outcome",
    "write outcome",
    "read response",
    "copy attempts",
    "delete attempts",
    "delete active",
];
/// More than a record holds: it is spooled beside the attempt, and moved when the outcome is decided.
const LARGE: u64 = 300 << 10;

/// A program that is the runner, whose first attempt at a job meets what is written in the job's file.
fn launcher(world: &World, runner: &std::path::Path) -> String {
    let program = world.path("runner.sh");
    let script = format!(
        "#!/bin/sh\n[ \"$IMMORTAL_ATTEMPT\" != 1 ] || export IMMORTAL_FAILPOINT=\"$(cat '{}/'\"${{IMMORTAL_JOB##*/}}\".point)\"\nexec '{}' \"$@\"\n",
        world.directory.path().display(),
        runner.display(),
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    format!(
        "[launch]\nlauncher = \"process\"\nat_once = 12\n[process]\nrunner = \"{}\"\nlogs = \"{}\"\n",
        program.display(),
        world.path("logs").display(),
    )
}

#[test]
fn a_job_has_one_outcome_wherever_its_runner_dies() {
    let Some(runner) = failing("immortal-runner") else { return };
    let world = world();
    world.launched_by(&launcher(&world, &runner), &(world.queue("auto") + FAST));
    let mut cases = Vec::new();
    for point in around(&CALLS) {
        for action in ["kill", "panic", "error", "delay"] {
            cases
                .push((format!("{point}-{action}").replace(' ', "-"), format!("{point}:{action}")));
        }
    }
    for (id, entry) in &cases {
        fs::write(world.path(&format!("{id}.point")), entry).unwrap();
    }
    let bodies: Vec<String> =
        cases.iter().map(|(id, _)| request(&world, id, 0, LARGE).to_string()).collect();
    send(&world, &bodies);
    let _serving = world.serve();
    world.until("all messages are deleted", || world.left() == 0);
    world.until("no job is unfinished", || world.unfinished() == 0);
    for (id, entry) in &cases {
        let log = fs::read_to_string(world.path(&format!("logs/{id}-1.log"))).unwrap();
        assert!(
            log.contains(&format!("the failpoint {entry}\n")),
            "{entry} was never reached: {log}"
        );
    }
    let arrived = arrived(&world);
    let expected: BTreeSet<&String> = cases.iter().map(|(id, _)| id).collect();
    assert_eq!(arrived.keys().collect::<BTreeSet<_>>(), expected);
    for (id, records) in &arrived {
        let payloads: BTreeSet<String> =
            records.iter().map(|record| record["responsePayload"].to_string()).collect();
        assert_eq!(payloads.len(), 1, "the outcomes of {id}");
        assert_eq!(records[0]["requestContext"]["condition"], "Success", "{id}");
        let attempts = fs::read_dir(world.path(&format!("ledger/jobs/{id}/attempts"))).unwrap();
        assert!(begun(&world, id) <= attempts.count().max(1), "{id} was begun too often");
    }
    eprintln!(
        "{} points at which a runner died, was refused, got no answer or hesitated",
        cases.len()
    );
}
