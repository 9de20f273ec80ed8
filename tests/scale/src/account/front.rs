//! The account's address: requests of the SDK's clients, as they would go over the wire, and their answers. Throttles
//! and lost answers are decided here.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::limits::{self, Rate};
use super::queue::{Body, Message, Queue};
use super::tally::Who;
use super::{Account, NUMBER, REGION, batch, clock, fargate, objects};

/// A client whose requests are answered by this account.
pub(super) fn client(account: Arc<Account>) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Front(account));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct Front(Arc<Account>);

impl HttpConnector for Front {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let account = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let body = request.body().bytes().unwrap_or_default();
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let (path, _) = path(request.uri());
            let asked = if target.is_empty() { path.as_str() } else { target };
            answer(&account, asked, &body).await
        })
    }
}

/// Path and the rest of an address.
fn path(uri: &str) -> (String, String) {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    (path.replace("%3A", ":").replace("%24", "$"), query.to_owned())
}

/// How an operation is called, what it may be called how often, and how long it takes.
fn operation(asked: &str) -> (&'static str, Option<(&'static str, Rate)>, Duration) {
    let usual = limits::LATENCY;
    let slow = limits::LAUNCH_LATENCY;
    match asked.rsplit(['.', '/']).next().unwrap_or_default() {
        "ReceiveMessage" => ("ReceiveMessage", None, usual),
        "DeleteMessageBatch" => ("DeleteMessageBatch", None, usual),
        "ChangeMessageVisibility" => ("ChangeMessageVisibility", None, usual),
        "GetQueueAttributes" => ("GetQueueAttributes", None, usual),
        "SendMessage" => ("SendMessage", None, usual),
        "SendMessageBatch" => ("SendMessageBatch", None, usual),
        "RunTask" => ("RunTask", Some(("modify", limits::MODIFY)), slow),
        "DescribeTasks" => ("DescribeTasks", Some(("read", limits::READ)), usual),
        "submitjob" => ("SubmitJob", Some(("submit", limits::SUBMIT)), slow),
        "listjobs" => ("ListJobs", Some(("list", limits::SUBMIT)), usual),
        "describejobs" => ("DescribeJobs", Some(("describe", limits::SUBMIT)), usual),
        _ if asked.contains("/functions/") => {
            ("GetFunction", Some(("function", limits::GET_FUNCTION)), usual)
        }
        _ => ("unknown", None, usual),
    }
}

async fn answer(
    account: &Arc<Account>,
    asked: &str,
    body: &Value,
) -> Result<HttpResponse, ConnectorError> {
    let (name, rate, takes) = operation(asked);
    account.tally.count(Who::Dispatcher, name, &about(name, body));
    sleep(takes).await;
    // What starts a task has the launch rate too.
    let launches = (name == "RunTask").then_some(("launches", limits::LAUNCHES));
    let mut rates = rate.into_iter().chain(launches);
    let storm = rate.is_some() && account.storms((name, about(name, body)));
    if storm || rates.any(|(bucket, rate)| !account.admits(bucket, rate)) {
        account.tally.throttled();
        return Ok(said(
            400,
            &json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }),
        ));
    }
    let answer = match name {
        "ReceiveMessage" => receive(account, queue(account, body), body).await,
        "DeleteMessageBatch" => delete(queue(account, body), body),
        "ChangeMessageVisibility" => later(queue(account, body), body),
        "GetQueueAttributes" => json!({ "Attributes": { "QueueArn": arn(body) } }),
        "SendMessage" => send(queue(account, body), body),
        "SendMessageBatch" => send_batch(queue(account, body), body),
        "RunTask" => fargate::run_task(account, body),
        "DescribeTasks" => fargate::describe_tasks(account, body),
        "SubmitJob" => batch::submit_job(account, body),
        "ListJobs" => batch::list_jobs(account, body),
        "DescribeJobs" => batch::describe_jobs(account, body),
        "GetFunction" => function(asked),
        _ => {
            return Ok(said(
                400,
                &json!({ "__type": "UnknownOperationException", "message": asked }),
            ));
        }
    };
    if matches!(name, "RunTask" | "SubmitJob")
        && account.dice.happens(limits::LOST_ANSWERS, (name, clock::now(), about(name, body)))
    {
        sleep(Duration::from_secs(5)).await;
        return Err(ConnectorError::timeout("the answer is lost".into()));
    }
    Ok(said(200, &answer))
}

/// What a request is about, for the trace.
fn about(name: &str, body: &Value) -> String {
    let key = match name {
        "RunTask" => "clientToken",
        "SubmitJob" => "jobName",
        _ => "QueueUrl",
    };
    body[key].as_str().unwrap_or_default().to_owned()
}

fn said(status: u16, answer: &Value) -> HttpResponse {
    let mut response =
        HttpResponse::new(status.try_into().expect("a status"), SdkBody::from(answer.to_string()));
    if let Some(code) = answer["__type"].as_str() {
        response.headers_mut().insert("x-amzn-errortype", code.to_owned());
    }
    response
}

fn name(body: &Value) -> &str {
    let url = body["QueueUrl"].as_str().unwrap_or_default();
    url.rsplit('/').next().unwrap_or_default()
}

fn arn(body: &Value) -> String {
    format!("arn:aws:sqs:{REGION}:{NUMBER}:{}", name(body))
}

fn queue<'a>(account: &'a Account, body: &Value) -> &'a Queue {
    match name(body) {
        "failed" => &account.failed,
        "states" => &account.states,
        _ => &account.pointers,
    }
}

/// Waits for messages for as long as it was told to.
async fn receive(account: &Account, queue: &Queue, body: &Value) -> Value {
    let seconds = |key: &str| body[key].as_u64().unwrap_or_default();
    let most = usize::try_from(seconds("MaxNumberOfMessages")).unwrap_or(1);
    let hidden = seconds("VisibilityTimeout") * 1_000;
    let until = Instant::now() + Duration::from_secs(seconds("WaitTimeSeconds"));
    loop {
        let now = clock::now();
        let found = queue.receive(most, now, now + hidden);
        let left = until.saturating_duration_since(Instant::now());
        if !found.is_empty() || left.is_zero() {
            let all =
                found.into_iter().map(|(receipt, message)| printed(account, receipt, &message));
            return json!({ "Messages": all.collect::<Vec<_>>() });
        }
        // Hidden ones may come again meanwhile.
        let _in_time = timeout(left.min(Duration::from_secs(1)), queue.arrived.notified()).await;
    }
}

fn printed(account: &Account, receipt: u64, message: &Message) -> Value {
    let body = match &message.body {
        Body::Failed(number) => failed(account, *number).to_string(),
        Body::Text(text) => text.to_string(),
    };
    json!({
        "MessageId": format!("b7c8f9e2-4d1a-4a6d-9a3e-{:012x}", message.number),
        "ReceiptHandle": receipt.to_string(),
        "Body": body,
        "Attributes": { "SentTimestamp": "1790812800000", "ApproximateReceiveCount": "1" },
    })
}

/// Lambda's record of an invocation that timed out (Lambda developer guide, "Invocation records").
fn failed(account: &Account, number: u64) -> Value {
    let id = objects::name(number);
    let function = number % account.functions;
    let order = account.dice.lot(("order", number));
    json!({
        "version": "1.0", "timestamp": "2026-10-01T00:00:00.000Z",
        "requestContext": {
            "requestId": id,
            "functionArn": format!("arn:aws:lambda:{REGION}:{NUMBER}:function:f-{function}:$LATEST"),
            "condition": "RetriesExhausted", "approximateInvokeCount": 1,
        },
        "requestPayload": { "order": order, "bucket": "in" },
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "responsePayload": {
            "errorType": "Sandbox.Timedout",
            "errorMessage": format!("RequestId: {id} Error: Task timed out after 900.00 seconds"),
        },
    })
}

fn receipt(entry: &Value) -> u64 {
    entry["ReceiptHandle"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn delete(queue: &Queue, body: &Value) -> Value {
    let entries = body["Entries"].as_array().cloned().unwrap_or_default();
    for entry in &entries {
        queue.delete(receipt(entry));
    }
    json!({ "Successful": ids(&entries), "Failed": [] })
}

fn ids(entries: &[Value]) -> Vec<Value> {
    entries
        .iter()
        .map(|entry| json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "0" }))
        .collect()
}

fn later(queue: &Queue, body: &Value) -> Value {
    let seconds = body["VisibilityTimeout"].as_u64().unwrap_or_default();
    queue.later(receipt(body), clock::now() + seconds * 1_000);
    json!({})
}

fn send(queue: &Queue, body: &Value) -> Value {
    queue.send(body["MessageBody"].as_str().unwrap_or_default());
    json!({ "MessageId": "m", "MD5OfMessageBody": "0" })
}

fn send_batch(queue: &Queue, body: &Value) -> Value {
    let entries = body["Entries"].as_array().cloned().unwrap_or_default();
    for entry in &entries {
        queue.send(entry["MessageBody"].as_str().unwrap_or_default());
    }
    json!({ "Successful": ids(&entries), "Failed": [] })
}

/// What is known of a function: a vCPU's worth of memory.
fn function(path: &str) -> Value {
    let name = path.rsplit(['/', ':']).next().unwrap_or_default();
    json!({
        "Configuration": {
            "FunctionName": name, "FunctionArn": format!("arn:aws:lambda:{REGION}:{NUMBER}:function:{name}"),
            "Runtime": "python3.13", "Role": format!("arn:aws:iam::{NUMBER}:role/{name}"), "Handler": "app.handler",
            "MemorySize": 1769, "Timeout": 900, "LastModified": "2026-09-01T00:00:00.000+0000", "Version": "$LATEST",
            "PackageType": "Zip", "Architectures": ["x86_64"], "State": "Active",
        },
        "Code": { "RepositoryType": "S3", "Location": "https://example.com/code.zip" },
    })
}
