use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use aws_config::{BehaviorVersion, SdkConfig};
use proptest::prelude::any;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use tokio::sync::oneshot;

use super::*;
use crate::aws::AwsError;
use crate::aws::inbox::{BATCH, Receipt};

const MESSAGES: usize = 10_000;
const VISIBILITY: Duration = Duration::from_mins(2);

/// What the queue knows of a message.
struct Hidden {
    /// When it is seen by others.
    until: Instant,
    /// How many renewals in a row have failed.
    failed: u32,
}

/// A queue that fails as often as it may, and a clock that stands while anybody is at work.
struct Fake {
    now: Cell<Instant>,
    sleeps: Cell<u64>,
    sleepers: RefCell<BinaryHeap<Reverse<(Instant, u64)>>>,
    wakers: RefCell<HashMap<u64, oneshot::Sender<()>>>,
    messages: RefCell<Vec<Hidden>>,
    chance: RefCell<TestRunner>,
    calls: Cell<usize>,
    expired: Cell<usize>,
}

impl Fake {
    fn new() -> Self {
        Self {
            now: Cell::new(Instant::now()),
            sleeps: Cell::default(),
            sleepers: RefCell::default(),
            wakers: RefCell::default(),
            messages: RefCell::default(),
            chance: RefCell::new(TestRunner::deterministic()),
            calls: Cell::default(),
            expired: Cell::default(),
        }
    }

    /// A number below this.
    fn chance(&self, below: u32) -> u32 {
        any::<u32>().new_tree(&mut self.chance.borrow_mut()).unwrap().current() % below
    }

    /// A message that was received just now.
    fn received(&self) -> Letter {
        let mut messages = self.messages.borrow_mut();
        messages.push(Hidden { until: self.now.get() + VISIBILITY, failed: 0 });
        let receipt = Receipt::new((messages.len() - 1).to_string());
        let (id, body) = (receipt.expose().clone(), Receipt::new(String::new()));
        Letter { id, receipt, body, count: 1 }
    }

    /// Renews one, or refuses to, though never more than twice in a row.
    fn renewed(&self, receipt: &Receipt, hidden: Duration, works: bool) -> Option<String> {
        let mut messages = self.messages.borrow_mut();
        let message = &mut messages[receipt.expose().parse::<usize>().unwrap()];
        if message.until < self.now.get() {
            self.expired.set(self.expired.get() + 1);
        }
        if works {
            (message.until, message.failed) = (self.now.get() + hidden, 0);
            return None;
        }
        message.failed += 1;
        Some("InternalError: as told".to_owned())
    }

    fn wakes(&self) -> bool {
        let Some(Reverse((when, number))) = self.sleepers.borrow_mut().pop() else { return false };
        self.now.set(when);
        // Whoever slept may be gone.
        let _gone = self.wakers.borrow_mut().remove(&number).unwrap().send(());
        true
    }
}

impl Outside for Fake {
    fn now(&self) -> Instant {
        self.now.get()
    }

    async fn sleep(&self, time: Duration) {
        let (wake, woken) = oneshot::channel();
        let number = self.sleeps.replace(self.sleeps.get() + 1);
        self.sleepers.borrow_mut().push(Reverse((self.now.get() + time, number)));
        self.wakers.borrow_mut().insert(number, wake);
        let _clock_is_there = woken.await;
    }

    async fn delete(&self, _receipts: &[Receipt]) -> Result<Vec<String>, AwsError> {
        Ok(Vec::new())
    }

    async fn hide(&self, receipts: &[(Receipt, Duration)]) -> Result<Vec<String>, AwsError> {
        assert!(receipts.len() <= BATCH);
        self.calls.set(self.calls.get() + 1);
        let may_fail = |(receipt, _): &(Receipt, Duration)| {
            self.messages.borrow()[receipt.expose().parse::<usize>().unwrap()].failed < 2
        };
        // Where all of them may fail: the call hangs, or is refused as a whole.
        let (all, how) = (receipts.iter().all(may_fail), self.chance(100));
        self.sleep(Duration::from_millis(u64::from(5 + self.chance(40)))).await;
        if all && how < 2 {
            for (receipt, time) in receipts {
                self.renewed(receipt, *time, false);
            }
            self.sleep(Duration::from_hours(1)).await;
        }
        let whole = all && how < 40;
        let each = receipts.iter().filter_map(|one| {
            let fails = whole || may_fail(one) && self.chance(2) == 0;
            self.renewed(&one.0, one.1, !fails)
        });
        Ok(each.collect())
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs this for so long, as the clock of the queue goes.
fn run(fake: &Fake, what: impl Future<Output = ()>, time: Duration) {
    let (until, flag) = (fake.now.get() + time, Arc::new(Flag(AtomicBool::new(true))));
    let (waker, mut what) = (Waker::from(Arc::clone(&flag)), pin!(what));
    while fake.now.get() < until {
        while flag.0.swap(false, Ordering::Relaxed) {
            assert!(what.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert!(fake.wakes(), "nobody waits for anything");
    }
}

fn hands() -> (Hands, mpsc::UnboundedReceiver<Errand>) {
    let (errands, told) = mpsc::unbounded_channel();
    let sdk = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
    let inbox = Inbox::new(&sdk, "q");
    let (numbers, all) = (Cell::default(), RefCell::default());
    let hold = Duration::from_hours(11);
    (Hands { inbox, visibility: VISIBILITY, hold, numbers, all, errands }, told)
}

/// Renewals fail whenever they may: twice in a row, by messages, as whole calls, and by calls that hang.
#[test]
fn of_ten_thousand_messages_in_hand_none_is_seen_by_others_though_renewals_fail_twice_in_a_row() {
    let (hands, told) = hands();
    let fake = Fake::new();
    let arriving = async {
        for _ in 0..MESSAGES / BATCH {
            for _ in 0..BATCH {
                hands.taken(fake.received(), fake.now());
            }
            fake.sleep(Duration::from_millis(50)).await;
        }
        std::future::pending::<()>().await;
    };
    let patience = hands.patience();
    let all = async {
        tokio::join!(arriving, hands.beats(&fake), errands::run(&fake, told, patience));
    };
    let time = Duration::from_mins(10);
    run(&fake, all, time);
    let now = fake.now.get();
    let seen = fake.messages.borrow().iter().filter(|message| message.until < now).count();
    assert_eq!((fake.messages.borrow().len(), fake.expired.get(), seen), (MESSAGES, 0, 0));
    let beats = time.as_secs().div_ceil(hands.beat().as_secs());
    let most = usize::try_from(beats).unwrap() * MESSAGES.div_ceil(BATCH);
    assert!((most / 2..=most).contains(&fake.calls.get()), "{} calls", fake.calls.get());
}
