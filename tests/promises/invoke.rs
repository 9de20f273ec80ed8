//! `invoke`: standard output is the payload and nothing else, the log is Lambda's, the event comes from
//! where it was said to be.

use e2e::{Package, Sandbox, python};

fn echo() -> Sandbox {
    Sandbox::invoke(&python(), "python3.11", "app.echo")
}

#[test]
fn standard_output_is_the_payload_byte_for_byte() {
    echo().event(r#"{"a": 1.50}"#).run().answers(r#"{"a": 1.5}"#);
}

#[test]
fn the_log_is_lambdas_around_the_functions_own_lines() {
    let run = Sandbox::invoke(&python(), "python3.11", "app.talk").run();
    run.answers("\"done\"");
    let id = run.request_id();
    let lines: Vec<&str> = run.stderr.lines().collect();
    let start = lines.iter().position(|line| line.starts_with("START")).unwrap();
    assert_eq!(lines[start], format!("START RequestId: {id} Version: $LATEST"));
    let mut own = lines[start + 1..start + 4].to_vec();
    own.sort_unstable();
    assert_eq!(own, ["on stderr", "on stdout", "without an end"]);
    assert_eq!(lines[start + 4], format!("END RequestId: {id}"));
    let report = lines[start + 5].split('\t').collect::<Vec<_>>();
    let labels = [
        "REPORT RequestId",
        "Duration",
        "Billed Duration",
        "Memory Size",
        "Max Memory Used",
        "Init Duration",
    ];
    let found: Vec<&str> = report.iter().map(|field| field.split(": ").next().unwrap()).collect();
    assert_eq!(found[..6], labels, "{report:?}");
    assert_eq!((report[3], report[6]), ("Memory Size: 128 MB", ""));
    assert_eq!(lines.len(), start + 6);
}

#[test]
fn the_event_is_text_a_file_or_standard_input() {
    let mut sandbox = echo();
    let file = sandbox.write("event.json", "[1, 2]");
    sandbox.event(&format!("@{file}")).run().answers("[1, 2]");
    echo().event("-").stdin("\"typed\"").run().answers("\"typed\"");
    echo().run().answers("{}");
}

#[test]
fn code_may_be_a_directory() {
    let mut sandbox = Sandbox::new(&["invoke", "--runtime", "python3.11", "--handler", "app.echo"]);
    sandbox.write("app.py", e2e::fixture("python/app.py"));
    let runtimes = e2e::root().join(".runtimes").display().to_string();
    let code = sandbox.directory().display().to_string();
    sandbox.arguments(&["--code", &code, "--runtime-dir", &runtimes]).event("1").run().answers("1");
}

#[test]
fn of_two_layers_the_later_one_wins() {
    let layer = |value: &str| {
        Package::default().file("python/layered.py", format!("VALUE = {value:?}")).bytes()
    };
    let mut sandbox = Sandbox::invoke(&python(), "python3.11", "app.layered");
    let (lower, upper) =
        (sandbox.write("1.zip", layer("lower")), sandbox.write("2.zip", layer("upper")));
    sandbox.arguments(&["--layer", &lower, "--layer", &upper]).run().answers("\"upper\"");
}

#[test]
fn variables_memory_and_time_limit_reach_the_function() {
    let run = Sandbox::invoke(&python(), "python3.11", "app.environment")
        .arguments(&["--env", "A=4=4"])
        .run();
    assert_eq!(run.json()["A"], "4=4");
    let context = Sandbox::invoke(&python(), "python3.11", "app.context_fields")
        .arguments(&["--memory", "2048", "--max-duration", "2h"])
        .run()
        .json();
    assert_eq!((&context["memory"], &context["version"]), (&"2048".into(), &"$LATEST".into()));
    let remaining = context["remaining"].as_u64().unwrap();
    assert!((7_140_000..=7_200_000).contains(&remaining), "{remaining}");
}

#[test]
fn nothing_is_left_behind() {
    let sandbox = echo();
    sandbox.run().ends_with(0);
    let left: Vec<_> = std::fs::read_dir(sandbox.directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["code.zip"]);
}
