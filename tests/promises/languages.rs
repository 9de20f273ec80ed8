//! Real Python, Node.js and custom runtimes: every kind of handler.

use e2e::{Package, Sandbox, fixture, nodejs, python};
use serde_json::json;

fn node(handler: &str) -> Sandbox {
    Sandbox::invoke(&nodejs(), "nodejs20.x", handler)
}

#[test]
fn python_handlers_and_their_context() {
    let context = Sandbox::invoke(&python(), "python3.11", "app.context_fields").run().json();
    assert_eq!(context["name"], "code");
    assert_eq!(context["group"], "/aws/lambda/code");
    assert_eq!(context["arn"], "arn:aws:lambda:us-east-1:000000000000:function:code");
    let remaining = context["remaining"].as_u64().unwrap();
    let fourteen_days = 14 * 24 * 3600 * 1000;
    assert!((fourteen_days - 60_000..=fourteen_days).contains(&remaining), "{remaining}");
}

#[test]
fn another_version_than_the_one_installed_is_told_in_one_line() {
    let run = Sandbox::invoke(&python(), "python3.14", "app.echo").run();
    run.answers("{}").says("the function asks for python3.14");
    assert_eq!(run.stderr.matches("the function asks for").count(), 1);
}

#[test]
fn node_handlers_async_callback_and_es_module() {
    node("index.echo").event(r#"{"a":[1]}"#).run().answers(r#"{"a":[1]}"#);
    node("index.callback").run().answers(r#"{"called":"back"}"#);
    let run = node("esm.handler").run();
    assert_eq!(run.json(), json!({ "module": "es", "id": run.request_id() }));
}

#[test]
fn a_node_stream_arrives_whole_and_one_that_breaks_is_an_error() {
    node("index.stream").run().answers("part 1\npart 2\npart 3\n");
    let (kind, message) = node("index.brokenStream").run().error();
    assert_eq!((kind.as_str(), message.as_str()), ("RangeError", "broke in the middle"));
}

#[test]
fn node_finds_modules_in_layers() {
    let layer = Package::default()
        .file("nodejs/node_modules/layered/index.js", "exports.value = 'from the layer';");
    let mut sandbox = node("index.layered");
    let layer = sandbox.write("layer.zip", layer.bytes());
    sandbox.arguments(&["--layer", &layer]).run().answers("\"from the layer\"");
}

#[test]
fn a_javascript_timer_for_the_longest_remaining_time_does_not_overflow() {
    let answer = node("index.timer").arguments(&["--max-duration", "24d"]).run().json();
    assert_eq!(answer["fired"], false, "{answer}");
    assert!(answer["remaining"].as_u64().unwrap() > 23 * 24 * 3600 * 1000);
}

#[test]
fn a_custom_runtime_may_be_a_shell_script() {
    let package = Package::default().executable("bootstrap", fixture("provided/curl.sh"));
    let run = Sandbox::invoke(&package, "provided.al2", "my.handler").event("[7]").run();
    run.answers("handler=my.handler event=[7]");
}

#[test]
fn a_custom_runtime_may_be_a_rust_program() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_rust-bootstrap")).unwrap();
    let package = Package::default().executable("bootstrap", program);
    let sandbox = || Sandbox::invoke(&package, "provided.al2023", "unused");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:code";
    assert_eq!(sandbox().event("{}").run().json(), json!({ "event": {}, "arn": arn }));
    let (_, message) = sandbox().event(r#"{"fail":true}"#).run().error();
    assert_eq!(message, "asked to fail");
}

#[test]
fn a_custom_runtime_may_come_in_a_layer() {
    let mut sandbox =
        Sandbox::invoke(&Package::default().file("data", "x"), "provided.al2023", "h");
    let layer = Package::default().executable("bootstrap", fixture("provided/curl.sh"));
    let layer = sandbox.write("layer.zip", layer.bytes());
    sandbox.arguments(&["--layer", &layer]).event("1").run().answers("handler=h event=1");
}
