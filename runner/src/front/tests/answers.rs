//! Callers who wait.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::order::{Wants, When};

#[tokio::test]
async fn an_invocation_reaches_the_environment_and_its_answer_the_caller() {
    let mut house = House::open(Settings::default()).await;
    let context = BASE64.encode(r#"{"custom":{"a":"b"}}"#);
    let headers = format!(
        "x-amz-client-context: {context}\r\nX-Amz-Log-Type: Tail\r\nX-Amzn-Trace-Id: Root=1-2-3\r\nx-amz-tenant-id: t\r\nauthorization: AWS4-HMAC-SHA256 nonsense\r\n"
    );
    let call = house.call(&format!("{INVOKE}?Qualifier=live"), &headers, "{\"n\": 1.0}");
    let order = house.order().await;
    assert_eq!(order.event.payload.expose().at_hand().unwrap(), "{\"n\": 1.0}");
    assert_eq!(order.event.function_arn, format!("{ARN}:live"));
    assert_eq!(order.event.client_context.unwrap().expose(), r#"{"custom":{"a":"b"}}"#);
    assert_eq!(
        (order.event.trace_id.as_str(), order.event.tenant.as_deref()),
        ("Root=1-2-3", Some("t"))
    );
    assert_eq!((order.wants, order.when), (Wants::Whole, When::WithTail));
    let tail = Some(b"END RequestId".to_vec());
    order.reply.send(Reply::Whole(Answer { tail, ..answer(b"[1]".to_vec()) })).unwrap();
    let heard = call.await.unwrap();
    assert_eq!((heard.status, heard.text()), (200, "[1]"));
    let table = [
        ("content-type", "application/json"),
        ("x-amz-executed-version", "$LATEST"),
        ("x-amz-log-result", &BASE64.encode("END RequestId")),
        ("x-amz-function-error", ""),
        ("x-amzn-requestid", &order.event.request_id),
        ("x-amzn-trace-id", "Root=1-2-3"),
        ("x-amzn-remapped-content-length", "0"),
    ];
    for (name, value) in table {
        assert_eq!(heard.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn a_functions_error_is_an_answer() {
    let mut house = House::open(Settings::default()).await;
    let call = house.call("/2015-03-31/functions/function/invocations", "", "");
    let order = house.order().await;
    assert_eq!(
        order.event.payload.expose().at_hand().unwrap(),
        "{}",
        "an empty event is an empty object"
    );
    order.reply.send(failure()).unwrap();
    let heard = call.await.unwrap();
    assert_eq!((heard.status, heard.header("x-amz-function-error")), (200, "Unhandled"));
}

#[tokio::test]
async fn the_emulators_caller_may_choose_the_request_id_once_at_a_time() {
    let mut house = House::open(Settings::default()).await;
    let path = "/2015-03-31/functions/function/invocations";
    let first = house.call(path, "X-Amzn-RequestId: mine\r\n", "1");
    let order = house.order().await;
    assert_eq!(order.event.request_id, "mine");
    let second = house.call(path, "X-Amzn-RequestId: mine\r\n", "2").await.unwrap();
    assert_eq!((second.status, second.header("error-type")), (400, "Client.DuplicatedInvokeId"));
    order.reply.send(text("1")).unwrap();
    assert_eq!(first.await.unwrap().header("x-amzn-requestid"), "mine");
}

#[tokio::test]
async fn what_is_no_invocation_runs_nothing() {
    let mut house = House::open(Settings::default()).await;
    let mut wire = Wire::open(house.address).await;
    let table = [
        ("GET /", 200),
        ("HEAD /", 200),
        ("GET /health", 200),
        ("OPTIONS /2015-03-31/functions/f/invocations", 204),
        ("GET /2015-03-31/functions/", 404),
        ("GET /2015-03-31/functions/f/invocations", 405),
        ("POST /2018-06-01/runtime/init/error", 404),
    ];
    for (line, status) in table {
        wire.send(line, "", b"").await;
        if line.starts_with("HEAD") {
            wire = Wire::open(house.address).await;
            continue;
        }
        let heard = wire.hear().await.unwrap();
        assert_eq!(heard.status, status, "{line}");
        if status == 404 {
            assert!(heard.text().starts_with(r#"{"Message":"Only invocations are served here"#));
            assert_eq!(heard.header("x-amzn-errortype"), "ResourceNotFoundException");
        }
    }
    let headers = "x-amz-invocation-type: DryRun\r\n";
    let dry = wire.call(INVOKE, headers, b"{}").await;
    assert_eq!((dry.status, dry.header("x-amz-executed-version")), (204, ""));
    for (headers, body, kind) in [
        ("", "hello", "InvalidRequestContentException"),
        ("x-amz-client-context: e30\r\nx-amz-log-type: all\r\n", "{}", "ValidationException"),
        ("x-amz-client-context: ???\r\n", "{}", "InvalidRequestContentException"),
        ("origin: https://example.com\r\n", "{}", "AccessDeniedException"),
    ] {
        let heard = wire.call(INVOKE, headers, body.as_bytes()).await;
        assert_eq!(heard.header("x-amzn-errortype"), kind, "{}", heard.text());
        assert!(!heard.header("x-amzn-requestid").is_empty());
    }
    assert!(house.has_no_order());
}

#[tokio::test]
async fn a_permitted_page_may_call() {
    let cors = Some("http://localhost:3000".to_owned());
    let mut house = House::open(Settings { cors, ..Settings::default() }).await;
    let call = house.call(INVOKE, "origin: http://localhost:3000\r\n", "{}");
    house.order().await.reply.send(text("1")).unwrap();
    let heard = call.await.unwrap();
    assert_eq!(heard.header("access-control-allow-origin"), "http://localhost:3000");
    let other = house.call(INVOKE, "origin: http://localhost:3001\r\n", "{}").await.unwrap();
    assert_eq!((other.status, other.header("access-control-allow-origin")), (403, ""));
}

#[tokio::test]
async fn one_connection_serves_many_calls_and_many_connections_at_the_same_time() {
    let settings = Settings { concurrency: 8, ..Settings::default() };
    let mut house = House::open(settings).await;
    let calls: Vec<_> = (0..64)
        .map(|number| {
            let address = house.address;
            tokio::spawn(async move {
                let mut wire = Wire::open(address).await;
                for turn in 0..5 {
                    let event = format!("[{number},{turn}]");
                    assert_eq!(wire.call(INVOKE, "", event.as_bytes()).await.text(), event);
                }
            })
        })
        .collect();
    for _ in 0..64 * 5 {
        let order = house.order().await;
        let event = order.event.payload.expose().at_hand().unwrap().to_vec();
        order.reply.send(Reply::Whole(answer(event))).unwrap();
    }
    for call in calls {
        call.await.unwrap();
    }
}

#[tokio::test]
async fn who_comes_when_all_seats_are_taken_is_told_to_come_back() {
    let mut house = House::open(Settings { queue: 1, ..Settings::default() }).await;
    let (first, second) = (house.call(INVOKE, "", "1"), house.call(INVOKE, "", "2"));
    let (one, two) = (house.order().await, house.order().await);
    let third = house.call(INVOKE, "", "3").await.unwrap();
    assert_eq!((third.status, third.header("retry-after")), (429, "1"));
    assert!(third.text().contains(r#""message":"Rate Exceeded.""#));
    one.reply.send(text("1")).unwrap();
    two.reply.send(text("2")).unwrap();
    assert_eq!((first.await.unwrap().status, second.await.unwrap().status), (200, 200));
    let fourth = house.call(INVOKE, "", "4");
    house.order().await.reply.send(text("4")).unwrap();
    assert_eq!(fourth.await.unwrap().status, 200);
}

#[tokio::test]
async fn events_of_any_size_arrive_unless_lambdas_limits_are_asked_for() {
    let large = format!("\"{}\"", "x".repeat(7 << 20));
    let mut house = House::open(Settings::default()).await;
    let call = house.call(INVOKE, "", large.clone());
    let order = house.order().await;
    let event = order.event.payload.expose().small(8 << 20).await.unwrap().unwrap();
    assert!(event == large);
    order.reply.send(text("1")).unwrap();
    assert_eq!(call.await.unwrap().status, 200);
    let mut house = House::open(Settings { strict: true, ..Settings::default() }).await;
    let heard = house.call(INVOKE, "", large).await.unwrap();
    assert_eq!(
        (heard.status, heard.header("x-amzn-errortype")),
        (413, "RequestEntityTooLargeException")
    );
    assert_eq!(
        heard.text(),
        r#"{"Message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}"#
    );
    let event = format!("\"{}\"", "x".repeat(1 << 20));
    let heard = house.call(INVOKE, "x-amz-invocation-type: Event\r\n", event).await.unwrap();
    assert!(heard.status == 413 && heard.text().contains("1048576") && house.has_no_order());
}

#[tokio::test]
async fn a_body_without_a_length_is_measured_as_it_comes() {
    let settings = Settings { max_request: 10, ..Settings::default() };
    let mut house = House::open(settings).await;
    let mut wire = Wire::open(house.address).await;
    let chunked =
        format!("POST {INVOKE} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    wire.say(&format!("{chunked}4\r\n\"123\r\n3\r\n45\"\r\n0\r\n\r\n")).await;
    let order = house.order().await;
    assert_eq!(order.event.payload.expose().at_hand().unwrap(), "\"12345\"");
    order.reply.send(text("1")).unwrap();
    assert_eq!(wire.hear().await.unwrap().status, 200);
    wire.say(&format!("{chunked}8\r\n\"1234567\r\n8\r\n1234567\"\r\n0\r\n\r\n")).await;
    assert_eq!(wire.hear().await.unwrap().status, 413);
}

#[tokio::test]
async fn a_spooled_answer_arrives_whole() {
    let mut house = House::open(Settings::default()).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(5 << 20).collect();
    let call = house.call(INVOKE, "", "{}");
    let mut payload = Payload::default();
    for piece in bytes.chunks(300_000) {
        payload.push(piece).unwrap();
    }
    house.order().await.reply.send(Reply::Whole(answer(payload))).unwrap();
    let heard = call.await.unwrap();
    assert!(heard.body == bytes && heard.header("content-length") == bytes.len().to_string());
}

#[tokio::test]
async fn a_slow_caller_holds_up_nobody() {
    let mut house = House::open(Settings { queue: 0, ..Settings::default() }).await;
    let mut slow = Wire::open(house.address).await;
    slow.say(&format!("POST {INVOKE} HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n[")).await;
    let call = house.call(INVOKE, "", "1");
    house.order().await.reply.send(text("1")).unwrap();
    assert_eq!(call.await.unwrap().status, 200);
    slow.say("1 ]").await;
    house.order().await.reply.send(text("2")).unwrap();
    assert_eq!(slow.hear().await.unwrap().text(), "2");
}

#[tokio::test]
async fn who_has_said_all_is_still_answered() {
    let mut house = House::open(Settings::default()).await;
    let mut wire = Wire::open(house.address).await;
    wire.send(&format!("POST {INVOKE}"), "", b"{}").await;
    wire.0.get_mut().shutdown().await.unwrap();
    house.order().await.reply.send(text("1")).unwrap();
    assert_eq!(wire.hear().await.unwrap().text(), "1");
}

#[tokio::test]
async fn localhost_is_both_of_its_addresses() {
    let mut house = House::open(Settings::default()).await;
    let twin = SocketAddr::from((Ipv6Addr::LOCALHOST, house.address.port()));
    if TcpStream::connect(twin).await.is_err() {
        return; // This machine has no IPv6.
    }
    let call = tokio::spawn(async move { Wire::open(twin).await.call(INVOKE, "", b"{}").await });
    house.order().await.reply.send(text("1")).unwrap();
    assert_eq!(call.await.unwrap().status, 200);
}
