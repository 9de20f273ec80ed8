//! Where the programs may be sent: in a network in which somebody listens at every address in the world, no way of writing
//! one makes them send a byte to any but Amazon's.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::thread;

use e2e::namespace::{AMAZON, CREDENTIALS, Namespace, alone};
use e2e::{ControlPlane, Deployed, Run, Sandbox, dispatched, fixture, python};
use serde_json::{Value, json};
use tempfile::TempDir;

const LAMBDA: &str = "lambda.eu-west-1.amazonaws.com";
const CODE: &str = "https://code.s3.eu-west-1.amazonaws.com";
/// Names under which Amazon answers here; all others lead to credentials.
const NAMES: [&str; 4] = [
    LAMBDA,
    "s3.eu-west-1.amazonaws.com",
    "*.s3.eu-west-1.amazonaws.com",
    "*.ecr.eu-west-1.amazonaws.com",
];
/// Functions that are run at the same time.
const AT_ONCE: usize = 4;

/// The ways of writing addresses that `fetch` (`code`) and the dispatcher's `allow` (`queue`) are tested with.
fn forms(of: &str) -> Vec<String> {
    let all: BTreeMap<String, BTreeMap<String, Vec<String>>> =
        serde_json::from_slice(&fixture("addresses.json")).unwrap();
    let found: Vec<String> = all[of].values().flatten().cloned().collect();
    assert_eq!(found.len(), 60);
    found
}

fn usual(name: &str, _time: usize) -> Ipv4Addr {
    let amazon =
        name.strip_suffix(".amazonaws.com").is_some_and(|rest| rest.ends_with("eu-west-1"));
    if amazon { AMAZON } else { CREDENTIALS }
}

/// A function whose code, as Lambda says it, is there.
fn at(name: &str, location: &str) -> Deployed {
    let mut function = Deployed::new(&python(), "python3.11", "app.echo").named(name);
    function.code = json!({ "RepositoryType": "S3", "Location": location });
    function
}

/// One whose image is there.
fn image(name: &str, uri: &str) -> Deployed {
    let mut function = at(name, "").with("PackageType", json!("Image"));
    function.code = json!({ "RepositoryType": "ECR", "ImageUri": uri });
    function
}

fn sandbox(network: &Namespace, function: &str) -> Sandbox {
    let runtimes = e2e::root().join(".runtimes").display().to_string();
    let sandbox = Sandbox::new(&[])
        .variable("IMMORTAL_FUNCTION", function)
        .variable("IMMORTAL_EVENT", "[1]")
        .variable("IMMORTAL_RUNTIME_DIR", &runtimes)
        .variable("AWS_REGION", "eu-west-1");
    network.variables().iter().fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value))
}

/// Runs all of these functions.
fn run(network: &Namespace, names: &[String]) -> Vec<(String, Run)> {
    thread::scope(|scope| {
        let groups = names.chunks(names.len().div_ceil(AT_ONCE));
        let runs = groups.map(|group| {
            scope.spawn(move || {
                group.iter().map(|name| (name.clone(), sandbox(network, name).run())).collect()
            })
        });
        let runs: Vec<_> = runs.collect();
        runs.into_iter().flat_map(|group| -> Vec<_> { group.join().unwrap() }).collect()
    })
}

#[track_caller]
fn nobody_was_reached(network: &Namespace) {
    assert_eq!(network.reached(), BTreeMap::new());
}

#[test]
fn code_comes_from_no_other_address() {
    alone("addresses::code_comes_from_no_other_address", || {
        let mut functions: Vec<Deployed> = Vec::new();
        for (number, form) in forms("code").iter().enumerate() {
            functions.push(at(&format!("code-{number}"), form));
            if number % 6 == 0 {
                let host = form.split("://").nth(1).unwrap().split('/').next().unwrap();
                functions.push(image(&format!("image-{number}"), &format!("{host}/a/b:1")));
            }
        }
        for form in ["http://169.254.170.2/x", "https://169.254.170.2/x", "https://evil.example/x"]
        {
            let name = format!("sent-{}", functions.len());
            functions.push(at(&name, &format!("{CODE}/elsewhere?{form}")));
        }
        let names: Vec<String> = functions
            .iter()
            .map(|function| function.configuration["FunctionName"].as_str().unwrap().to_owned())
            .collect();
        functions.push(at("good", &format!("{CODE}/code/good?X-Amz-Signature=x")));
        let plane = ControlPlane::of(functions);
        let network = Namespace::new(plane.address(), &NAMES, usual);
        sandbox(&network, "good").run().answers("[1]");
        for (name, run) in run(&network, &names) {
            assert!(matches!(run.code, 65 | 69), "{name}: {run:#?}");
            run.prints("").never_says("START RequestId");
        }
        nobody_was_reached(&network);
    });
}

/// Those who answer for names change their minds between a check and a connection: there is nothing between them.
#[test]
fn a_name_that_leads_elsewhere_the_next_time_leads_nowhere() {
    alone("addresses::a_name_that_leads_elsewhere_the_next_time_leads_nowhere", || {
        let large = python().file("large", noise(3 << 20));
        let mut turning = Deployed::new(&large, "python3.11", "app.echo").named("turning");
        turning.code["Location"] = "https://turning.s3.eu-west-1.amazonaws.com/code/turning".into();
        let there = |name: &str| {
            at(name, &format!("https://{name}.s3.eu-west-1.amazonaws.com/code/{name}"))
        };
        let plane =
            ControlPlane::of(vec![turning, there("credentials"), there("here"), there("link")]);
        let names = |name: &str, time: usize| match name.split('.').next().unwrap() {
            "turning" if time > 1 => CREDENTIALS,
            "credentials" => CREDENTIALS,
            "here" => Ipv4Addr::LOCALHOST,
            "link" => Ipv4Addr::new(169, 254, 1, 1),
            _ => usual(name, time),
        };
        let network = Namespace::new(plane.address(), &NAMES, names);
        let elsewhere = ["credentials", "here", "link"].map(str::to_owned);
        for (name, run) in run(&network, &elsewhere) {
            run.ends_with(69)
                .says(&format!("`{name}.s3.eu-west-1.amazonaws.com` was resolved to "));
            run.says("nothing was sent");
        }
        // What came over the first connection may be enough.
        let turned = sandbox(&network, "turning").run();
        assert!(matches!(turned.code, 0 | 69), "{turned:#?}");
        let asked = network.asked("turning.s3.eu-west-1.amazonaws.com");
        assert!(asked >= 2, "{asked} connections");
        // Nor do the SDKs follow.
        let lambda = sandbox(&network, "good").variable("AWS_REGION", "us-east-2").run();
        lambda.ends_with(69).says("`lambda.us-east-2.amazonaws.com` was resolved to 169.254.170.2");
        nobody_was_reached(&network);
    });
}

/// Bytes that no compression makes fewer.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Messages that name addresses: of the queue of an outcome, of a bucket with a record, of a function. The first names none.
fn messages() -> Vec<String> {
    let direct = |function: &str, more: Value| {
        let mut body = json!({ "immortal": 1, "function": function, "event": {} });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let record = |bucket: &str| {
        let object =
            json!({ "bucket": { "name": bucket }, "object": { "key": "aws/lambda/async/x" } });
        json!({ "Records": [{ "eventSource": "aws:s3", "s3": object }] })
    };
    let mut bodies = vec![direct("good", json!({ "id": "good" }))];
    for form in forms("queue") {
        let place = form.split("://").nth(1).unwrap().trim_end_matches('/');
        let queue = format!("sqs:{form}123456789012/done");
        let topic = format!("sns:arn:aws:sns:{place}/#:123456789012:done");
        let function = format!("arn:aws:lambda:{place}/#:123456789012:function:good");
        bodies.push(direct("good", json!({ "destinations": [queue] })));
        bodies.push(direct("good", json!({ "destinations": [topic] })));
        bodies.push(direct(&function, json!({})));
        // What could be a bucket's name is a part of a path of Amazon's, or of a host's.
        let host = place.split('/').next().unwrap();
        bodies.push(record(&format!("{host}#")));
        bodies.push(record(&format!("{host}@169.254.170.2:80")));
    }
    bodies.iter().map(Value::to_string).collect()
}

#[test]
fn no_message_has_the_dispatcher_ask_elsewhere() {
    alone("addresses::no_message_has_the_dispatcher_ask_elsewhere", || {
        let plane = ControlPlane::with(at("good", &format!("{CODE}/code/good")));
        let network = Namespace::new(plane.address(), &NAMES, usual);
        let directory = TempDir::new().unwrap();
        let ledger = directory.path().join("ledger");
        let configuration = format!(
            "ledger = \"file://{}\"\n[[queue]]\nurl = \"https://sqs.eu-west-1.amazonaws.com/123456789012/failed\"\n\
             [launch]\nlauncher = \"process\"\n[process]\nrunner = {:?}\nlogs = {:?}\n[allow]\ndestinations = true\nprovenance = false\n",
            ledger.display(),
            e2e::runner(),
            directory.path(),
        );
        let (certificate, mut variables) = (network.variables().remove(0), plane.variables());
        // Lambda is asked where it is by name.
        variables[0] = (certificate.0, &certificate.1);
        let messages = messages();
        let run = dispatched(&configuration, &variables, &messages);
        assert_eq!(run.ends_with(0).json(), json!({ "batchItemFailures": [] }), "{}", run.stderr);
        assert!(ledger.join("jobs/good/launches/1.json").is_file(), "{}", run.stderr);
        let kept = fs::read_dir(ledger.join("quarantine")).unwrap().count();
        assert_eq!(kept, messages.len() - 1, "{}", run.stderr);
        nobody_was_reached(&network);
    });
}
