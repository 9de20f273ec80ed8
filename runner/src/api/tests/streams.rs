//! Answers that are passed on as they come.

use futures_util::FutureExt as _;

use super::*;
use crate::order::Chunk;
use crate::session::Refusal;

const MODE: &str = "Lambda-Runtime-Function-Response-Mode: streaming\r\n";
const TRAILERS: &str = "Trailer: Lambda-Runtime-Function-Error-Type\r\nTrailer: Lambda-Runtime-Function-Error-Body\r\n";

fn head(headers: &str) -> String {
    format!("POST {RESPONSE} HTTP/1.1\r\n{MODE}{headers}Transfer-Encoding: chunked\r\n\r\n")
}

/// A streaming upload that has begun: what it said of itself, and where it goes.
async fn begin(
    server: &mut Server,
    client: &mut Client,
    headers: &str,
) -> (Option<String>, mpsc::Receiver<Chunk>) {
    let (sink, chunks) = mpsc::channel(1);
    client.send(head(headers)).await;
    (server.answer(Answer::Proceed(Some(sink))).await.streaming, chunks)
}

async fn piece(chunks: &mut mpsc::Receiver<Chunk>) -> Vec<u8> {
    match soon("a piece", chunks.recv()).await {
        Some(Chunk::Data(data)) => data.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn pieces_are_passed_on_before_the_rest_is_there() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let (kind, mut chunks) = begin(&mut server, &mut client, "Content-Type: a/b\r\n").await;
    assert_eq!(kind.as_deref(), Some("a/b"));
    for body in ["prelude\0\0\0\0\0\0\0\0", "x", "yz"] {
        client.send(format!("{:x}\r\n{body}\r\n", body.len())).await;
        assert_eq!(piece(&mut chunks).await, body.as_bytes());
    }
    client.send("0\r\n\r\n").await;
    let Upload::Complete(payload) = server.ended().await else { panic!() };
    assert_eq!((payload.length, written(payload)), (18, Vec::new()));
    assert!(chunks.recv().await.is_none(), "the end is the session's to tell");
    assert_eq!(client.response().await.status, 202);
}

#[tokio::test]
async fn a_stream_says_what_it_is_before_it_begins() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    client.send(head("")).await;
    assert_eq!(server.asked().await.streaming.as_deref(), Some("application/octet-stream"));
    let mut client = server.connect().await;
    client.post(RESPONSE, "Content-Type: a/b\r\n", "").await;
    assert_eq!(server.asked().await.streaming, None);
}

/// Whoever wants all of it at once gets the pieces together.
#[tokio::test]
async fn a_stream_that_nobody_reads_as_one_is_kept() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    client.send(head("") + "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n").await;
    assert_eq!(bytes(server.uploaded().await), b"abc");
}

#[tokio::test]
async fn trailers_tell_of_an_error_in_the_middle() {
    use base64::Engine as _;
    // A stack trace of this size is none too rare.
    let error = format!(r#"{{"errorType":"E","trace":"{}"}}"#, "x".repeat(100_000));
    let body = base64::engine::general_purpose::STANDARD.encode(&error);
    let table = [
        (
            "Lambda-Runtime-Function-Error-Type: Function.Oops\r\n".to_owned(),
            r#"{"errorType":"Function.Oops"}"#,
            "Function.Oops",
        ),
        (
            format!(
                "lambda-runtime-function-error-type: Error\r\nlambda-runtime-function-error-body: {body}\r\n"
            ),
            &error,
            "Runtime.Unknown",
        ),
    ];
    for (trailers, expected, kind) in table {
        let mut server = Server::start().await;
        let mut client = server.connect().await;
        let (_, mut chunks) = begin(&mut server, &mut client, TRAILERS).await;
        client.send("1\r\na\r\n").await;
        assert_eq!(piece(&mut chunks).await, b"a");
        client.send(format!("0\r\n{trailers}\r\n")).await;
        let Upload::Broken(payload) = server.ended().await else { panic!() };
        assert_eq!(payload.error_type.as_deref(), Some(kind));
        assert!(written(payload) == expected.as_bytes());
        assert_eq!(client.response().await.status, 202);
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_off_is_truncated() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let (_, mut chunks) = begin(&mut server, &mut client, "").await;
    client.send("1\r\na\r\n").await;
    assert_eq!(piece(&mut chunks).await, b"a");
    drop(client);
    let Input::End { upload, .. } = server.asked().await.input else { panic!() };
    assert!(matches!(upload, Upload::Refused(Refusal::Truncated)));
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_end_the_upload() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let (_, chunks) = begin(&mut server, &mut client, "").await;
    drop(chunks);
    client.send("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n").await;
    let Upload::Complete(payload) = server.ended().await else { panic!() };
    assert_eq!(payload.length, 3);
}

/// A caller that reads nothing holds the function up rather than filling our memory.
#[tokio::test]
async fn a_slow_caller_slows_the_function() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let (_, mut chunks) = begin(&mut server, &mut client, "").await;
    let piece = 1 << 20;
    let sending = tokio::spawn(async move {
        for _ in 0..64 {
            let data = format!("{piece:x}\r\n{}\r\n", "x".repeat(piece));
            client.send(data).await;
        }
        client.send("0\r\n\r\n").await;
        client
    });
    // All that one thread can do has been done once it yields again and again without progress.
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    assert!(!sending.is_finished());
    let reading = async {
        let mut length = 0;
        while let Some(Chunk::Data(data)) = chunks.recv().await {
            length += data.len();
        }
        length
    };
    let (length, upload) = tokio::join!(soon("all pieces", reading), server.ended());
    assert_eq!(length, 64 * piece);
    assert!(matches!(upload, Upload::Complete(_)));
    assert!(sending.now_or_never().is_some());
}

#[tokio::test]
async fn streams_have_a_limit_of_their_own() {
    for (body, fits) in [("2\r\nab\r\n0\r\n\r\n", true), ("3\r\nabc\r\n0\r\n\r\n", false)] {
        let mut server =
            Server::with(Facts { response_limit: Some(1), stream_limit: Some(2), ..facts() }).await;
        let mut client = server.connect().await;
        let (_, _chunks) = begin(&mut server, &mut client, "").await;
        client.send(body).await;
        match server.ended().await {
            Upload::Complete(_) => assert!(fits),
            Upload::Refused(refusal) => assert!(!fits && refusal == Refusal::TooLarge(2)),
            Upload::Broken(_) => panic!(),
        }
    }
}
