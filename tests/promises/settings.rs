//! Settings: whatever is wrong is one message that names it, the right exit code, and nothing run.

use e2e::{Package, Sandbox, python};

#[test]
fn bad_usage_is_64_and_names_the_setting() {
    let table: [(&[&str], &str); 5] = [
        (&["invoke"], "<FUNCTION>"),
        (&["invoke", "f", "--max-duration", "long"], "--max-duration: expected a duration"),
        (&["invoke", "f", "--max-duration", "25d"], "at most 24 days"),
        (&["invoke", "a b"], "FUNCTION is no function name: expected"),
        (&["nonsense"], "nonsense"),
    ];
    for (arguments, expected) in table {
        Sandbox::new(arguments).run().ends_with(64).prints("").says(expected);
    }
    Sandbox::new(&[]).run().ends_with(64).says("set IMMORTAL_FUNCTION");
    Sandbox::new(&[]).variable("IMMORTAL_JOB", "s3://b/j").run().ends_with(64).says("IMMORTAL_JOB");
}

#[test]
fn what_cannot_be_run_is_65() {
    let echo = || Sandbox::invoke(&python(), "python3.11", "app.echo");
    echo()
        .event("{\"password\": hunter2}")
        .run()
        .ends_with(65)
        .prints("")
        .says("is not JSON")
        .never_says("hunter2");
    echo().event("@nowhere.json").run().ends_with(65).says("nowhere.json");
    Sandbox::invoke(&python(), "node22.x", "app.echo")
        .run()
        .ends_with(65)
        .says("the nearest is `nodejs22.x`");
    let code =
        ["invoke", "--runtime", "python3.11", "--handler", "h", "--runtime-dir", "/", "--code"];
    let runtimes = e2e::root().join(".runtimes").display().to_string();
    let missing = [
        "invoke",
        "--runtime",
        "python3.11",
        "--handler",
        "h",
        "--runtime-dir",
        &runtimes,
        "--code",
        "no.zip",
    ];
    Sandbox::new(&missing).run().ends_with(65).says("no.zip");
    Sandbox::new(&[&code[..], &["no.zip"]].concat())
        .run()
        .ends_with(64)
        .says("no client for runtime `python3.11`");
    let mut sandbox = Sandbox::new(&missing[..8]);
    let text = sandbox.write("text.zip", "this is no zip file");
    sandbox.arguments(&[&text]).run().ends_with(65).says("expected");
}

#[test]
fn a_package_that_reaches_outside_is_refused_and_nothing_is_run() {
    let package = python().file("../escape", "x");
    let sandbox = Sandbox::invoke(&package, "python3.11", "app.echo");
    sandbox.run().ends_with(65).prints("").says("'..'");
    let left = std::fs::read_dir(sandbox.directory()).unwrap().count();
    assert_eq!(left, 1, "only the package itself is left");
    // The same without that entry runs: the entry is what was refused.
    Sandbox::invoke(&python(), "python3.11", "app.echo").run().ends_with(0);
}

#[test]
fn help_and_version_are_no_errors() {
    let help = Sandbox::new(&["invoke", "--help"]).run();
    help.ends_with(0);
    for flag in [
        "--code",
        "--layer",
        "--runtime",
        "--handler",
        "--event",
        "--env",
        "--memory",
        "--max-duration",
        "--runtime-dir",
    ] {
        assert!(help.stdout.contains(flag), "{flag}");
    }
    Sandbox::new(&["--version"]).run().ends_with(0);
}

#[test]
fn layers_and_code_share_one_limit() {
    let zeros = |megabytes: usize| Package::default().file("zeros", vec![0; megabytes << 20]);
    let run = |layer: usize| {
        let package = zeros(130).file("app.py", e2e::fixture("python/app.py"));
        let mut sandbox = Sandbox::invoke(&package, "python3.11", "app.echo");
        let layer = sandbox.write("layer.zip", zeros(layer).bytes());
        sandbox.arguments(&["--layer", &layer]).run()
    };
    run(130).ends_with(65).prints("").says("bytes when unpacked: ");
    run(100).answers("{}");
}
