//! An account of AWS in this program, as far as a dispatcher and its runners see it: queues, tasks, jobs of Batch,
//! functions, a bucket. Owns what they share; `front` is its address.

pub mod batch;
pub mod clock;
pub mod dice;
pub mod fargate;
mod front;
pub mod limits;
pub mod objects;
pub mod queue;
pub mod tally;

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use dispatcher::launch::bucket::Bucket;
use ledger::{Ledger, Root};
use tokio::time::Instant;

use dice::Dice;
use limits::Rate;
use objects::{Objects, Store};
use queue::Queue;
use tally::{Tally, Who};

/// The region, and the number of the account.
pub const REGION: &str = "us-east-1";
/// See above.
pub const NUMBER: &str = "123456789012";

/// What an account is like.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// How many functions have failed.
    pub functions: u64,
    /// What a function takes.
    pub takes: (Duration, Duration),
    /// Whether ECS throttles half of all requests for a minute.
    pub stormy: bool,
}

/// An account.
#[derive(Debug)]
pub struct Account {
    /// Chance.
    pub dice: Dice,
    /// What a function takes.
    pub takes: (Duration, Duration),
    /// How many functions have failed.
    pub functions: u64,
    /// What is counted.
    pub tally: Arc<Tally>,
    /// Failed invocations.
    pub failed: Queue,
    /// State changes.
    pub states: Queue,
    /// Pointers for workers.
    pub pointers: Queue,
    /// Tasks.
    pub fargate: fargate::Fargate,
    /// Jobs of Batch.
    pub batch: batch::Batch,
    /// The ledger's bucket.
    pub objects: Arc<Objects>,
    /// The ledger as runners see it.
    pub runners: Ledger,
    buckets: Mutex<BTreeMap<&'static str, Bucket>>,
    stormy: bool,
}

impl Account {
    /// One in whose queue are so many failed invocations.
    pub fn new(seed: u64, jobs: u64, kind: &Kind) -> Arc<Self> {
        let Kind { functions, takes, stormy } = *kind;
        let (dice, tally) = (Dice(seed), Arc::new(Tally::default()));
        let objects = Arc::new(Objects::new(jobs));
        let runners = ledger(Who::Runner, &objects, &tally);
        Arc::new(Self {
            dice,
            takes,
            functions,
            failed: Queue::new(jobs, dice),
            states: Queue::new(0, dice),
            pointers: Queue::new(0, dice),
            fargate: fargate::Fargate::default(),
            batch: batch::Batch::default(),
            buckets: Mutex::default(),
            stormy,
            tally,
            objects,
            runners,
        })
    }

    /// The ledger as the dispatcher sees it.
    pub fn ledger(&self) -> Ledger {
        ledger(Who::Dispatcher, &self.objects, &self.tally)
    }

    /// What makes the SDK's clients ask here.
    pub fn sdk(self: &Arc<Self>) -> SdkConfig {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "simulated");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::standard())
            .sleep_impl(TokioSleep::new())
            .http_client(front::client(Arc::clone(self)))
            .build()
    }

    /// Whether a request to ECS meets the storm.
    fn storms(&self, question: impl Hash) -> bool {
        let storm = limits::STORM..limits::STORM + limits::STORM_LASTS;
        let now = Duration::from_millis(clock::passed());
        self.stormy
            && storm.contains(&now)
            && self.dice.happens(limits::STORM_PART, ("storm", now, question))
    }

    /// Whether a request is within this rate.
    pub fn admits(&self, name: &'static str, rate: Rate) -> bool {
        let now = Instant::now().into_std();
        let mut buckets = self.buckets.lock().expect("one thread");
        let bucket =
            buckets.entry(name).or_insert_with(|| Bucket::new(rate.burst, rate.a_second, now));
        let free = bucket.within(Duration::ZERO, now) >= 1;
        if free {
            bucket.take(now);
        }
        free
    }

    /// What a runner asks of AWS.
    pub fn asked_by_runner(&self, operation: &'static str, about: &str) {
        self.tally.count(Who::Runner, operation, about);
    }
}

fn ledger(who: Who, objects: &Arc<Objects>, tally: &Arc<Tally>) -> Ledger {
    let root: Root = "s3://jobs".parse().expect("an address");
    let (objects, tally) = (Arc::clone(objects), Arc::clone(tally));
    Ledger::over(Arc::new(Store { who, objects, tally }), &root).expect("an address")
}
