//! Deliveries, with carriers that do as they are told; what is sent is tested beside it.

mod records;
mod requests;
mod streams;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use ledger::{
    Condition, Facts, InvocationRecord, Job, Object, Origin, Outcome, Redacted, ResponseContext,
    Root, Stored,
};

use super::*;

/// A large response, piece by piece.
struct Bits(Vec<Bytes>);

impl std::fmt::Debug for Bits {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Bits").finish_non_exhaustive()
    }
}

impl Large for Bits {
    fn open(&self) -> BoxFuture<'static, io::Result<Object>> {
        let bits = self.0.clone();
        let bytes = bits.iter().map(|bit| bit.len() as u64).sum();
        let pieces = futures_util::stream::iter(bits.into_iter().map(Ok)).boxed();
        std::future::ready(Ok(Object { bytes, pieces })).boxed()
    }
}

fn root() -> Root {
    "s3://ledger/p".parse().unwrap()
}

fn job(event: &str) -> Job {
    let event = Bytes::copy_from_slice(event.as_bytes());
    let origin = Origin { kind: "direct".into(), ..Origin::default() };
    Job::new("j-1".parse().unwrap(), "resize", event, origin, Time::from_millis(0))
}

fn record(event: &str, condition: Condition) -> InvocationRecord {
    InvocationRecord {
        timestamp: Time::from_millis(1_791_564_206_568),
        request_id: "r-1".into(),
        function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:resize:live".into(),
        condition,
        approximate_invoke_count: 3,
        request: Some(Bytes::copy_from_slice(event.as_bytes()).into()),
        response: Some(ResponseContext::new("7", condition != Condition::Success)),
    }
}

/// A job in a ledger whose function answered.
fn answered(event: &str, response: &str) -> Parcel {
    parcel(event, response, Condition::Success)
}

fn parcel(event: &str, response: &str, condition: Condition) -> Parcel {
    let record = record(event, condition).whole(response.as_bytes());
    let mut job = job(event);
    job.task_token = Some(Redacted::new("token".into()));
    let outcome = Outcome::new(1, record, Facts::new(1, 0.0));
    Parcel::of(&outcome, Sources::default(), Some((&job, &root()))).unwrap()
}

/// One with a large response, in a ledger.
fn large(event: &str, bits: &[&[u8]]) -> Parcel {
    let mut outcome = outcome_of(event, bits);
    outcome.response.as_mut().unwrap().sha256 = "0f".into();
    Parcel::of(&outcome, responding(bits), Some((&job(event), &root()))).unwrap()
}

/// One that no ledger keeps.
fn unkept(event: &str, bits: &[&[u8]]) -> Parcel {
    Parcel::of(&outcome_of(event, bits), responding(bits), None).unwrap()
}

fn responding(bits: &[&[u8]]) -> Sources {
    Sources { response: Some(source(bits)), ..Sources::default() }
}

fn source(bits: &[&[u8]]) -> Arc<dyn Large> {
    Arc::new(Bits(bits.iter().map(|bit| Bytes::copy_from_slice(bit)).collect()))
}

fn outcome_of(event: &str, bits: &[&[u8]]) -> Outcome {
    let record = record(event, Condition::Success).bare();
    let mut outcome = Outcome::new(1, record, Facts::new(1, 0.0));
    let bytes = bits.concat().len() as u64;
    outcome.response =
        Some(Stored { key: "jobs/j-1/response".into(), bytes, sha256: String::new() });
    outcome
}

/// Answers each try with the next of these; then with success.
#[derive(Debug, Default)]
struct Script {
    answers: RefCell<VecDeque<Result<(), Fault>>>,
    sent: RefCell<Vec<String>>,
    silent: bool,
}

impl Script {
    fn new(answers: impl IntoIterator<Item = Fault>) -> Self {
        let answers = RefCell::new(answers.into_iter().map(Err).collect());
        Self { answers, ..Self::default() }
    }
}

impl Carrier for Script {
    async fn know(&self, _destination: &Destination) -> Result<Known, Fault> {
        Ok(Known { url: Some("https://sqs.eu-west-1.amazonaws.com/1/q".into()), largest: None })
    }

    async fn send(&self, request: &Request, _parcel: &Parcel) -> Result<Option<String>, Fault> {
        let text = match request {
            Request::Invoke { payload, .. } => payload.expose().clone(),
            other => format!("{other:?}"),
        };
        self.sent.borrow_mut().push(text);
        if self.silent {
            std::future::pending::<()>().await;
        }
        let answer = self.answers.borrow_mut().pop_front().unwrap_or(Ok(()));
        answer.map(|()| Some("id".to_owned()))
    }
}

const FUNCTION: &str = "lambda:arn:aws:lambda:eu-west-1:123456789012:function:after";

fn quick() -> Patience {
    let millis = Duration::from_millis;
    Patience { each: millis(50), pause: millis(1), longest: millis(2), total: LONG }
}

async fn delivered(script: &Script, parcel: &Parcel, for_: Duration) -> Delivery {
    let to = [FUNCTION.parse().unwrap()];
    let until = Until::moment(Instant::now() + for_);
    deliver(script, parcel, &to, quick(), &until).await.remove(0)
}

const LONG: Duration = Duration::from_mins(1);

fn fault(status: u16, code: &str) -> Fault {
    Fault::refused("Invoke", status, code, "message")
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let faults = [fault(429, "TooManyRequestsException"), fault(503, "x"), Fault::passing("y")];
    let script = Script::new(faults);
    let delivery = delivered(&script, &answered("1", "2"), LONG).await;
    assert!(matches!(&delivery.fate, Fate::Delivered { id: Some(id), .. } if id == "id"));
    assert_eq!((delivery.tries, delivery.problem()), (4, None));
}

#[tokio::test]
async fn a_refusal_for_good_is_reported_at_once() {
    let script = Script::new([fault(403, "AccessDeniedException")]);
    let delivery = delivered(&script, &answered("1", "2"), LONG).await;
    let problem = delivery.problem().unwrap();
    assert_eq!(delivery.tries, 1);
    assert_eq!(problem, format!("{FUNCTION}: Invoke was refused: AccessDeniedException: message"));
}

#[tokio::test]
async fn an_end_of_time_is_the_end_of_tries() {
    let script = Script::new((0..1_000).map(|_| fault(503, "Busy")));
    let delivery = delivered(&script, &answered("1", "2"), Duration::from_millis(40)).await;
    let problem = delivery.problem().unwrap();
    assert!(delivery.tries > 1, "{problem}");
    assert!(problem.contains("Busy") && problem.contains("the time was up"), "{problem}");
}

#[tokio::test]
async fn an_end_of_time_ends_a_try_that_is_under_way() {
    let script = Script { silent: true, ..Script::default() };
    let patience = Patience { each: LONG, ..quick() };
    let until = Until::moment(Instant::now() + Duration::from_millis(10));
    let to = [FUNCTION.parse().unwrap()];
    let delivering = answered("1", "2");
    let delivering = deliver(&script, &delivering, &to, patience, &until);
    let results = tokio::time::timeout(LONG / 10, delivering).await.unwrap();
    assert!(results[0].problem().unwrap().contains("no answer; given up after 1 try"));
}

#[tokio::test]
async fn an_end_of_patience_is_one_too() {
    let script = Script::new((0..1_000).map(|_| fault(503, "Busy")));
    let patience = Patience { total: Duration::from_millis(40), ..quick() };
    let (_told, until) = Until::told();
    let to = [FUNCTION.parse().unwrap()];
    let results = deliver(&script, &answered("1", "2"), &to, patience, &until).await;
    assert!(results[0].tries > 1 && results[0].problem().unwrap().contains("Busy"), "{results:?}");
}

#[tokio::test]
async fn a_carrier_that_never_answers_is_asked_again() {
    let script = Script { silent: true, ..Script::default() };
    let delivery = delivered(&script, &answered("1", "2"), Duration::from_millis(160)).await;
    assert!(delivery.tries > 1, "{delivery:?}");
}

#[tokio::test]
async fn a_workflow_that_is_gone_is_nobodys_problem() {
    let script = Script::new([fault(400, "TaskTimedOut")]);
    let delivery = delivered(&script, &answered("1", "2"), LONG).await;
    assert_eq!(delivery.problem(), None);
    assert!(delivery.gone().is_some_and(|(_, said)| said.contains("TaskTimedOut")));
}

#[tokio::test]
async fn what_is_too_large_is_sent_smaller_once() {
    let parcel = answered("1", &format!("\"{}\"", "x".repeat(300 << 10)));
    let too_large = || fault(413, "RequestTooLargeException");
    let script = Script::new([too_large()]);
    assert_eq!(delivered(&script, &parcel, LONG).await.problem(), None);
    let lengths: Vec<usize> = script.sent.borrow().iter().map(String::len).collect();
    assert!(lengths[0] > 300 << 10 && lengths[1] < 1_000, "{lengths:?}");
    let script = Script::new([too_large(), too_large()]);
    assert!(delivered(&script, &parcel, LONG).await.problem().is_some());
}

#[tokio::test]
async fn one_destination_does_not_wait_for_another() {
    let to = Destination::list(&format!("stepfunctions,{FUNCTION},sns:arn:aws:sns:x:1:t")).unwrap();
    let script = Script::new([fault(503, "Busy"), fault(403, "AccessDenied")]);
    let until = Until::moment(Instant::now() + LONG);
    let results = deliver(&script, &answered("1", "2"), &to, quick(), &until).await;
    let found: Vec<_> = results.iter().map(|one| (one.tries, one.problem().is_none())).collect();
    assert_eq!(found, [(2, true), (1, false), (1, true)]);
    assert!(results.iter().zip(&to).all(|(result, to)| result.destination == *to));
}

#[test]
fn pauses_grow_to_a_limit() {
    let patience = Patience::default();
    let pauses: Vec<_> = (1..12).map(|failures| patience.pause_after(failures, 1.0)).collect();
    assert!(pauses.is_sorted() && pauses[0] == patience.pause && pauses[10] == patience.longest);
    assert_eq!(patience.pause_after(1, 0.0), patience.pause / 2);
}

#[test]
fn an_outcome_that_cannot_be_sent_says_why() {
    let mut outcome = outcome_of("1", &[b"2"]);
    let error = Parcel::of(&outcome, Sources::default(), None).unwrap_err().to_string();
    assert!(error.contains("1 bytes") && error.contains("no ledger"), "{error}");
    outcome.record = None;
    assert!(matches!(Parcel::of(&outcome, Sources::default(), None), Err(ParcelError::NoRecord)));
}
