//! What the fuzzer starts from: the hazards, whole, and taken apart.

use std::path::Path;
use std::{fs, io};

use serde_json::Value;

use crate::blocks;
use crate::hazards::{Hazard, hazards};
use crate::made::{Member, directory, file, link, zip};
use crate::tar_hazards::tar_hazards;

/// Longer packages only make it slow.
const LONGEST: usize = 4096;

/// Writes them below `corpus`, one directory for each target.
pub fn write(corpus: &Path) -> io::Result<()> {
    let packages = hazards().into_iter().map(|hazard| hazard.package).chain([common()]);
    for (number, package) in packages.filter(|package| package.len() <= LONGEST).enumerate() {
        let name = format!("seed-{number:03}");
        put(&corpus.join("directory"), &name, &counted(&package))?;
        put(&corpus.join("entry"), &name, &first(&package))?;
        put(&corpus.join("zip"), &name, &package)?;
    }
    let one = |hazard: Hazard| [hazard.package, vec![0, 0]].concat();
    let tars = blocks::seeds().into_iter().chain(tar_hazards().into_iter().map(one));
    for (number, tar) in tars.filter(|tar| tar.len() <= 2 * LONGEST).enumerate() {
        put(&corpus.join("tar"), &format!("seed-{number:03}"), &tar)?;
    }
    for (number, text) in DOCUMENTS.iter().enumerate() {
        put(&corpus.join("manifest"), &format!("seed-{number:03}"), text.as_bytes())?;
    }
    for (number, text) in CALLS.iter().enumerate() {
        put(&corpus.join("call"), &format!("seed-{number:03}"), text.as_bytes())?;
    }
    for (number, text) in SUBSCRIPTIONS.iter().enumerate() {
        put(&corpus.join("subscription"), &format!("seed-{number:03}"), text.as_bytes())?;
    }
    for (number, text) in REQUESTS.iter().enumerate() {
        put(&corpus.join("door"), &format!("seed-{number:03}"), text.as_bytes())?;
    }
    for (number, path) in fs::read_dir(MESSAGES)?.enumerate() {
        let golden: Value = serde_json::from_slice(&fs::read(path?.path())?)?;
        let message = golden["message"].to_string();
        put(&corpus.join("message"), &format!("seed-{number:03}"), message.as_bytes())?;
    }
    put(&corpus.join("channel"), "seed-000", FRAMES)?;
    put(&corpus.join("subscriber"), "seed-000", b"one\n!two\n{\"level\":\"INFO\"}\n\xff")?;
    Ok(())
}

/// One message of each shape, among what is understood of it.
const MESSAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dispatcher/tests/golden");

/// Cuts, and a frame of each kind of header.
const FRAMES: &[u8] = b"\x03\x09\x01\x20\x00\x05\x30\x01\xa5\x5a\x00\x03\x00\x00\x00\x02\x00\x01\x02\x03\x04\x05\x06\x07hi\xa5\x5a\x00\x01\x00\x00\x00\x01x";

/// Subscriptions of both APIs.
const SUBSCRIPTIONS: [&str; 3] = [
    r#"{"schemaVersion":"2022-12-13","types":["platform","function","extension"],"buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":25},"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:8080/a?b"}}"#,
    r#"{"schemaVersion":"2021-03-18","types":["function"],"destination":{"protocol":"TCP","port":9}}"#,
    r#"{"types":["platform"],"destination":{"protocol":"HTTP","URI":"http://sandbox:1","method":"PUT","encoding":"JSON"}}"#,
];

/// Requests at the front door.
const REQUESTS: [&str; 4] = [
    "POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af/invocations?Qualifier=live\nX-Amz-Invocation-Type: Event\nX-Amz-Log-Type: Tail\nX-Amz-Client-Context: e30=",
    "POST /2021-11-15/functions/f/response-streaming-invocations\nX-Amz-Invocation-Type: DryRun",
    "POST /2014-11-13/functions/f/invoke-async/",
    "OPTIONS /\nOrigin: http://x",
];

/// One of each kind of call.
const CALLS: [&str; 12] = [
    "GET /2018-06-01/runtime/invocation/next\n\n",
    "POST /2018-06-01/runtime/invocation/a%2Fb/response\nLambda-Runtime-Invocation-Id: n\nContent-Type: a/b\n\n{}",
    "POST /2018-06-01/runtime/invocation/a/response\nLambda-Runtime-Function-Response-Mode: streaming\n\nLambda-Runtime-Function-Error-Type: Runtime.Xy\nLambda-Runtime-Function-Error-Body: e30=",
    "POST /2018-06-01/runtime/invocation/a/error\nLambda-Runtime-Function-Error-Type: Function.Xy\nContent-Type: application/vnd.aws.lambda.error.cause+json\n\n{\"errorType\":\"E\",\"errorCause\":{}}",
    "POST /2018-06-01/runtime/init/error\nLambda-Runtime-Function-Error-Type: MyError.E\n\n[]",
    "POST /2020-01-01/extension/register\nLambda-Extension-Name: a\nLambda-Extension-Accept-Feature: x, accountId\n\n{\"events\":[\"INVOKE\",\"SHUTDOWN\"]}",
    "POST /2020-01-01/extension/register\nLambda-Extension-Name: a\n\n{\"events\":null,\"configurationKeys\":[]}",
    "GET /2020-01-01/extension/event/next\nLambda-Extension-Identifier: 00000000-0000-0000-0000-00000000000a\n\n",
    "POST /2020-01-01/extension/exit/error\nLambda-Extension-Identifier: {0}\nLambda-Extension-Function-Error-Type: X.Y\n\n",
    "PUT /2022-07-01/telemetry\nLambda-Extension-Identifier: urn:uuid:00000000-0000-0000-0000-00000000000a\n\n{}",
    "PUT /2020-08-15/logs\n\n{}",
    "GET /2026-01-15/metadata/execution-environment\nAuthorization: Bearer t\n\n",
];

/// An index, a manifest, a configuration, and names of images.
const DOCUMENTS: [&str; 5] = [
    r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":7,"platform":{"architecture":"amd64","os":"linux"}}]}"#,
    r#"{"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":7},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":7}]}"#,
    r#"{"architecture":"amd64","os":"linux","config":{"Env":["A=b"],"Entrypoint":["/a"],"Cmd":null,"WorkingDir":"/"},"rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}"#,
    "1.dkr.ecr.eu-west-1.amazonaws.com/a/b:tag@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "localhost:5000/a/b:1",
];

fn put(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join(name), bytes)
}

/// The central directory of a package, behind the number of its entries.
fn counted(package: &[u8]) -> Vec<u8> {
    let [start, end] = [b"PK\x01\x02", b"PK\x05\x06"]
        .map(|signature| package.windows(4).rposition(|bytes| bytes == signature));
    let start = start.and(package.windows(4).position(|bytes| bytes == b"PK\x01\x02"));
    let (Some(start), Some(end)) = (start, end.filter(|end| package.len() >= end + 22)) else {
        return vec![0, 0];
    };
    [&package[end + 10..end + 12], package.get(start..end).unwrap_or_default()].concat()
}

/// What is before the central directory of a package, behind the mode, the method and the length of the
/// data of its first entry.
fn first(package: &[u8]) -> Vec<u8> {
    let head = package.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap_or_default();
    let field = |at: usize| package.get(head + at).copied().unwrap_or_default();
    let mode = match field(41) >> 4 {
        0o12 => 1,
        0o04 => 2,
        _ => 0,
    };
    let entry = &package[..head];
    let next = entry.windows(4).skip(4).position(|bytes| bytes == b"PK\x03\x04");
    let entry = &entry[..next.map_or(head, |at| at + 4)];
    [&[mode, u8::from(field(10) == 8), field(20), field(21)], entry].concat()
}

/// A package with something of everything.
pub fn common() -> Vec<u8> {
    zip(&members())
}

/// What is before its central directory.
pub fn locals() -> Vec<u8> {
    let mut package = common();
    let start = package.windows(4).position(|bytes| bytes == b"PK\x01\x02");
    package.truncate(start.unwrap_or_default());
    package
}

fn members() -> Vec<Member> {
    vec![
        directory("a/"),
        file("a/b", "1"),
        link("l", "a"),
        file("c", "22").streamed(true, false),
        file("d/e", "3".repeat(40)).deflated(),
        file("f", "4".repeat(40)).deflated().streamed(false, true),
        file("f", "4".repeat(40)).deflated(),
    ]
}
