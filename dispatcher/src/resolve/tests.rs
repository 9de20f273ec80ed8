use std::cell::RefCell;

use bytes::Bytes;
use ledger::JobId;

use super::directory::Cached;
use super::input::Input;
use super::*;
use crate::envelope::Kind;
use crate::function::sample;

const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:failed";
const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:resize";

/// An account with these functions behind each queue, which counts what it is asked.
#[derive(Debug, Default)]
struct Account {
    functions: Vec<String>,
    destination: Option<String>,
    asked: RefCell<Vec<&'static str>>,
}

impl Directory for Account {
    async fn describe(&self, _: &str) -> Result<Function, LookupError> {
        self.asked.borrow_mut().push("describe");
        tokio::task::yield_now().await;
        Ok(sample())
    }
    async fn mapped_to(&self, _: &str) -> Result<Vec<String>, LookupError> {
        self.asked.borrow_mut().push("mapped");
        Ok(self.functions.clone())
    }
    async fn failing_to(&self, _: &str) -> Result<Vec<String>, LookupError> {
        self.asked.borrow_mut().push("failing");
        tokio::task::yield_now().await;
        Ok(self.functions.clone())
    }
    async fn failure_destination(&self, _: &str) -> Result<Option<String>, LookupError> {
        self.asked.borrow_mut().push("destination");
        Ok(self.destination.clone())
    }
    async fn input(&self, _: &str, _: &str) -> Result<Input, LookupError> {
        Ok(Input::Path("$.detail".into()))
    }
}

fn account(functions: &[&str]) -> Account {
    let functions = functions.iter().map(ToString::to_string).collect();
    Account { functions, ..Account::default() }
}

fn failed(kind: Kind, hint: Hint) -> Failed {
    Failed::new(JobId::from_digest(b""), kind, hint, Bytes::from_static(b"{}"))
}

async fn of(failed: &Failed, account: &impl Directory) -> Result<Resolved, Unresolved> {
    resolve(failed, QUEUE, account, &Settings::default()).await
}

fn dead_letter() -> Failed {
    failed(Kind::DeadLetter, Hint::DeadLetter { target: QUEUE.into(), role_id: None })
}

#[tokio::test]
async fn one_function_behind_a_queue_is_it() {
    let found = of(&dead_letter(), &account(&[ARN, ARN])).await.unwrap();
    assert_eq!(found.arn, ARN);
    assert!(found.by.contains("DeadLetterConfig"), "{}", found.by);
    let alias = format!("{ARN}:live");
    let redriven =
        failed(Kind::Redrive, Hint::EventSource("arn:aws:sqs:eu-west-1:1:orders".into()));
    assert_eq!(of(&redriven, &account(&[&alias])).await.unwrap().arn, alias);
}

#[tokio::test]
async fn none_or_several_are_refused_and_named() {
    let Err(Unresolved::Never(why)) = of(&dead_letter(), &account(&[])).await else { panic!() };
    assert!(why.contains("found none") && why.contains("[[map]]"), "{why}");
    let two = account(&["arn:b", "arn:a"]);
    let Err(Unresolved::Never(why)) = of(&dead_letter(), &two).await else { panic!() };
    assert!(why.contains("found 2: arn:a, arn:b;"), "{why}");
}

#[tokio::test]
async fn of_several_the_only_one_that_is_allowed_is_it() {
    let several = account(&[ARN, "arn:aws:lambda:eu-west-1:123456789012:function:other"]);
    let settings: Settings = toml::from_str("[allow]\nfunctions = [\"res*\"]").unwrap();
    assert_eq!(resolve(&dead_letter(), QUEUE, &several, &settings).await.unwrap().arn, ARN);
    let settings: Settings = toml::from_str("[allow]\nfunctions = [\"*\"]").unwrap();
    let Err(Unresolved::Never(why)) = resolve(&dead_letter(), QUEUE, &several, &settings).await
    else {
        panic!()
    };
    assert!(why.contains("found 2"), "{why}");
}

#[tokio::test]
async fn a_configured_function_is_not_asked_for() {
    let settings: Settings =
        toml::from_str("[[map]]\nqueue = \"failed\"\nfunction = \"resize:7\"").unwrap();
    let account = account(&[]);
    let found = resolve(&dead_letter(), QUEUE, &account, &settings).await.unwrap();
    assert_eq!(found.arn, format!("{ARN}:7"));
    assert_eq!(*account.asked.borrow(), ["describe"]);
}

#[tokio::test]
async fn a_queues_function_counts_where_neither_message_nor_map_names_one() {
    let settings = Settings { function: Some("resize:7".into()), ..Settings::default() };
    let by = async |failed: Failed| {
        resolve(&failed, QUEUE, &account(&[ARN]), &settings).await.unwrap().by
    };
    assert_eq!(by(dead_letter()).await, "the queue's `function`");
    let named = failed(Kind::Direct, Hint::Function("resize".into()));
    assert_eq!(by(named).await, "the message names it");
}

#[tokio::test]
async fn a_record_must_come_from_its_own_functions_destination() {
    let record = failed(Kind::Destination, Hint::Function(format!("{ARN}:$LATEST")));
    let Err(Unresolved::Never(why)) = of(&record, &account(&[])).await else { panic!() };
    assert!(why.contains("whose is none"), "{why}");
    let own = Account { destination: Some(QUEUE.into()), ..Account::default() };
    assert_eq!(of(&record, &own).await.unwrap().arn, ARN);
    let mut carried = record.clone();
    carried.carried = true;
    assert!(of(&carried, &account(&[])).await.is_ok());
}

#[tokio::test]
async fn a_thousand_messages_ask_once() {
    let cached = Cached::new(account(&[ARN]));
    let failed = dead_letter();
    let all = (0..1_000).map(|_| of(&failed, &cached));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(*cached.inner().asked.borrow(), ["failing", "describe"]);
}

#[tokio::test]
async fn a_rules_target_gets_what_the_rule_makes_of_the_event() {
    let rule = "arn:aws:events:eu-west-1:123456789012:rule/orders".to_owned();
    let mut failed = failed(Kind::Rule, Hint::Rule { rule, target: ARN.into() });
    failed.event = Bytes::from_static(b"{\"detail\":{\"n\":1}}").into();
    let found = of(&failed, &account(&[])).await.unwrap();
    assert_eq!(
        (found.arn.as_str(), found.event.unwrap().expose().as_ref()),
        (ARN, &b"{\"n\":1}"[..])
    );
}
