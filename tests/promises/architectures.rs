//! Both architectures: the program for 64-bit ARM does what the other does (under QEMU), and images of both stand under one name.
//! `IMMORTAL_ARM64` is the directory of the programs that are built for it.
#![expect(clippy::print_stderr, reason = "a test that cannot be run here says why")]

use std::path::PathBuf;
use std::process::Command;

use e2e::{Package, Registry, Run, Sandbox};
use serde_json::{Value, json};

/// Debian's emulator of user programs. It starts one program; what that one starts is the kernel's to start.
const QEMU: &str = "/usr/bin/qemu-aarch64-static";

/// Where the programs are, if they are.
fn programs() -> Option<PathBuf> {
    let found = std::env::var_os("IMMORTAL_ARM64").map(PathBuf::from);
    if found.is_none() {
        eprintln!(
            "skipped: IMMORTAL_ARM64 names no programs for 64-bit ARM; `make test` builds them"
        );
    }
    found
}

/// A function with an ARM program as its runtime: the kernel takes the emulator for its interpreter.
fn package(programs: &std::path::Path) -> Package {
    let runtime = programs.join("rust-bootstrap").display().to_string();
    Package::default().executable("bootstrap", format!("#!{QEMU} {runtime}\n"))
}

#[test]
fn the_program_for_arm_runs_a_custom_runtime() {
    let Some(programs) = programs() else { return };
    let runner = programs.join("immortal-runner");
    let invoke = |event: &str| {
        let sandbox = Sandbox::invoke(&package(&programs), "provided.al2023", "h").event(event);
        let mut command = Command::new(QEMU);
        command.arg(&runner);
        sandbox.run_as(command)
    };
    let answered = invoke(r#"{"a":1}"#);
    answered.ends_with(0).says("REPORT RequestId: ");
    assert_eq!(answered.json()["event"], json!({ "a": 1 }));
    let (_, message) = invoke(r#"{"fail":true}"#).error();
    assert_eq!(message, "asked to fail");
    // And one in a language of this machine's: what the kernel starts is not the emulator's to know.
    let shell = Package::default().executable("bootstrap", e2e::fixture("provided/curl.sh"));
    let sandbox = Sandbox::invoke(&shell, "provided.al2", "h").event("[3]");
    let mut command = Command::new(QEMU);
    command.arg(&runner);
    sandbox.run_as(command).answers("handler=h event=[3]");
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a registry says of a name, by its API.
fn asked(address: &str) -> Value {
    let kinds = "Accept: application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.index.v1+json";
    let answer = succeeds(Command::new("curl").args(["-sSf", "-H", kinds, address]));
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn images_of_both_architectures_stand_under_one_name() {
    let Some(programs) = programs() else { return };
    let registry = Registry::open();
    let both = ["amd64", "arm64"];
    let runners = [e2e::runner(), programs.join("immortal-runner")];
    let tags = both.map(|architecture| registry.name(&format!("one:{architecture}")));
    // For another architecture `images/build.sh` needs a builder that Debian has not: these are made by hand.
    for ((architecture, runner), tag) in both.iter().zip(&runners).zip(&tags) {
        let program = json!({ "path": "usr/local/bin/immortal-runner", "from": runner });
        let layer = json!({ "compression": "gzip", "entries": [program] });
        let config = json!({ "Entrypoint": ["/usr/local/bin/immortal-runner"] });
        let image = json!({ "layers": [layer], "config": config, "architectures": [architecture] });
        registry.push(&format!("one:{architecture}"), &image);
        let platform = format!("linux/{architecture}");
        succeeds(Command::new("docker").args(["pull", "--quiet", "--platform", &platform, tag]));
    }
    let script = |name: &str| Command::new(e2e::root().join("images").join(name));
    let name = registry.name("immortal/provided:1");
    succeeds(script("index.sh").arg(&name).args(&tags));

    let index = asked(&format!("http://{}", registry.name("v2/immortal/provided/manifests/1")));
    let platforms: Vec<&Value> =
        index["manifests"].as_array().unwrap().iter().map(|it| &it["platform"]).collect();
    let expected = both.map(|it| json!({ "os": "linux", "architecture": it }));
    assert_eq!(platforms, expected.iter().collect::<Vec<_>>(), "{index}");
    // Whoever pulls the name gets the image for its machine: each program finds itself.
    let unpack = |runner: &PathBuf, command: Command| -> Run {
        let sandbox = Sandbox::new(&["unpack", &format!("docker://{name}"), "root"]);
        let run = sandbox.run_as(command);
        run.ends_with(0);
        let found =
            std::fs::read(sandbox.directory().join("root/usr/local/bin/immortal-runner")).unwrap();
        assert!(found == std::fs::read(runner).unwrap(), "{} is another", runner.display());
        run
    };
    unpack(&runners[0], Command::new(&runners[0]));
    let mut emulated = Command::new(QEMU);
    emulated.arg(&runners[1]);
    unpack(&runners[1], emulated);
    // Two of one kind are a mistake.
    let twice = script("index.sh").arg(&name).args([&tags[0], &tags[0]]).output().unwrap();
    assert!(!twice.status.success());
    assert!(String::from_utf8_lossy(&twice.stderr).contains("two images are for amd64"));
}
