//! Runtimes are data: what the table says is what a function finds, on any base image that has Lambda's layout.

use std::path::Path;
use std::process::Command;

use e2e::{ControlPlane, Deployed, Package, Run, Sandbox, container, fixture};

/// A base image with the layout of AWS's, whose runtime answers with its variables.
const DOCKERFILE: &str = "FROM immortal-base/provided:debian\n\
     COPY bootstrap /var/runtime/bootstrap\n\
     COPY bootstrap /lambda-entrypoint.sh\n\
     ENTRYPOINT [\"/lambda-entrypoint.sh\"]\n";

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// An image of the runner on the stand-in base.
fn image(tag: &str, runner: &Path) {
    let context = tempfile::tempdir().unwrap();
    std::fs::write(context.path().join("Dockerfile"), DOCKERFILE).unwrap();
    let bootstrap = context.path().join("bootstrap");
    std::fs::copy(e2e::root().join("tests/fixtures/provided/environment.sh"), &bootstrap).unwrap();
    succeeds(Command::new("chmod").arg("755").arg(&bootstrap));
    let base = format!("{tag}-base");
    let build = ["build", "--quiet", "--tag", &base, "."];
    succeeds(Command::new("docker").args(build).env("DOCKER_BUILDKIT", "0").current_dir(&context));
    let build = e2e::root().join("images/build.sh");
    let list = e2e::runner();
    succeeds(Command::new(build).arg(runner).args(["on", &base, tag]).env("LIST", list));
}

fn layers(tag: &str) -> Vec<String> {
    let format = "{{json .RootFS.Layers}}";
    let text = succeeds(Command::new("docker").args(["image", "inspect", "--format", format, tag]));
    serde_json::from_str(&text).unwrap()
}

fn run(tag: &str, runtime: &str) -> Run {
    let plane = ControlPlane::with(Deployed::new(&Package::default(), runtime, "app.handler"));
    container(tag, &[&plane.variables()[..], &[("IMMORTAL_FUNCTION", "resize")]].concat())
}

#[test]
fn each_family_has_its_variables_on_a_base_with_lambdas_layout() {
    let tag = "immortal-test/stand-in";
    image(tag, &e2e::runner());
    let expected = [
        ("java21", vec!["AWS_EXECUTION_ENV=AWS_Lambda_java21"]),
        ("java8.al2", vec!["AWS_EXECUTION_ENV=AWS_Lambda_java8.al2"]),
        ("dotnet8", vec!["DOTNET_ROOT=/var/lang/bin", "LAMBDA_RUNTIME_NAME=dotnet8"]),
        (
            "ruby3.4",
            vec![
                "GEM_HOME=/var/runtime",
                "GEM_PATH=/var/task/vendor/bundle/ruby/3.4.0:/opt/ruby/gems/3.4.0:/var/runtime:/var/runtime/ruby/3.4.0",
                "RUBYLIB=/var/task:/var/runtime/lib:/opt/ruby/lib",
                "PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
            ],
        ),
    ];
    for (runtime, lines) in expected {
        let run = run(tag, runtime);
        run.ends_with(0);
        for line in lines {
            assert!(run.stdout.lines().any(|found| found == line), "{runtime}: {line}: {run:#?}");
        }
    }
    // The client of another family would speak another language.
    run(tag, "python3.13").ends_with(64).says("no client for runtime `python3.13`");
}

#[test]
fn the_runners_layer_is_the_same_wherever_and_whenever_it_is_built() {
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("another-name");
    std::fs::copy(e2e::runner(), &copy).unwrap();
    let tags = ["immortal-test/first", "immortal-test/second"];
    image(tags[0], &e2e::runner());
    image(tags[1], &copy);
    let last = tags.map(|tag| layers(tag).pop().unwrap());
    assert_eq!(last[0], last[1]);
    // Shown able to fail: another byte is another layer.
    std::fs::write(&copy, [std::fs::read(&copy).unwrap(), vec![0]].concat()).unwrap();
    image(tags[1], &copy);
    assert_ne!(last[0], layers(tags[1]).pop().unwrap());
}

#[test]
fn a_data_file_beside_its_bootstrap_adds_a_runtime() {
    let mut sandbox = Sandbox::new(&["invoke", "--runtime", "cobol85", "--handler", "main.run"]);
    let code = sandbox.write("code.zip", Package::default().file("x", "").bytes());
    let bootstrap = sandbox.write("cobol/bootstrap", fixture("provided/environment.sh"));
    succeeds(Command::new("chmod").args(["755", &bootstrap]));
    let family = "identifiers = [\"cobol85\"]\nbootstrap = \"runtime\"\nexecution_env = true\n\
                  [environment]\nCOB_LIBRARY_PATH = \"{task}/lib:{opt}/cobol/{version}\"\n";
    let file = sandbox.write("cobol/runtime.toml", family);
    let directory = Path::new(&file).parent().unwrap().display().to_string();
    let run = sandbox.arguments(&["--code", &code, "--runtime-dir", &directory]).run();
    run.ends_with(0);
    assert!(run.stdout.contains("\nAWS_EXECUTION_ENV=AWS_Lambda_cobol85\n"), "{run:#?}");
    assert!(run.stdout.contains("/opt/cobol/85\n"), "{run:#?}");
}

#[test]
fn a_runtime_that_nobody_knows_is_refused_with_the_nearest() {
    let sandbox = Sandbox::new(&["invoke", "--runtime", "pyton3.13", "--handler", "a.b"]);
    let mut sandbox = sandbox;
    let code = sandbox.write("code.zip", Package::default().file("x", "").bytes());
    let run = sandbox.arguments(&["--code", &code]).run();
    run.ends_with(65).says("the nearest is `python3.13`");
}

#[test]
fn programs_of_the_go_runtime_are_named_like_their_handler() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_rust-bootstrap")).unwrap();
    let package = Package::default().executable("main", program);
    let answer = Sandbox::invoke(&package, "go1.x", "main").event("[5]").run().json();
    assert_eq!(answer["event"], serde_json::json!([5]));
}
