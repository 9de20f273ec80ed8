//! A network of a test's own, in which every address of the world is this machine's: name servers that say what the test
//! says, listeners that tell who was reached and with how many bytes, Amazon's names with TLS before a scripted service,
//! and the address at which containers find credentials.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Where Amazon answers.
pub const AMAZON: Ipv4Addr = Ipv4Addr::new(52, 95, 1, 1);
/// Where containers of ECS find credentials.
pub const CREDENTIALS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);
/// Where else one could be led to; on each of them somebody listens.
const PORTS: [u16; 8] = [80, 443, 8080, 8443, 21, 70, 53, 1080];
/// Says to the test program that it is inside.
const INSIDE: &str = "IMMORTAL_TEST_NAMESPACE";

/// The network, for as long as this lives.
#[derive(Debug)]
pub struct Namespace {
    directory: TempDir,
    reached: Arc<Mutex<BTreeMap<String, usize>>>,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
    tls: Child,
}

/// Runs a test in a network of its own, by this program once more. Says why where that cannot be.
#[expect(clippy::print_stderr, reason = "what is skipped is told, and what a test inside says")]
pub fn alone(test: &str, act: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return act();
    }
    let mut enter = Command::new("unshare");
    enter.args(["--net", "--mount"]);
    let probe = "ip link set lo up && ip route add local 0.0.0.0/0 dev lo";
    let found = enter.args(["sh", "-c", probe]).output();
    if !found.as_ref().is_ok_and(|output| output.status.success()) {
        eprintln!(
            "skipped: {test}, because no network of its own can be made (as root, with unshare and ip): {found:?}"
        );
        return;
    }
    let mut again = Command::new("unshare");
    again.args(["--net", "--mount"]).arg(std::env::current_exe().unwrap());
    let output = again.args(["--exact", test, "--nocapture"]).env(INSIDE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("1 passed") && output.status.success(), "{said}");
}

impl Namespace {
    /// Made of the one that this program is in: `service` (`host:port`) answers under these names of Amazon's. `names` is
    /// told which name is asked for, and the how manieth time from 1.
    pub fn new(
        service: &str,
        amazon: &[&str],
        names: impl Fn(&str, usize) -> Ipv4Addr + Send + 'static,
    ) -> Self {
        let directory = TempDir::new().unwrap();
        furnish(directory.path());
        let certificate = directory.path().join("certificate.pem");
        let (tls, port) = encrypt(&certificate, service, amazon);
        let (reached, asked) = (Arc::default(), Arc::default());
        answer_names(Arc::clone(&asked), names);
        for own in PORTS {
            listen(own, port, &reached);
        }
        Self { directory, reached, asked, tls }
    }

    /// What programs need to trust Amazon here, and to find credentials as they do in a container of ECS.
    pub fn variables(&self) -> Vec<(&str, String)> {
        let certificate = self.directory.path().join("certificate.pem").display().to_string();
        vec![
            ("SSL_CERT_FILE", certificate),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/credentials".to_owned()),
        ]
    }

    /// Whoever was reached that should not have been, with how many bytes.
    pub fn reached(&self) -> BTreeMap<String, usize> {
        // What is on its way arrives.
        thread::sleep(Duration::from_millis(200));
        self.reached.lock().unwrap().clone()
    }

    /// How often the address of a name was asked for.
    pub fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.tls.kill();
        let _ = self.tls.wait();
    }
}

/// Makes all addresses this machine's, and has the resolver ask here.
fn furnish(directory: &Path) {
    let file = |name: &str, text: &str| -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let resolver = file("resolv.conf", "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n");
    let order = file("nsswitch.conf", "hosts: files dns\n");
    let script = format!(
        "ip link set lo up && ip route add local 0.0.0.0/0 dev lo; ip -6 route add local ::/0 dev lo || true\n\
         mount --bind {} /etc/resolv.conf && {{ [ ! -e /etc/nsswitch.conf ] || mount --bind {} /etc/nsswitch.conf; }}",
        resolver.display(),
        order.display(),
    );
    let output = Command::new("sh").args(["-ec", &script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Starts TLS before a service: the port of 127.0.0.1 where it listens.
fn encrypt(certificate: &Path, service: &str, names: &[&str]) -> (Child, u16) {
    let mut command = Command::new(crate::root().join(".venv/bin/python"));
    command.arg(crate::root().join("tests/src/tls.py")).arg(certificate).arg(service).args(names);
    let mut tls = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut port = String::new();
    BufReader::new(tls.stdout.take().unwrap()).read_line(&mut port).unwrap();
    (tls, port.trim().parse().unwrap())
}

/// A name server (RFC 1035) that knows one address of each name, of the fourth version.
fn answer_names(
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
    names: impl Fn(&str, usize) -> Ipv4Addr + Send + 'static,
) {
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            let question = &packet[12..length];
            let end = question.iter().position(|byte| *byte == 0).unwrap();
            let name = name(&question[..end]);
            let kind = question[end + 2];
            let address = (kind == 1).then(|| {
                let mut asked = asked.lock().unwrap();
                let count = asked.entry(name.clone()).or_default();
                *count += 1;
                names(&name, *count)
            });
            // Answered, recursion there, one question, as many answers as there are addresses.
            let count = u8::from(address.is_some());
            let mut answer = vec![packet[0], packet[1], 0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0];
            answer.extend(&question[..end + 5]);
            if let Some(address) = address {
                // The name of the question; an address; good for no time.
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                answer.extend(address.octets());
            }
            let _gone = socket.send_to(&answer, from);
        }
    });
}

/// `3www7example3com` → `www.example.com`
fn name(mut labels: &[u8]) -> String {
    let mut name = Vec::new();
    while let Some((length, rest)) = labels.split_first() {
        let (label, rest) = rest.split_at(usize::from(*length));
        name.push(String::from_utf8_lossy(label).to_lowercase());
        labels = rest;
    }
    name.join(".")
}

/// Listens on a port of all addresses.
fn listen(port: u16, tls: u16, reached: &Arc<Mutex<BTreeMap<String, usize>>>) {
    let listener =
        TcpListener::bind(("::", port)).or_else(|_| TcpListener::bind(("0.0.0.0", port))).unwrap();
    let reached = Arc::clone(reached);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let reached = Arc::clone(&reached);
            thread::spawn(move || take(stream, port, tls, &reached));
        }
    });
}

/// Amazon is passed on, credentials are given out to whoever asks as a container does; everything else is counted.
fn take(mut stream: TcpStream, port: u16, tls: u16, reached: &Mutex<BTreeMap<String, usize>>) {
    let address = stream.local_addr().unwrap().ip().to_canonical();
    if (address, port) == (IpAddr::V4(AMAZON), 443) {
        return pass(stream, tls);
    }
    let gives = (address, port) == (IpAddr::V4(CREDENTIALS), 80);
    let reach = |bytes: usize| {
        *reached.lock().unwrap().entry(format!("{address}:{port}")).or_default() += bytes;
    };
    if !gives {
        reach(0);
    }
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        if !gives || !piece[..count].starts_with(b"GET /credentials ") {
            reach(count);
            continue;
        }
        let answer = r#"{"AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"canary-secret-key","Token":"t","Expiration":"2099-01-01T00:00:00Z"}"#;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        let _gone = write!(stream, "{head}Content-Length: {}\r\n\r\n{answer}", answer.len());
    }
}

fn pass(stream: TcpStream, port: u16) {
    let service = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        let _ended = std::io::copy(&mut from, &mut to);
        let _gone = to.shutdown(std::net::Shutdown::Write);
    };
    let (from, to) = (stream.try_clone().unwrap(), service.try_clone().unwrap());
    thread::spawn(move || copy(from, to));
    copy(service, stream);
}
