//! What the dispatcher makes of a message, and what has to be true of it whatever its body and attributes are.

use crate::envelope::{Failed, Kind, Known, Understood, understand};
use crate::file;
use crate::message::Message;

const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:failed";
const KINDS: [Kind; 10] = [
    Kind::Auto,
    Kind::DeadLetter,
    Kind::Destination,
    Kind::Stream,
    Kind::Redrive,
    Kind::Rule,
    Kind::Schedule,
    Kind::Subscription,
    Kind::Workflow,
    Kind::Direct,
];

/// Whatever it is declared to be: nothing panics, the same message is always the same job, and the job's name is one
/// that a ledger can keep.
pub fn check(bytes: &[u8]) {
    for message in file::read(bytes, QUEUE) {
        for kind in KINDS {
            let (first, second) = (failed(&message, kind), failed(&message, kind));
            assert_eq!(first.as_ref().map(|it| &it.job), second.as_ref().map(|it| &it.job));
            if let Some(failed) = first {
                let name = failed.job.as_str();
                assert!(name.parse::<ledger::JobId>().is_ok(), "{name}");
            }
        }
    }
}

fn failed(message: &Message, kind: Kind) -> Option<Box<Failed>> {
    match understand(message, kind, &Known::default()) {
        Understood::Failed(failed) => Some(failed),
        _ => None,
    }
}
