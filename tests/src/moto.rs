//! AWS on this machine: moto, which `tests/setup.sh` installs. It stands in for object storage, queues, topics,
//! event buses, workflows and Lambda's control plane, behind one address.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// An account that is empty at first, for as long as this lives.
#[derive(Debug)]
pub struct Moto {
    address: String,
    url: String,
    process: Child,
}

impl Moto {
    /// Starts one.
    pub fn start() -> Self {
        Self::run(&mut Self::program("tests/src/moto_server.py"))
    }

    /// Starts one that knows all types of resources of deploy/, and writes to a file what is called with a role.
    pub fn with_cloudformation(calls: &Path) -> Self {
        Self::run(Self::program("tests/deploy/aws.py").env("CALLS", calls))
    }

    fn program(script: &str) -> Command {
        let mut command = Command::new(crate::root().join(".venv/bin/python"));
        command.arg(crate::root().join(script));
        command
    }

    fn run(command: &mut Command) -> Self {
        let address = format!("127.0.0.1:{}", crate::free_port());
        let (host, port) = address.split_once(':').unwrap();
        command.args([host, port]).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("moto is installed by tests/setup.sh");
        while TcpStream::connect(&address).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { url: format!("http://{address}"), address, process }
    }

    /// The endpoint of all services.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What makes the SDKs speak to it.
    pub fn variables(&self) -> Vec<(&str, &str)> {
        vec![
            ("AWS_ENDPOINT_URL", &self.url),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "canary-secret-key"),
        ]
    }

    /// Runs a script against it, by AWS's own SDK: `client(service)` makes a client, and what `result` is in the
    /// end is returned. `json` and `base64` are imported.
    #[track_caller]
    pub fn script(&self, script: &str) -> Value {
        let prologue = "import base64, boto3, json\nresult = None\nclient = boto3.client\n";
        let epilogue = "\nprint(json.dumps(result))";
        let mut command = Command::new(crate::root().join(".venv/bin/python"));
        command.args(["-c", &format!("{prologue}{script}{epilogue}")]);
        command.envs(self.variables()).env("AWS_DEFAULT_REGION", "eu-west-1");
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Changes how it stands in for services (moto's documentation, "Configuration Options").
    pub fn configure(&self, settings: &Value) {
        let (status, _) = self.ask("POST", "moto-api/config", settings.to_string().as_bytes());
        assert_eq!(status, 201, "{settings}");
    }

    /// Makes a bucket.
    pub fn bucket(&self, name: &str) {
        self.put(name, b"");
    }

    /// Writes an object: `bucket/key`.
    pub fn put(&self, path: &str, body: &[u8]) {
        let (status, _) = self.ask("PUT", path, body);
        assert_eq!(status, 200, "{path}");
    }

    /// An object, if there is one.
    pub fn get(&self, path: &str) -> Option<Vec<u8>> {
        let (status, body) = self.ask("GET", path, b"");
        (status == 200).then_some(body)
    }

    /// Calls an operation of a service that speaks AWS's JSON: `logs`, `Logs_20140328.PutLogEvents`. Quicker than a script.
    #[track_caller]
    pub fn call(&self, service: &str, operation: &str, body: &Value) -> Value {
        let headers =
            format!("Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: {operation}\r\n");
        let (status, answer) = self.said(
            &format!("eu-west-1/{service}"),
            "POST",
            "",
            &headers,
            body.to_string().as_bytes(),
        );
        assert_eq!(status, 200, "{operation}: {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).unwrap_or_default()
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        self.said("us-east-1/s3", method, path, "", body)
    }

    fn said(
        &self,
        scope: &str,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "{method} /{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=AKIDEXAMPLE/20260101/{scope}/aws4_request\r\n{headers}Content-Length: {}\r\n\
             Connection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        (head[9..12].parse().unwrap(), answer.split_off(end + 4))
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
