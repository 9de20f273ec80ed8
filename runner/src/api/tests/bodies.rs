//! Answers in all the shapes in which clients send them, and in some that are none.

use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::session::{Kind, Refusal};

fn chunked(headers: &str, body: &str) -> String {
    format!("POST {RESPONSE} HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\n{body}")
}

/// The same ten bytes as clients send them.
#[tokio::test]
async fn an_answer_arrives_whole_in_any_shape() {
    let by_length = |headers: &str| {
        format!("POST {RESPONSE} HTTP/1.1\r\n{headers}Content-Length: 10\r\n\r\n0123456789")
    };
    let whole = "a\r\n0123456789\r\n0\r\n\r\n";
    let table = [
        by_length(""),
        by_length("Content-Type: application/json\r\n"),
        by_length("Content-Type: application/x-www-form-urlencoded\r\n"),
        by_length("content-type: text/plain\r\nhost: x\r\nlambda-runtime-invocation-id: n\r\n"),
        by_length("Accept-Encoding: gzip\r\nUser-Agent: x/1\r\nX-Unknown: 1\r\n"),
        by_length("Lambda-Runtime-Function-XRay-Error-Cause:\r\n"),
        chunked("", whole),
        chunked("", "1;ext=1\r\n0\r\n9\r\n123456789\r\n0\r\n\r\n"),
        chunked("", "3\r\n012\r\n7\r\n3456789\r\n0\r\n\r\n"),
        chunked("Trailer: Lambda-Runtime-Function-Error-Type\r\n", whole),
        chunked(
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n",
            "a\r\n0123456789\r\n0\r\nLambda-Runtime-Function-Error-Type: Function.X\r\n\r\n",
        ),
    ];
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    for request in table {
        client.send(&request).await;
        assert_eq!(bytes(server.uploaded().await), b"0123456789", "{request}");
        let response = client.response().await;
        assert_eq!((response.status, response.body.as_str()), (202, "{\"status\":\"OK\"}\n"));
    }
}

#[tokio::test]
async fn who_waits_to_be_asked_for_the_body_is_asked() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let head =
        format!("POST {RESPONSE} HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    client.send(head).await;
    server.answer(Answer::Proceed(None)).await;
    assert_eq!(client.response().await.status, 100);
    client.send("{}").await;
    assert_eq!(bytes(server.ended().await), b"{}");
    assert_eq!(client.response().await.status, 202);
}

#[tokio::test]
async fn an_answer_says_what_it_is_and_how_long() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    for (headers, content_type) in [("", None), ("Content-Type: a/b; c=d\r\n", Some("a/b; c=d"))] {
        client.post(RESPONSE, headers, "").await;
        let Upload::Complete(payload) = server.uploaded().await else { panic!() };
        assert_eq!((payload.content_type.as_deref(), payload.length), (content_type, 0));
        assert_eq!((payload.error_type.clone(), written(payload)), (None, Vec::new()));
        client.response().await;
    }
}

#[tokio::test]
async fn ids_come_decoded_and_invocation_ids_as_they_are() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let path = "/2018-06-01/runtime/invocation/a%2Fb/error";
    client.post(path, "Lambda-Runtime-Invocation-Id: n\r\n", "{}").await;
    let Input::Begin { id, nonce, kind, .. } = server.asked().await.input else { panic!() };
    assert_eq!((id.as_deref(), nonce.as_deref(), kind), (Some("a/b"), Some("n"), Kind::Error));
}

/// A client that is still sending takes an early answer for a broken connection: all of it is read,
/// far more than fits into any buffer on the way, and the connection is good for the next call.
#[tokio::test]
async fn what_is_refused_is_read_to_its_end() {
    let body = "x".repeat(20 << 20);
    let limited = Facts { response_limit: Some(6_291_556), ..facts() };
    let mut server = Server::with(limited).await;
    let mut client = server.connect().await;
    let table = [
        ("", 6_291_556, None),
        ("", 6_291_557, Some(Refusal::TooLarge(6_291_556))),
        ("", 20 << 20, Some(Refusal::TooLarge(6_291_556))),
        ("Lambda-Runtime-Function-Response-Mode: Streaming\r\n", 1000, Some(Refusal::ResponseMode)),
        ("Lambda-Runtime-Function-Response-Mode:\r\n", 0, Some(Refusal::ResponseMode)),
    ];
    for (headers, length, refused) in table {
        let ((), upload) =
            tokio::join!(client.post(RESPONSE, headers, &body[..length]), server.uploaded());
        assert_eq!(client.response().await.status, 202);
        match (upload, refused) {
            (Upload::Refused(refusal), Some(expected)) => assert_eq!(refusal, expected),
            (Upload::Complete(payload), None) => assert_eq!(payload.length, length as u64),
            other => panic!("{length}: {other:?}"),
        }
    }
    let refused = Answer::Refused(Refusal::UnknownRequest);
    tokio::join!(client.post(RESPONSE, "", &body), server.answer(refused));
    let error = client.response().await.error();
    assert_eq!(error, (400, "InvalidRequestID".into(), "Invalid request ID".into()));
    client.post("/x", "", &body).await;
    assert_eq!(client.response().await.status, 404);
}

#[tokio::test]
async fn without_a_limit_an_answer_may_be_of_any_size() {
    let body = "0123456789".repeat(2 << 20);
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let ((), upload) = tokio::join!(client.post(RESPONSE, "", &body), server.uploaded());
    assert!(bytes(upload) == body.as_bytes());
}

#[tokio::test]
async fn an_upload_that_is_cut_off_ends_once() {
    let table = [
        format!("POST {RESPONSE} HTTP/1.1\r\nContent-Length: 10\r\n\r\n012"),
        format!("POST {RESPONSE} HTTP/1.1\r\nContent-Length: 10\r\n\r\n"),
        chunked("", "a\r\n012"),
        chunked("", "3\r\n012\r\n"),
        chunked("", "3\r\n012\r\n0\r\nx: y"),
        chunked("", "3\r\n012\r\nnonsense\r\n\r\n"),
    ];
    for request in table {
        let mut server = Server::start().await;
        let mut client = server.connect().await;
        client.send(&request).await;
        let seat = server.answer(Answer::Proceed(None)).await.input;
        let Input::Begin { seat, .. } = seat else { panic!() };
        client.0.shutdown().await.unwrap();
        let Input::End { seat: end, upload } = server.asked().await.input else { panic!() };
        assert!(matches!(upload, Upload::Refused(Refusal::Truncated)), "{request}: {upload:?}");
        assert_eq!(end, seat);
        drop(client);
        assert!(server.is_quiet(), "{request}");
    }
}

/// A runtime may answer and exit without waiting for what is said to that, at any speed.
#[tokio::test]
async fn an_answer_counts_though_its_client_is_gone() {
    let by_length = |body: &str| {
        format!("POST {RESPONSE} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let large = "x".repeat(300_000);
    let table = [
        (by_length("{}"), "{}"),
        (by_length(&large), large.as_str()),
        (by_length(""), ""),
        (chunked("", "2\r\n{}\r\n0\r\n\r\n"), "{}"),
        (chunked("", "0\r\n\r\n"), ""),
    ];
    for (request, body) in table {
        for early in [true, false] {
            let mut server = Server::start().await;
            let mut client = server.connect().await;
            client.send(&request).await;
            let begun = if early { None } else { Some(server.asked().await) };
            drop(client);
            let begun = match begun {
                None => server.asked().await,
                Some(begun) => begun,
            };
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            let _ = begun.reply.unwrap().1.send(Answer::Proceed(None));
            let Input::End { upload, .. } = server.asked().await.input else { panic!() };
            assert!(bytes(upload) == body.as_bytes(), "{early} {}", body.len());
        }
    }
}

#[tokio::test]
async fn errors_are_labelled_with_lambdas_own_words() {
    const CAUSE: &str = "Content-Type: application/vnd.aws.lambda.error.cause+json\r\n";
    let own = "Lambda-Runtime-Function-Error-Type: Runtime.ImportModuleError\r\n";
    let json = Some("application/json");
    let octets = Some("application/octet-stream");
    let table = [
        (ERROR, "", r#"{"a":1}"#, r#"{"a":1}"#, None, "Runtime.Unknown"),
        (ERROR, own, "not json", "not json", None, "Runtime.ImportModuleError"),
        (ERROR, CAUSE, r#"{"errorCause":{},"errorType":"é"}"#, r#"{"errorType":"é"}"#, json, ""),
        (ERROR, CAUSE, "{", r#""Invalid error body""#, octets, ""),
        (INIT_ERROR, "Content-Type: a/b\r\n", "{}", "{}", json, ""),
        (INIT_ERROR, "Content-Type: application/json\r\n", "{", "{", octets, ""),
        (INIT_ERROR, own, "", "", octets, "Runtime.ImportModuleError"),
    ];
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    for (path, headers, body, seen, content_type, error_type) in table {
        client.post(path, headers, body).await;
        let Upload::Complete(payload) = server.uploaded().await else { panic!() };
        assert_eq!(payload.content_type.as_deref(), content_type, "{body}");
        assert!(payload.error_type.as_deref().unwrap().starts_with(error_type), "{body}");
        assert_eq!(written(payload), seen.as_bytes());
        assert_eq!(client.response().await.status, 202);
    }
}

/// Managed instances limit errors to 1 MiB; Lambda's other functions may send any.
#[tokio::test]
async fn errors_are_limited_for_managed_instances() {
    let body = "x".repeat((1 << 20) + 1);
    let many = Some(2);
    for (concurrency, length, fits) in
        [(many, 1 << 20, true), (many, (1 << 20) + 1, false), (None, (1 << 20) + 1, true)]
    {
        let mut server = Server::with(Facts { concurrency, ..facts() }).await;
        let mut client = server.connect().await;
        let ((), upload) = tokio::join!(client.post(ERROR, "", &body[..length]), server.uploaded());
        assert_eq!(matches!(upload, Upload::Complete(_)), fits, "{concurrency:?} {length}");
    }
}
