//! Any interleaving of contenders, with crashes and faults of the store between any two of their
//! steps, gives an attempt one owner and a job one outcome. In memory, where each schedule is exact;
//! in a directory, where the operating system is the schedule.

use std::sync::Arc;

use super::contest::{Contest, Plan, interleave, plans};
use ledger::Root;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use proptest::prelude::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

fn in_memory(plans: &[Plan], schedule: &[usize]) {
    let runtime = runtime();
    let contest = Contest::new(Arc::new(InMemory::new()), &"s3://bucket/p".parse().unwrap(), "job");
    {
        let _time = runtime.enter();
        interleave(contest.lives(plans), schedule);
    }
    runtime.block_on(contest.judge(plans));
}

fn in_a_directory(plans: &[Plan]) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::Directory(directory.path().to_owned());
    let contest = Contest::new(Arc::new(LocalFileSystem::new()), &root, "job");
    runtime().block_on(async {
        futures_util::future::join_all(contest.lives(plans)).await;
        contest.judge(plans).await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn one_owner_and_one_outcome_whatever_the_interleaving(
        plans in plans(),
        schedule in prop::collection::vec(0_usize..60, 1..200),
    ) {
        in_memory(&plans, &schedule);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    #[test]
    fn one_owner_and_one_outcome_in_a_directory(plans in plans()) {
        in_a_directory(&plans);
    }
}
