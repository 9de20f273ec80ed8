//! Runtimes are data: what the table says is what a function finds, on any base image that has Lambda's layout.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use e2e::{ControlPlane, Deployed, Package, Run, Sandbox, container, fixture, nodejs, python};

/// A base image with the layout of AWS's: their entry point, their emulator.
const LAYOUT: &str = "COPY lambda-entrypoint.sh /lambda-entrypoint.sh\n\
     COPY aws-lambda-rie /usr/local/bin/aws-lambda-rie\n\
     ENTRYPOINT [\"/lambda-entrypoint.sh\"]\n";

/// A runtime of no language, which answers with its variables.
const RUNTIME: &str = "COPY environment.sh /var/runtime/bootstrap\n";

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// A stand-in for a base image.
fn base(tag: &str, debian: &str, more: &str) {
    let context = tempfile::tempdir().unwrap();
    let dockerfile = format!("FROM immortal-base/{debian}:debian\n{more}{LAYOUT}");
    std::fs::write(context.path().join("Dockerfile"), dockerfile).unwrap();
    let fixtures = e2e::root().join("tests/fixtures/provided");
    for file in ["lambda-entrypoint.sh", "environment.sh"] {
        std::fs::copy(fixtures.join(file), context.path().join(file)).unwrap();
    }
    std::fs::copy(e2e::cache().join("aws-lambda-rie"), context.path().join("aws-lambda-rie"))
        .expect("`make setup` brings AWS's emulator");
    succeeds(Command::new("chmod").args(["-R", "a+rx"]).arg(context.path()));
    let build = ["build", "--quiet", "--tag", tag, "."];
    succeeds(Command::new("docker").args(build).env("DOCKER_BUILDKIT", "0").current_dir(&context));
}

/// `images/build.sh`, with the runtimes' table of the runner that is tested.
fn build(runner: &Path, arguments: &[&str], variables: &[(&str, &str)]) {
    let mut command = Command::new(e2e::root().join("images/build.sh"));
    command.arg(runner).args(arguments).env("LIST", e2e::runner());
    succeeds(command.envs(variables.iter().copied()));
}

fn layers(tag: &str) -> Vec<String> {
    let format = "{{json .RootFS.Layers}}";
    let text = succeeds(Command::new("docker").args(["image", "inspect", "--format", format, tag]));
    serde_json::from_str(&text).unwrap()
}

fn run(tag: &str, runtime: &str, package: &Package) -> Run {
    let plane = ControlPlane::with(Deployed::new(package, runtime, "app.handler"));
    container(tag, &[&plane.variables()[..], &[("IMMORTAL_FUNCTION", "resize")]].concat())
}

/// What every runtime finds, but what its shell adds (recorded on Lambda; developer guide, "Using Lambda environment variables").
fn expected(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let common = [
        ("AWS_ACCESS_KEY_ID", "…"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_NAME", "resize"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/resize"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "…"),
        ("AWS_LAMBDA_METADATA_API", "…"),
        ("AWS_LAMBDA_METADATA_TOKEN", "…"),
        ("AWS_LAMBDA_RUNTIME_API", "…"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_SECRET_ACCESS_KEY", "…"),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
        ("AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("LANG", "en_US.UTF-8"),
        (
            "LD_LIBRARY_PATH",
            "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
        ),
        ("PATH", "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        ("TZ", ":UTC"),
        ("_AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1"),
        ("_AWS_XRAY_DAEMON_PORT", "2000"),
        ("_HANDLER", "app.handler"),
    ];
    let all = common.iter().chain(more);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What a runtime has found; what is never the same is masked, what its shell adds is left out.
fn found(run: &Run) -> BTreeMap<String, String> {
    let changing = ["_ID", "_KEY", "_STREAM_NAME", "_API", "_TOKEN", "_LOG_FD"];
    let pairs = run.stdout.lines().filter_map(|line| line.split_once('='));
    let own = pairs.filter(|(name, _)| !["PWD", "SHLVL", "OLDPWD", "_"].contains(name));
    own.map(|(name, value)| {
        let masked = changing.iter().any(|end| name.ends_with(end));
        (name.to_owned(), if masked { "…" } else { value }.to_owned())
    })
    .collect()
}

#[test]
fn each_family_finds_its_variables_on_a_base_with_lambdas_layout() {
    let bases = "immortal-test/lambda";
    base(&format!("{bases}/java:21"), "provided", RUNTIME);
    for other in ["java:8.al2", "dotnet:8", "ruby:3.4", "provided:al2023", "provided:al2", "go:1"] {
        let other = format!("{bases}/{other}");
        succeeds(Command::new("docker").args(["tag", &format!("{bases}/java:21"), &other]));
    }
    let named = |identifier: &'static str| ("AWS_EXECUTION_ENV", identifier);
    let log = ("_LAMBDA_TELEMETRY_LOG_FD", "…");
    let own = Package::default().executable("bootstrap", fixture("provided/environment.sh"));
    let program = Package::default().executable("app.handler", fixture("provided/environment.sh"));
    let without_lang = [
        ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        (
            "LD_LIBRARY_PATH",
            "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
        ),
    ];
    let gems = "/var/task/vendor/bundle/ruby/3.4.0:/opt/ruby/gems/3.4.0:/var/runtime:/var/runtime/ruby/3.4.0";
    let none = Package::default();
    let families = [
        ("java21", "java:21", &none, vec![named("AWS_Lambda_java21"), log]),
        ("java8.al2", "java:8.al2", &none, vec![named("AWS_Lambda_java8.al2"), log]),
        (
            "dotnet8",
            "dotnet:8",
            &none,
            vec![
                named("AWS_Lambda_dotnet8"),
                log,
                ("DOTNET_ROOT", "/var/lang/bin"),
                ("LAMBDA_RUNTIME_NAME", "dotnet8"),
            ],
        ),
        (
            "ruby3.4",
            "ruby:3.4",
            &none,
            vec![
                named("AWS_Lambda_ruby3.4"),
                log,
                ("GEM_HOME", "/var/runtime"),
                ("GEM_PATH", gems),
                ("RUBYLIB", "/var/task:/var/runtime/lib:/opt/ruby/lib"),
            ],
        ),
        ("provided.al2023", "provided:al2023", &own, vec![]),
        ("provided.al2", "provided:al2", &own, without_lang.to_vec()),
        (
            "go1.x",
            "go:1",
            &program,
            [&[named("AWS_Lambda_go1.x"), log], &without_lang[..]].concat(),
        ),
    ];
    let name = "immortal-test/on";
    let identifiers = families.each_ref().map(|family| family.0);
    build(
        &e2e::runner(),
        &[&["aws"], &identifiers[..]].concat(),
        &[("BASES", bases), ("NAME", name)],
    );
    for (identifier, tag, package, more) in families {
        let run = run(&format!("{name}/{tag}"), identifier, package);
        run.ends_with(0);
        assert_eq!(found(&run), expected(&more), "{identifier}");
    }
    // The client of another family would speak another language.
    run(&format!("{name}/java:21"), "python3.13", &none)
        .ends_with(64)
        .says("no client for runtime `python3.13`");
}

#[test]
fn real_runtimes_run_on_a_base_with_lambdas_layout() {
    let bases = "immortal-test/real";
    base(&format!("{bases}/python:3.11"), "python", "");
    base(&format!("{bases}/nodejs:22"), "nodejs", "");
    let name = "immortal-test/on-real";
    let variables = [("BASES", bases), ("NAME", name)];
    build(&e2e::runner(), &["aws", "python3.11", "nodejs22.x"], &variables);
    let python = Deployed::new(&python(), "python3.11", "app.echo");
    let nodejs = Deployed::new(&nodejs(), "nodejs22.x", "index.echo");
    for (image, function) in [("python:3.11", python), ("nodejs:22", nodejs)] {
        let plane = ControlPlane::with(function);
        let variables = [("IMMORTAL_FUNCTION", "resize"), ("IMMORTAL_EVENT", "[7]")];
        let variables = [&plane.variables()[..], &variables].concat();
        container(&format!("{name}/{image}"), &variables).answers("[7]");
        // Not by the entry point of the base, which would want the handler and start the emulator.
        let base = container(&format!("{bases}/{image}"), &variables);
        base.ends_with(142);
    }
}

#[test]
fn every_runtime_that_awss_sdk_names_is_known() {
    let script = "import botocore.session as s\n\
         model = s.get_session().get_service_model('lambda')\n\
         print(*model.shape_for('Runtime').enum, sep='\\n')";
    let python = e2e::root().join(".venv/bin/python");
    let named = succeeds(Command::new(python).args(["-c", script]));
    let table = succeeds(Command::new(e2e::runner()).arg("runtimes"));
    let known: BTreeSet<&str> = table.lines().filter_map(|line| line.split('\t').next()).collect();
    let unknown: Vec<&str> = named.lines().filter(|name| !known.contains(name)).collect();
    assert!(named.lines().count() > 40 && unknown.is_empty(), "{unknown:?} of {named}");
}

#[test]
fn the_runners_layer_is_the_same_wherever_and_whenever_it_is_built() {
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("another-name");
    std::fs::copy(e2e::runner(), &copy).unwrap();
    let tags = ["immortal-test/first", "immortal-test/second"];
    let image = |tag: &str, runner: &Path| {
        build(runner, &["on", "immortal-base/provided:debian", tag], &[]);
    };
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
