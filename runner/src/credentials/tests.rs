//! Credentials over a socket: fresh ones, those at hand while there are no others, and nobody without the token.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::*;

fn credentials(number: usize, life: Duration) -> Credentials {
    let now = SystemTime::now();
    Credentials {
        key: format!("key-{number}").into(),
        secret: "s".to_owned().into(),
        token: "t".to_owned().into(),
        role: "arn:aws:iam::1:role/r".to_owned(),
        obtained: now,
        expires: now + life,
    }
}

/// Those that are obtained live as long; the first `refused` tries are refused.
async fn opened(first: Duration, life: Duration, refused: usize) -> Endpoint {
    let tries = Arc::new(AtomicUsize::new(1));
    let obtain: Obtain = Arc::new(move || {
        let number = tries.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            if number <= refused {
                Err("AccessDenied".to_owned())
            } else {
                Ok(credentials(number, life))
            }
        })
    });
    Endpoint::open(Keeper::new(credentials(0, first), obtain)).await.unwrap()
}

async fn ask(endpoint: &Endpoint, token: &str, path: &str) -> (u16, Value) {
    let client = crate::fetch::client::new().unwrap();
    let url = format!("http://{}{path}", endpoint.address);
    let answer = client.get(url).header("Authorization", token).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

async fn key(endpoint: &Endpoint) -> String {
    let (status, body) = ask(endpoint, endpoint.token.expose(), "/credentials").await;
    assert_eq!(status, 200, "{body}");
    body["AccessKeyId"].as_str().unwrap().to_owned()
}

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn they_are_served_to_who_knows_the_token() {
    let endpoint = opened(HOUR, HOUR, 0).await;
    let (status, body) = ask(&endpoint, endpoint.token.expose(), "/credentials").await;
    assert_eq!((status, body["RoleArn"].as_str()), (200, Some("arn:aws:iam::1:role/r")));
    let expiration = body["Expiration"].as_str().unwrap();
    assert!(
        expiration.len() == "2026-10-09T16:43:26Z".len() && expiration.ends_with('Z'),
        "{expiration}"
    );
    assert_eq!(ask(&endpoint, "wrong", "/credentials").await.0, 401);
    assert_eq!(ask(&endpoint, "", "/credentials").await.0, 401);
    assert_eq!(ask(&endpoint, endpoint.token.expose(), "/else").await.0, 404);
    assert!(!format!("{endpoint:?}").contains(endpoint.token.expose()));
}

#[tokio::test]
async fn those_that_end_soon_are_replaced() {
    let endpoint = opened(Duration::ZERO, HOUR, 0).await;
    assert_eq!([key(&endpoint).await, key(&endpoint).await], ["key-1", "key-1"]);
}

#[tokio::test]
async fn those_at_hand_are_given_while_there_are_no_others() {
    // Their last quarter of an hour has begun long ago.
    let mut held = credentials(0, Duration::from_mins(5));
    held.obtained -= HOUR;
    let obtain: Obtain = Arc::new(|| Box::pin(async { Err("AccessDenied".to_owned()) }));
    let endpoint = Endpoint::open(Keeper::new(held, obtain)).await.unwrap();
    assert_eq!(key(&endpoint).await, "key-0");
}

/// AWS may be silent: what is good is given in time, and whoever asked AWS goes on.
#[tokio::test]
async fn those_at_hand_are_given_while_others_are_on_their_way() {
    let mut held = credentials(0, Duration::from_mins(5));
    held.obtained -= HOUR;
    let answer = Arc::new(tokio::sync::Notify::new());
    let (told, asked) = (Arc::clone(&answer), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    let obtain: Obtain = Arc::new(move || {
        let (told, number) = (Arc::clone(&told), counted.fetch_add(1, Ordering::SeqCst) + 1);
        Box::pin(async move {
            told.notified().await;
            Ok(credentials(number, HOUR))
        })
    });
    let endpoint = Endpoint::open(Keeper::new(held, obtain)).await.unwrap();
    let soon = Duration::from_millis(1_900);
    for _ in 0..2 {
        assert_eq!(tokio::time::timeout(soon, key(&endpoint)).await.unwrap(), "key-0");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "it was asked once");
    answer.notify_one();
    assert_eq!(key(&endpoint).await, "key-1");
}

/// Whoever opens connections and says nothing, or never ends a request, keeps no place.
#[tokio::test]
async fn many_clients_with_nothing_to_say_cost_little() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let endpoint = opened(HOUR, HOUR, 0).await;
    let mut streams = Vec::new();
    for _ in 0..32 {
        let mut stream = tokio::net::TcpStream::connect(endpoint.address).await.unwrap();
        let large = format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(64 << 10));
        let _ = stream.write_all(large.as_bytes()).await;
        streams.push(stream);
    }
    for stream in &mut streams {
        let mut told = String::new();
        let _ = stream.read_to_string(&mut told).await;
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 431"), "{told}");
    }
    assert_eq!(key(&endpoint).await, "key-0");
}

#[tokio::test]
async fn when_there_are_none_the_reason_is_told() {
    let endpoint = opened(Duration::ZERO, HOUR, 1).await;
    let (status, body) = ask(&endpoint, endpoint.token.expose(), "/credentials").await;
    assert_eq!((status, body["message"].as_str()), (502, Some("AccessDenied")));
    assert_eq!(key(&endpoint).await, "key-2");
}
