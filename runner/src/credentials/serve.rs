//! The credentials endpoint on the wire (AWS SDKs reference, "Container credential provider"): one path, one token.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use ledger::Redacted;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::{Credentials, Keeper};

/// Where they are.
pub(super) const PATH: &str = "/credentials";
/// So many clients are listened to at the same time; others wait.
const CLIENTS: usize = 64;
/// For so long, until their request is complete.
const PATIENCE: Duration = Duration::from_secs(10);
/// No request of an SDK's is larger.
const LARGEST: usize = 16 << 10;

/// Answers for as long as it is not dropped.
pub(super) async fn serve(listener: TcpListener, keeper: Keeper, token: Redacted<String>) {
    let (desk, places) = (Arc::new((Arc::new(keeper), token)), Arc::new(Semaphore::new(CLIENTS)));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let conversation = converse(stream, Arc::clone(&desk));
                tokio::spawn(async move {
                    conversation.await;
                    drop(place);
                });
            }
            // Out of descriptors, or the client is already gone: try again a little later.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Whoever knows the token, and what it opens.
type Desk = (Arc<Keeper>, Redacted<String>);

/// One request: nobody keeps a place for the next one.
async fn converse(stream: TcpStream, desk: Arc<Desk>) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(answer(&request, &desk.0, &desk.1).await) }
    });
    // A broken connection is the client's affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .keep_alive(false)
        .max_buf_size(LARGEST)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: &Request<Incoming>,
    keeper: &Arc<Keeper>,
    token: &Redacted<String>,
) -> Response<Full<Bytes>> {
    if request.uri().path() != PATH || request.method() != Method::GET {
        return refusal(StatusCode::NOT_FOUND, "NotFound", &format!("expected GET {PATH}"));
    }
    let given = request.headers().get(AUTHORIZATION).map_or(&[][..], HeaderValue::as_bytes);
    if !equal(given, token.expose().as_bytes()) {
        return refusal(
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
            "expected the token of AWS_CONTAINER_AUTHORIZATION_TOKEN",
        );
    }
    match keeper.current().await {
        Ok(credentials) => json_answer(StatusCode::OK, document(&credentials)),
        Err(problem) => refusal(StatusCode::BAD_GATEWAY, "NoCredentials", &problem),
    }
}

/// As the ECS agent words it.
fn document(credentials: &Credentials) -> String {
    let expires = Timestamp::try_from(credentials.expires).unwrap_or_default();
    json!({
        "RoleArn": credentials.role,
        "AccessKeyId": credentials.key.expose(),
        "SecretAccessKey": credentials.secret.expose(),
        "Token": credentials.token.expose(),
        "Expiration": format!("{expires:.0}"),
    })
    .to_string()
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response<Full<Bytes>> {
    json_answer(status, json!({ "code": code, "message": message }).to_string())
}

fn json_answer(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Takes as long for any wrong token of the same length.
fn equal(given: &[u8], expected: &[u8]) -> bool {
    let differences = given.iter().zip(expected).fold(0, |sum, (a, b)| sum | (a ^ b));
    given.len() == expected.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_all_of_itself() {
        assert!(equal(b"abc", b"abc"));
        for wrong in [&b""[..], b"abd", b"ab", b"abcd"] {
            assert!(!equal(wrong, b"abc"));
        }
    }
}
