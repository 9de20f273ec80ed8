//! Functions that are container images: pulled from a registry, run in their own root directory.

use std::fs;
use std::path::Path;
use std::process::Command;

use e2e::{ControlPlane, Deployed, Package, Registry, Run, Sandbox, confined, container};
use serde_json::{Value, json};

/// GetFunction's answer about an image.
fn deployed(uri: &str, overrides: &Value) -> Deployed {
    let mut function = Deployed::new(&Package::default(), "", "");
    function.configuration["PackageType"] = "Image".into();
    function.configuration["ImageConfigResponse"] = json!({ "ImageConfig": overrides });
    function.configuration["Environment"] = json!({ "Variables": { "FROM": "function" } });
    for absent in ["Runtime", "Handler"] {
        function.configuration.as_object_mut().unwrap().remove(absent);
    }
    function.code = json!({ "RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": uri });
    function
}

fn run(function: Deployed, event: &str) -> Run {
    let plane = ControlPlane::with(function);
    let variables = [("IMMORTAL_FUNCTION", "resize"), ("IMMORTAL_EVENT", event)];
    let all = [&plane.variables()[..], &variables].concat();
    container("immortal/provided", &all)
}

/// A program of this machine with the libraries that it needs: an image from nothing.
fn program(path: &str, name: &str) -> Vec<Value> {
    let list = Command::new("ldd").arg(path).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let libraries = list.split_whitespace().filter(|word| word.starts_with('/'));
    let file = |at: &str| json!({ "path": at.trim_start_matches('/'), "from": at });
    let own = json!({ "path": name, "from": path });
    libraries.map(file).chain([own]).collect()
}

fn rust_bootstrap() -> Vec<Value> {
    program(env!("CARGO_BIN_EXE_rust-bootstrap"), "bootstrap")
}

#[test]
fn an_image_from_nothing_runs_with_its_own_configuration() {
    let registry = Registry::open();
    let layer = json!({ "compression": "gzip", "entries": rust_bootstrap() });
    let config = json!({
        "Entrypoint": ["/bootstrap"], "Cmd": ["app.run"], "WorkingDir": "/",
        "Env": ["FROM=image", "IMAGE=yes"],
    });
    registry.push("scratch:1", &json!({ "layers": [layer], "config": config }));
    let answer = run(deployed(&registry.name("scratch:1"), &json!({})), "[4]").ends_with(0).json();
    assert_eq!(answer["event"], json!([4]));
}

/// An image of Python with AWS's runtime client and this module, `app`.
fn push_python(registry: &Registry, name: &str, code: &str) {
    let mut bases = fs::read_dir(e2e::cache()).unwrap().flatten().map(|entry| entry.path());
    let base = bases.find(|path| path.display().to_string().contains("/base-python-"));
    let runtime = e2e::root().join(".runtimes/python").display().to_string();
    let tar = tempfile::NamedTempFile::new().unwrap();
    let packed = Command::new("tar")
        .args(["-C", &runtime, "--transform", "s,^.,var/runtime,", "-cf"])
        .arg(tar.path())
        .arg(".")
        .status();
    assert!(packed.unwrap().success());
    let image = json!({
        "layers": [
            { "tar": base.unwrap() },
            { "tar": tar.path() },
            { "compression": "gzip", "entries": [{ "path": "var/task", "directory": true }, { "path": "var/task/app.py", "content": code }] },
        ],
        "config": {
            "Entrypoint": ["python3", "-m", "awslambdaric"], "Cmd": ["app.missing"],
            "WorkingDir": "/var/task", "Env": ["FROM=image", "PYTHONPATH=/var/runtime"],
        },
        "architectures": ["arm64", "amd64"],
    });
    registry.push(name, &image);
}

#[test]
fn a_python_image_is_confined_as_on_lambda() {
    let registry = Registry::open();
    let code = "import os\ndef run(event, context):\n    return [os.getuid(), os.getcwd(), sorted(os.listdir('/proc')), os.access('/', os.W_OK), open('/dev/null').read(), os.environ['FROM'], os.environ['_HANDLER']]\n";
    push_python(&registry, "python:1", code);
    let function = deployed(&registry.name("python:1"), &json!({ "Command": ["app.run"] }));
    run(function, "{}")
        .ends_with(0)
        .answers(r#"[993, "/var/task", [], false, "", "function", "app.run"]"#);
}

/// As on ECS: a container of the runner's image puts the runner into a volume, one of the function's image starts it.
#[test]
fn the_runner_works_within_a_functions_own_image() {
    let registry = Registry::open();
    let code = "import os\ndef run(event, context):\n    return [os.getuid(), os.getcwd(), os.path.exists('/proc/self/exe'), os.access('/', os.W_OK), os.environ['FROM'], os.environ.get('IMMORTAL_IMAGE')]\n";
    push_python(&registry, "own:1", code);
    let image = registry.name("own:1");
    let plane = ControlPlane::with(deployed(&image, &json!({ "Command": ["app.run"] })));
    let volume = tempfile::tempdir().unwrap();
    let mount = format!("{}:/immortal", volume.path().display());
    let installed = Command::new("docker")
        .args(["run", "--rm", "-v", &mount, "immortal/provided", "install", "/immortal"])
        .status();
    assert!(installed.unwrap().success());
    let variables = [("IMMORTAL_FUNCTION", "resize"), ("IMMORTAL_IMAGE", "here")];
    let read_only = format!("{mount}:ro");
    let options =
        ["-v", &read_only, "--user", "0", "--entrypoint", "/immortal/immortal-runner", "-w", "/"];
    confined(&options, &image, &[&plane.variables()[..], &variables].concat())
        .ends_with(0)
        .answers(r#"[993, "/var/task", true, false, "function", null]"#);
    let _removed = Command::new("docker").args(["rmi", "-f", &image]).status();
}

/// All of a tree: paths, contents, and link targets.
fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_symlink() {
                found.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
            } else if kind.is_dir() {
                found.push(name + "/");
                open.push(path);
            } else {
                found.push(format!("{name} = {}", fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn unpacked(registry: &Registry, image: &str, more: &[&str]) -> (Run, Vec<String>) {
    let sandbox = Sandbox::new(&["unpack"]);
    let target = sandbox.directory().join("root");
    let source = format!("docker://{}", registry.name(image));
    let sandbox = sandbox.arguments(&[&source, &target.display().to_string()]).arguments(more);
    let run = sandbox.run();
    (run, if target.exists() { tree(&target) } else { Vec::new() })
}

#[test]
fn twenty_layers_lie_over_each_other() {
    let registry = Registry::open();
    let file = |path: &str, content: &str| json!({ "path": path, "content": content });
    let kinds = ["gzip", "zstd", "none"];
    let mut layers: Vec<Value> = (0..16)
        .map(|at| json!({ "compression": kinds[at % 3], "entries": [file("same", &at.to_string()), file(&format!("d/{at}"), "x")] }))
        .collect();
    layers.extend([
        json!({ "entries": [file("d/.wh.3", ""), file("opaque/old", "1"), { "path": "away", "link": "/etc" }] }),
        json!({ "entries": [file("opaque/.wh..wh..opq", ""), file("opaque/new", "1"), { "path": "hard", "hard": "d/4" }] }),
        json!({ "entries": [file(".wh.away", ""), file("file/below", "1")] }),
        json!({ "entries": [file("file", "now a file"), file("away/passwd", "mine")] }),
    ]);
    registry.push("many:1", &json!({ "layers": layers }));
    let (run, tree) = unpacked(&registry, "many:1", &[]);
    run.ends_with(0).says("many:1: ").says(" files in ");
    let mut expected: Vec<String> =
        (0..16).filter(|at| *at != 3).map(|at| format!("d/{at} = x")).collect();
    let others = [
        "away/",
        "away/passwd = mine",
        "d/",
        "file = now a file",
        "hard = x",
        "opaque/",
        "opaque/new = 1",
        "same = 15",
    ];
    expected.extend(others.map(str::to_owned));
    expected.sort();
    assert_eq!(tree, expected);
}

#[test]
fn a_closed_registry_wants_a_login() {
    let registry = Registry::closed();
    let image = json!({ "layers": [{ "entries": [{ "path": "a", "content": "x" }] }] });
    registry.push("a:1", &image);
    let (run, tree) = unpacked(&registry, "a:1", &[]);
    run.ends_with(69).says("it wants a login; give --registry-auth USER:PASSWORD");
    assert!(tree.is_empty());
    let (run, _) = unpacked(&registry, "a:1", &["--registry-auth", "user:canary-wrong"]);
    run.ends_with(69).says("refused access: 401").never_says("canary-wrong");
    let (run, tree) = unpacked(&registry, "a:1", &["--registry-auth", "user:secret"]);
    run.ends_with(0);
    assert_eq!(tree, ["a = x"]);
}

#[test]
fn what_is_not_the_image_is_refused_and_leaves_nothing() {
    let registry = Registry::open();
    let image = |compression: &str, content: &str| {
        let entry = json!({ "path": "a", "content": content });
        json!({ "layers": [{ "compression": compression, "entries": [entry] }] })
    };
    let damaged = registry.push("damaged:1", &image("none", "damaged"));
    let path = registry.blob(&damaged["layers"][0]);
    let bytes = fs::read_to_string(&path).unwrap().replace("damaged", "DAMAGED");
    fs::write(&path, bytes).unwrap();
    let missing = registry.push("missing:1", &image("gzip", "missing"));
    fs::remove_file(registry.blob(&missing["layers"][0])).unwrap();
    let mut foreign = image("gzip", "foreign");
    foreign["architectures"] = json!(["s390x"]);
    registry.push("foreign:1", &foreign);
    for (name, code, expected) in [
        ("damaged:1", 65, "is not what was deployed"),
        ("missing:1", 69, "the server answered 404"),
        ("foreign:1", 65, "expected an image for linux/amd64, found s390x"),
        ("absent:1", 69, "the registry answered 404 when asked for the manifest"),
    ] {
        let (run, tree) = unpacked(&registry, name, &[]);
        run.ends_with(code).says(expected);
        assert!(tree.is_empty(), "{name} left {tree:?}");
    }
}

#[test]
fn an_image_that_cannot_be_started_says_why() {
    let registry = Registry::open();
    let layers = json!([{ "entries": [{ "path": "a", "content": "x" }] }]);
    registry.push("none:1", &json!({ "layers": layers }));
    run(deployed(&registry.name("none:1"), &json!({})), "{}")
        .ends_with(65)
        .says("expected an ENTRYPOINT or CMD");
    let overrides = json!({ "EntryPoint": ["/absent"], "WorkingDirectory": "/" });
    run(deployed(&registry.name("none:1"), &overrides), "{}")
        .ends_with(1)
        .says("IMAGE\tLaunch error: No such file or directory (os error 2)\tEntrypoint: [/absent]");
}
