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

#[tokio::test]
async fn when_there_are_none_the_reason_is_told() {
    let endpoint = opened(Duration::ZERO, HOUR, 1).await;
    let (status, body) = ask(&endpoint, endpoint.token.expose(), "/credentials").await;
    assert_eq!((status, body["message"].as_str()), (502, Some("AccessDenied")));
    assert_eq!(key(&endpoint).await, "key-2");
}
