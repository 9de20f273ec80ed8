//! A container registry of this machine: Debian's `docker-registry`, and images made by `push.py`.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// `user:secret`, as htpasswd has it.
const USERS: &str = "user:$2b$04$NS0g59E0lYdWi.4kQlFRQOPRd.9LdkV2fJaDKeU02m2MCKtgj0A0W\n";

/// A registry, for as long as this lives.
#[derive(Debug)]
pub struct Registry {
    address: String,
    storage: TempDir,
    process: Child,
    login: Option<&'static str>,
}

impl Registry {
    /// One that everybody may use.
    pub fn open() -> Self {
        Self::start(None)
    }

    /// One that wants `user:secret`.
    pub fn closed() -> Self {
        Self::start(Some("user:secret"))
    }

    fn start(login: Option<&'static str>) -> Self {
        let storage = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let path = |name: &str| storage.path().join(name).display().to_string();
        let users = if login.is_some() {
            format!("auth: {{htpasswd: {{realm: r, path: {}}}}}\n", path("users"))
        } else {
            String::new()
        };
        let data = path("data");
        let configuration = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {data}}}}}\nhttp: {{addr: {address}}}\n{users}"
        );
        std::fs::write(path("config.yml"), configuration).unwrap();
        std::fs::write(path("users"), USERS).unwrap();
        let mut command = Command::new("docker-registry");
        command.args(["serve", &path("config.yml")]).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("docker-registry is installed by `make test`");
        while TcpStream::connect(&address).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { address, storage, process, login }
    }

    /// Builds and pushes an image; see `push.py` for its description. Returns the digests of its
    /// layers and its manifest.
    pub fn push(&self, name: &str, image: &Value) -> Value {
        let script = crate::root().join("tests/images/push.py");
        let mut command = Command::new("python3");
        command.arg(script).args([&self.address, name]).args(self.login);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(image.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{image}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// How the image is called.
    pub fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.address)
    }

    /// The file in which a blob is stored.
    pub fn blob(&self, digest: &Value) -> PathBuf {
        let hex = digest.as_str().unwrap().trim_start_matches("sha256:");
        let blobs = self.storage.path().join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
