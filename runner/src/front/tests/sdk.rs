//! AWS's own client for Rust.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_sdk_lambda::error::ProvideErrorMetadata as _;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    InvocationType, InvokeWithResponseStreamResponseEvent as Event, LogType,
};

use super::*;
use crate::order::Chunk;

fn client(house: &House) -> Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::for_tests())
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(format!("http://{}", house.address));
    Client::from_conf(config.build())
}

/// Payload, error details and log of a streamed answer.
async fn streamed(client: Client) -> (Vec<String>, Option<String>, Option<String>) {
    let call = client.invoke_with_response_stream().function_name("f").log_type(LogType::Tail);
    let mut events = call.payload(Blob::new("{}")).send().await.unwrap().event_stream;
    let mut chunks = Vec::new();
    while let Some(event) = events.recv().await.unwrap() {
        match event {
            Event::PayloadChunk(chunk) => {
                chunks.push(String::from_utf8(chunk.payload.unwrap().into_inner()).unwrap());
            }
            Event::InvokeComplete(end) => {
                assert_eq!(end.error_code.is_some(), end.error_details.is_some());
                return (chunks, end.error_details, end.log_result);
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("no end after {chunks:?}");
}

async fn stream(house: &mut House) -> mpsc::Sender<Chunk> {
    let (sender, chunks) = mpsc::channel(1);
    let content_type = "application/octet-stream".to_owned();
    house.order().await.reply.send(Reply::Stream { content_type, chunks }).unwrap();
    sender
}

#[tokio::test]
async fn invocations_of_all_kinds() {
    let mut house = House::open(Settings::default()).await;
    let client = client(&house);
    let call = |kind| client.invoke().function_name(ARN).qualifier("7").invocation_type(kind);
    let call = |kind| call(kind).payload(Blob::new("[1]")).send();
    assert_eq!(call(InvocationType::DryRun).await.unwrap().status_code, 204);
    assert_eq!(call(InvocationType::Event).await.unwrap().status_code, 202);
    house.order().await.reply.send(text("null")).unwrap();
    let answer = tokio::spawn(call(InvocationType::RequestResponse));
    let order = house.order().await;
    assert_eq!(order.event.function_arn, format!("{ARN}:7"));
    order.reply.send(failure()).unwrap();
    let answer = answer.await.unwrap().unwrap();
    assert_eq!((answer.status_code, answer.function_error()), (200, Some("Unhandled")));
    assert_eq!(
        (answer.executed_version(), answer.payload.as_ref().unwrap().as_ref()),
        (Some("$LATEST"), &b"{}"[..])
    );
}

#[tokio::test]
async fn errors_are_those_that_the_client_knows() {
    let mut house = House::open(Settings { queue: 0, ..Settings::default() }).await;
    let client = client(&house);
    let call = || client.invoke().function_name("f").payload(Blob::new("{}")).send();
    let busy = tokio::spawn(call());
    let order = house.order().await;
    let error = call().await.unwrap_err().into_service_error();
    assert!(error.is_too_many_requests_exception(), "{error:?}");
    drop(order);
    assert!(busy.await.unwrap().unwrap_err().into_service_error().is_service_exception());
    let error = client.invoke().function_name("f").payload(Blob::new("x")).send().await;
    let error = error.unwrap_err().into_service_error();
    assert!(error.is_invalid_request_content_exception());
    assert!(error.message().unwrap().starts_with("Could not parse request body into json"));
    let error = client.get_function().function_name("f").send().await.unwrap_err();
    assert!(error.into_service_error().is_resource_not_found_exception());
}

#[tokio::test]
async fn a_stream_arrives_piece_by_piece() {
    let mut house = House::open(Settings::default()).await;
    let reading = tokio::spawn(streamed(client(&house)));
    let sender = stream(&mut house).await;
    for piece in ["a", "", "bc"] {
        sender.send(Chunk::Data(piece.into())).await.unwrap();
    }
    sender.send(Chunk::End { error: None, tail: Some(b"log".to_vec()) }).await.unwrap();
    let (chunks, error, log) = reading.await.unwrap();
    assert_eq!((chunks.concat().as_str(), error, log.as_deref()), ("abc", None, Some("bG9n")));
}

#[tokio::test]
async fn a_large_piece_is_cut_and_a_stream_may_fail() {
    let mut house = House::open(Settings::default()).await;
    let reading = tokio::spawn(streamed(client(&house)));
    let sender = stream(&mut house).await;
    let large = "x".repeat(20 << 20);
    sender.send(Chunk::Data(large.clone().into())).await.unwrap();
    let error = Some(("Function.X".to_owned(), b"{\"errorMessage\":\"m\"}".to_vec()));
    sender.send(Chunk::End { error, tail: None }).await.unwrap();
    let (chunks, error, _) = reading.await.unwrap();
    assert!(chunks.concat() == large && chunks.len() > 1);
    assert_eq!(error.as_deref(), Some("{\"errorMessage\":\"m\"}"));
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_in_an_error() {
    let mut house = House::open(Settings::default()).await;
    let reading = tokio::spawn(streamed(client(&house)));
    let sender = stream(&mut house).await;
    sender.send(Chunk::Data("a".into())).await.unwrap();
    drop(sender);
    let (chunks, error, _) = reading.await.unwrap();
    assert_eq!(chunks, ["a"]);
    assert!(error.unwrap().contains("Runtime.TruncatedResponse"));
}

#[tokio::test]
async fn a_function_that_does_not_stream_answers_in_one_piece() {
    let mut house = House::open(Settings::default()).await;
    let reading = tokio::spawn(streamed(client(&house)));
    house.order().await.reply.send(text("[1,2]")).unwrap();
    assert_eq!(reading.await.unwrap().0, ["[1,2]"]);
    let reading = tokio::spawn(streamed(client(&house)));
    house.order().await.reply.send(failure()).unwrap();
    assert_eq!(reading.await.unwrap().1.as_deref(), Some("{}"));
}

#[tokio::test]
async fn a_reader_who_leaves_does_not_hold_up_the_function() {
    let mut house = House::open(Settings { queue: 0, ..Settings::default() }).await;
    let client = client(&house);
    let call = client.invoke_with_response_stream().function_name("f").send();
    let reading = tokio::spawn(call);
    let sender = stream(&mut house).await;
    sender.send(Chunk::Data("a".into())).await.unwrap();
    drop(reading.await.unwrap().unwrap());
    for _ in 0..100 {
        sender.send(Chunk::Data("x".repeat(1 << 20).into())).await.unwrap();
    }
    sender.send(Chunk::End { error: None, tail: None }).await.unwrap();
    sender.closed().await;
}
