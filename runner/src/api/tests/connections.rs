//! How clients connect: once or for each call, patiently, with large headers, and how they leave.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures_util::FutureExt as _;
use hyper::rt::{Sleep, Timer};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::api::answer::tests::{event, invocation};
use crate::api::{CLIENTS, http};
use crate::config::Context;
use crate::session::Seat;

fn an_event() -> Answer {
    Answer::Event(event(Context::default()).into(), invocation())
}

async fn cycle(server: &mut Server, client: &mut Client) {
    client.get(NEXT, "").await;
    server.answer(an_event()).await;
    assert_eq!(client.response().await.status, 200);
    client.post(RESPONSE, "", "{}").await;
    assert_eq!(bytes(server.uploaded().await), b"{}");
    assert_eq!(client.response().await.status, 202);
}

#[tokio::test]
async fn one_connection_serves_for_thousands_of_invocations() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    for _ in 0..2000 {
        cycle(&mut server, &mut client).await;
    }
}

#[tokio::test]
async fn each_call_may_have_a_connection_of_its_own() {
    let mut server = Server::start().await;
    for _ in 0..200 {
        let mut client = server.connect().await;
        client.get(NEXT, "Connection: close\r\n").await;
        server.answer(an_event()).await;
        assert_eq!(client.response().await.status, 200);
        let mut rest = Vec::new();
        assert_eq!(soon("the end", client.0.read_to_end(&mut rest)).await.unwrap(), 0);
    }
}

/// Scripts look for them letter by letter.
#[tokio::test]
async fn header_names_are_written_as_lambda_writes_them() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    client.get(NEXT, "Connection: close\r\n").await;
    server.answer(an_event()).await;
    let mut answer = Vec::new();
    soon("the answer", client.0.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    for name in
        ["Lambda-Runtime-Aws-Request-Id: ", "Lambda-Runtime-Deadline-Ms: ", "Content-Type: "]
    {
        assert!(answer.contains(name), "{name} is not in {answer}");
    }
}

#[tokio::test]
async fn an_answered_call_leaves_no_word() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    cycle(&mut server, &mut client).await;
    client.get("/2018-06-01/ping", "").await;
    client.response().await;
    assert!(server.is_quiet());
}

#[tokio::test]
async fn the_session_learns_when_a_parked_client_goes_away() {
    let id = "Lambda-Extension-Identifier: 00000000-0000-0000-0000-00000000000a\r\n";
    for (path, headers) in [(NEXT, ""), ("/2020-01-01/extension/event/next", id)] {
        let mut server = Server::start().await;
        let mut client = server.connect().await;
        client.get(path, headers).await;
        let parked = server.asked().await;
        let seat = parked.reply.as_ref().unwrap().0;
        drop(client);
        assert!(matches!(server.asked().await.input, Input::Left(left) if left == seat));
    }
}

#[tokio::test]
async fn where_nobody_decides_any_more_a_parked_call_stays_parked() {
    let mut server = Server::start().await;
    let (mut parked, mut other) = (server.connect().await, server.connect().await);
    parked.get(NEXT, "").await;
    other.post(INIT_ERROR, "", "").await;
    drop((server.asked().await, server.asked().await));
    assert_eq!(other.response().await.error().1, "InternalServerError");
    assert!(parked.0.read_u8().now_or_never().is_none());
}

#[tokio::test]
async fn a_header_may_be_as_large_as_lambdas_but_not_endless() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let cause =
        |length| format!("Lambda-Runtime-Function-XRay-Error-Cause: {}\r\n", "x".repeat(length));
    client.post(ERROR, &cause(1 << 20), "{}").await;
    assert_eq!(bytes(server.uploaded().await), b"{}");
    assert_eq!(client.response().await.status, 202);
    // The rest of it is not read: the client may be told so, or merely cut off.
    let endless = format!("GET {NEXT} HTTP/1.1\r\n{}\r\n", cause(2 << 20));
    let _ = client.0.write_all(endless.as_bytes()).await;
    let mut told = String::new();
    let _ = soon("the end", client.0.read_to_string(&mut told)).await;
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 431 "), "{told}");
    assert!(server.is_quiet());
}

/// However many clients send heads that do not end: one at a time is read, and small ones are not made to wait.
#[tokio::test]
async fn large_heads_wait_for_their_turn() {
    let mut server = Server::start().await;
    let begun = format!("GET {NEXT} HTTP/1.1\r\nX-A: {}", "x".repeat(1 << 20));
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    soon("the first", first.0.write_all(begun.as_bytes())).await.unwrap();
    let sending = tokio::spawn(async move {
        second.0.write_all(format!("{begun}\r\n\r\n").as_bytes()).await.unwrap();
        second
    });
    let mut other = server.connect().await;
    cycle(&mut server, &mut other).await;
    assert!(server.is_quiet());
    // Whoever is done makes room.
    first.0.write_all(b"\r\n\r\n").await.unwrap();
    for _ in 0..2 {
        server.answer(an_event()).await;
    }
    assert_eq!(first.response().await.status, 200);
    assert_eq!(soon("the second", sending).await.unwrap().response().await.status, 200);
}

const PING: &str = "/2018-06-01/ping";

#[tokio::test]
async fn who_has_a_place_and_has_said_something_keeps_it() {
    let server = Server::start().await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = server.connect().await;
        client.get(PING, "").await;
        assert_eq!(client.response().await.status, 200);
        clients.push(client);
    }
    let mut last = server.connect().await;
    last.get(PING, "").await;
    let short = Duration::from_millis(200);
    assert!(tokio::time::timeout(short, last.0.read_u8()).await.is_err(), "one too many");
    drop(clients.remove(0));
    assert_eq!(last.response().await.status, 200);
}

/// However many there are of them: they stop nobody.
#[tokio::test]
async fn who_has_said_nothing_in_full_gives_way_to_who_comes() {
    let server = Server::start().await;
    let mut clients = vec![server.connect().await];
    clients[0].get(PING, "").await;
    assert_eq!(clients[0].response().await.status, 200);
    for _ in 0..2 * CLIENTS {
        let mut client = server.connect().await;
        client.0.write_all(b"GET / HTTP/1.1\r\nX-A: ").await.unwrap();
        clients.push(client);
    }
    let mut last = server.connect().await;
    last.get(PING, "").await;
    assert_eq!(last.response().await.status, 200);
    let mut told = String::new();
    let _ = soon("the end", clients[1].0.read_to_string(&mut told)).await;
    assert_eq!(told, "", "the first of them had to leave");
    clients[0].get(PING, "").await;
    assert_eq!(clients[0].response().await.status, 200);
}

#[tokio::test]
async fn seats_are_told_apart() {
    let mut server = Server::start().await;
    let mut clients = [server.connect().await, server.connect().await];
    let mut seats: Vec<Seat> = Vec::new();
    for client in &mut clients {
        client.get(NEXT, "").await;
        seats.push(server.asked().await.reply.unwrap().0);
    }
    assert_ne!(seats[0], seats[1]);
}

/// A clock that counts how often it is asked to call back.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl Timer for Counting {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now())
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(Never)
    }
}

struct Never;

impl Sleep for Never {}

impl Future for Never {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn nobody_is_hurried() {
    let clock = Counting::default();
    let service =
        service_fn(|_| async { Ok::<_, std::convert::Infallible>(crate::api::answer::pong()) });
    let (mut client, stream) = tokio::io::duplex(1 << 10);
    let connection = http().timer(clock.clone()).serve_connection(TokioIo::new(stream), service);
    tokio::spawn(connection);
    client.write_all(b"GET /2018-06-01/ping HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    soon("an answer", client.read_exact(&mut answer)).await.unwrap();
    assert_eq!((&answer, clock.0.load(Ordering::Relaxed)), (b"HTTP/1.1 200", 0));
}
