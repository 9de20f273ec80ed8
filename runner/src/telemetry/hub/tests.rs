//! Subscribers on real sockets: prompt, late, slow, and broken.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

use super::*;
use crate::session::Phase;
use crate::telemetry::record::{Fact, InitKind, InitStart, Start};

/// A subscriber that listens for HTTP.
struct Listener {
    port: u16,
    requests: mpsc::UnboundedReceiver<Got>,
    /// It answers as often as it is let.
    gate: Arc<Semaphore>,
    status: Arc<AtomicU16>,
    connections: Arc<AtomicUsize>,
    waiting: VecDeque<Value>,
}

struct Got {
    line: String,
    headers: hyper::HeaderMap,
    records: Vec<Value>,
}

impl Listener {
    async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn on(socket: TcpListener) -> Self {
        let (sender, requests) = mpsc::unbounded_channel();
        let port = socket.local_addr().unwrap().port();
        let (gate, status) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU16::new(200)));
        let connections = Arc::new(AtomicUsize::new(0));
        let each = (sender, Arc::clone(&gate), Arc::clone(&status));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            loop {
                let (stream, _) = socket.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let each = each.clone();
                let service = service_fn(move |request| answer(each.clone(), request));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(async move { drop(connection.await) });
            }
        });
        Self { port, requests, gate, status, connections, waiting: VecDeque::new() }
    }

    /// Answers whatever comes.
    fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    async fn request(&mut self) -> Got {
        tokio::time::timeout(Duration::from_mins(1), self.requests.recv()).await.unwrap().unwrap()
    }

    async fn record(&mut self) -> Value {
        while self.waiting.is_empty() {
            let got = self.request().await;
            self.waiting.extend(got.records);
        }
        self.waiting.pop_front().unwrap()
    }

    fn subscription(&self, types: &[&str]) -> Vec<u8> {
        subscription(self.port, types, 25)
    }
}

async fn answer(
    (sender, gate, status): (mpsc::UnboundedSender<Got>, Arc<Semaphore>, Arc<AtomicU16>),
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let records = serde_json::from_slice(&body).unwrap();
    let line = format!("{} {}", parts.method, parts.uri);
    let status = status.load(Ordering::Relaxed).try_into().unwrap();
    let _ = sender.send(Got { line, headers: parts.headers, records });
    gate.acquire().await.unwrap().forget();
    let mut response = Response::new(Full::from("OK"));
    *response.status_mut() = status;
    Ok(response)
}

fn subscription(port: u16, types: &[&str], timeout: u64) -> Vec<u8> {
    let body = json!({"schemaVersion": "2022-12-13", "types": types,
        "buffering": {"timeoutMs": timeout},
        "destination": {"protocol": "HTTP", "URI": format!("http://sandbox.localdomain:{port}/a/b?c")}});
    serde_json::to_vec(&body).unwrap()
}

fn hub() -> Hub {
    Hub::new(Clock::start(), false)
}

fn start(id: &str) -> Record {
    let (request_id, version) = (id.into(), "$LATEST".into());
    let fact =
        Fact::Start(Start { request_id, version, tracing: None, tenant: None, function_arn: None });
    Record { time: 0, fact }
}

fn init_start() -> Record {
    let (kind, phase) = (InitKind::OnDemand, Phase::Init);
    let (function, version) = ("f".into(), "1".into());
    let start = InitStart {
        kind,
        phase,
        function,
        version,
        runtime: None,
        runtime_arn: None,
        instance: None,
        memory: None,
    };
    Record { time: 0, fact: Fact::InitStart(start) }
}

#[tokio::test]
async fn a_subscriber_is_told_all_since_the_beginning_at_its_own_address() {
    let (mut hub, mut listener) = (hub(), Listener::start().await);
    listener.open();
    hub.event(&init_start());
    hub.lines(Type::Function, 5, b"one\ntwo\n");
    hub.lines(Type::Extension, 6, b"unwanted\n");
    hub.subscribe("e", Feed::Telemetry, &listener.subscription(&["platform", "function"])).unwrap();
    let got = listener.request().await;
    assert_eq!(got.line, "POST /a/b?c");
    assert_eq!(got.headers["host"], format!("sandbox.localdomain:{}", listener.port));
    assert_eq!(got.headers["content-type"], "application/json");
    assert_eq!(got.records[0]["type"], "platform.initStart");
    assert_eq!(
        got.records[1..],
        [
            json!({"time": "1970-01-01T00:00:00.005Z", "type": "function", "record": "one"}),
            json!({"time": "1970-01-01T00:00:00.005Z", "type": "function", "record": "two"})
        ]
    );
    hub.event(&start("r"));
    assert_eq!(listener.record().await["record"]["requestId"], "r");
    assert_eq!(listener.connections.load(Ordering::Relaxed), 1, "the connection is kept");
}

#[tokio::test]
async fn lines_go_by_tcp_one_record_each() {
    let mut hub = hub();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let body = json!({"types": ["extension", "platform"], "buffering": {"timeoutMs": 25},
        "destination": {"protocol": "TCP", "port": port}});
    hub.subscribe("e", Feed::Logs, body.to_string().as_bytes()).unwrap();
    hub.lines(Type::Extension, 5, b"one\n\ntwo\n");
    hub.event(&init_start());
    hub.event(&Record { time: 0, fact: Fact::End("r".into()) });
    let (stream, _) = socket.accept().await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut found = Vec::new();
    for _ in 0..4 {
        let line = lines.next_line().await.unwrap().unwrap();
        found.push(serde_json::from_str::<Value>(&line).unwrap()["record"].clone());
    }
    assert_eq!(found, [json!("one"), json!(""), json!("two"), json!({"requestId": "r"})]);
}

#[tokio::test]
async fn a_listener_may_come_late() {
    let mut hub = hub();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    hub.subscribe("e", Feed::Telemetry, &subscription(port, &["platform"], 25)).unwrap();
    hub.event(&start("r"));
    hub.flush(Instant::now() + Duration::from_millis(100)).await;
    assert!(hub.waiting() > 0, "a flush has an end");
    let mut listener = Listener::on(TcpListener::bind(("127.0.0.1", port)).await.unwrap());
    listener.open();
    assert_eq!(listener.record().await["record"]["requestId"], "r");
}

const LINE: usize = 1000;
const CHUNK: usize = 64;

/// So many chunks of lines, and the most that has been in memory meanwhile.
async fn print(hub: &mut Hub, chunks: usize) -> usize {
    let chunk = [&[b'x'; LINE - 1][..], b"\n"].concat().repeat(CHUNK);
    let mut most = 0;
    for _ in 0..chunks {
        hub.lines(Type::Function, 5, &chunk);
        tokio::task::yield_now().await;
        most = most.max(hub.waiting());
    }
    most
}

/// Records that arrive until all that were told are accounted for, and the notes of what was dropped.
async fn account(listener: &mut Listener, all: u64) -> (u64, Vec<(u64, u64)>) {
    let (mut arrived, mut notes) = (0, Vec::new());
    while arrived + notes.iter().map(|(records, _)| records).sum::<u64>() < all {
        let record = listener.record().await;
        match record["record"]["droppedRecords"].as_u64() {
            Some(dropped) => {
                notes.push((dropped, record["record"]["droppedBytes"].as_u64().unwrap()));
            }
            None => arrived += 1,
        }
    }
    (arrived, notes)
}

/// Two batches that wait and one under way, each of 256 KiB.
const BOUND: usize = 4 * 262_144;

#[tokio::test]
async fn a_subscriber_that_does_not_answer_costs_little_and_learns_what_it_missed() {
    let (mut hub, mut listener) = (hub(), Listener::start().await);
    hub.subscribe("e", Feed::Telemetry, &listener.subscription(&["function"])).unwrap();
    hub.close();
    print(&mut hub, 8).await;
    let first = listener.request().await;
    let chunks = 200_000_000 / LINE / CHUNK;
    let most = print(&mut hub, chunks).await;
    assert!(most < BOUND, "{most} bytes in memory");
    listener.open();
    let all = ((chunks + 8) * CHUNK) as u64;
    let (arrived, notes) = account(&mut listener, all - first.records.len() as u64).await;
    let [(dropped, bytes)] = notes[..] else { panic!("one note, not {notes:?}") };
    assert_eq!(first.records.len() as u64 + arrived + dropped, all);
    assert_eq!(bytes, dropped * (LINE as u64 - 1));
    hub.event(&start("r"));
    hub.flush(Instant::now() + Duration::from_mins(1)).await;
    assert_eq!(hub.waiting(), 0);
}

#[tokio::test]
async fn a_slow_subscriber_is_told_of_every_gap() {
    let (mut hub, mut listener) = (hub(), Listener::start().await);
    hub.subscribe("e", Feed::Telemetry, &listener.subscription(&["function"])).unwrap();
    hub.close();
    let mut most = 0;
    for _ in 0..40 {
        most = most.max(print(&mut hub, 16).await);
        let got = listener.request().await;
        listener.waiting.extend(got.records);
        listener.gate.add_permits(1);
    }
    assert!(most < BOUND, "{most} bytes in memory");
    listener.open();
    let all = (40 * 16 * CHUNK) as u64;
    let (arrived, notes) = account(&mut listener, all).await;
    let dropped: u64 = notes.iter().map(|(records, _)| records).sum();
    assert!(dropped > 0 && arrived > 0);
    assert_eq!(arrived + dropped, all);
}

#[tokio::test]
async fn a_batch_that_is_refused_again_and_again_is_given_up() {
    let (mut hub, mut listener) = (hub(), Listener::start().await);
    listener.open();
    listener.status.store(400, Ordering::Relaxed);
    hub.subscribe("e", Feed::Telemetry, &listener.subscription(&["platform"])).unwrap();
    hub.event(&start("poison"));
    for _ in 0..5 {
        assert_eq!(listener.record().await["record"]["requestId"], "poison");
    }
    listener.status.store(200, Ordering::Relaxed);
    hub.flush(Instant::now() + Duration::from_mins(1)).await;
    hub.event(&start("good"));
    assert_eq!(listener.record().await["record"]["requestId"], "good");
    assert_eq!(listener.record().await["record"]["droppedRecords"], 1);
}

#[tokio::test]
async fn a_flush_does_not_wait_for_more() {
    let (mut hub, mut listener) = (hub(), Listener::start().await);
    listener.open();
    let body = subscription(listener.port, &["platform", "function"], 30_000);
    hub.subscribe("e", Feed::Telemetry, &body).unwrap();
    hub.event(&start("r"));
    hub.lines(Type::Function, 0, b"last words\n");
    hub.flush(Instant::now() + Duration::from_secs(10)).await;
    assert_eq!(hub.waiting(), 0);
    assert_eq!(listener.request().await.records.len(), 2);
}

#[tokio::test]
async fn a_second_subscription_changes_the_first() {
    let (mut hub, mut listener) = (hub(), Listener::start().await);
    listener.open();
    let body = |types| listener.subscription(types);
    hub.subscribe("e", Feed::Telemetry, &body(&["function"])).unwrap();
    hub.subscribe("e", Feed::Telemetry, &body(&["function"])).unwrap();
    hub.subscribe("e", Feed::Telemetry, &body(&["platform"])).unwrap();
    assert_eq!(hub.subscribers.len(), 1);
    let logs = json!({"types": ["platform"], "destination": {"protocol": "TCP", "port": 1}});
    hub.subscribe("e", Feed::Logs, logs.to_string().as_bytes()).unwrap_err();
    hub.subscribe("other", Feed::Logs, logs.to_string().as_bytes()).unwrap();
    hub.lines(Type::Function, 0, b"x\n");
    hub.event(&start("r"));
    assert_eq!(listener.record().await["record"]["requestId"], "r");
}

#[tokio::test]
async fn with_nobody_to_tell_nothing_is_kept() {
    let mut hub = hub();
    assert!(hub.wants(Type::Function), "somebody may come");
    hub.close();
    assert!(!hub.wants(Type::Function));
    hub.event(&start("r"));
    assert!(hub.scratch.is_empty());
    hub.reset();
    hub.event(&init_start());
    let mut listener = Listener::start().await;
    hub.subscribe("e", Feed::Telemetry, &listener.subscription(&["platform"])).unwrap();
    listener.open();
    assert_eq!(listener.record().await["type"], "platform.initStart");
    hub.reset();
    assert!(hub.subscribers.is_empty());
}

#[tokio::test]
async fn what_is_printed_before_anybody_subscribes_is_kept_within_bounds() {
    let (mut hub, mut listener) = (hub(), Listener::start().await);
    listener.open();
    let most = print(&mut hub, 100).await;
    assert_eq!(most, 0);
    hub.subscribe("e", Feed::Telemetry, &listener.subscription(&["function"])).unwrap();
    let (arrived, notes) = account(&mut listener, 100 * CHUNK as u64).await;
    assert_eq!((arrived, notes.len()), (262, 1));
}
