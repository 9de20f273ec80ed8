//! A ledger in S3: the scenes and the contest of every ledger, and what is special about S3. The
//! end-to-end tests start the S3 and run these with its address in `IMMORTAL_S3`.

use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use aws_types::region::Region;
use ledger::{Access, HttpClient, Ledger, Root};
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::contest::{Contest, plans};
use super::proxy::{self, Trouble};
use super::scenes;

/// The bucket that the end-to-end tests have made.
const BUCKET: &str = "ledger";
/// How many contests are held.
const CONTESTS: usize = 40;

#[expect(clippy::disallowed_methods, reason = "a test that is told where S3 is")]
fn endpoint() -> String {
    std::env::var("IMMORTAL_S3")
        .expect("IMMORTAL_S3 is the address of an S3 with a bucket `ledger`")
}

fn sdk(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("key", "secret", None, None, "test");
    SdkConfig::builder()
        .endpoint_url(endpoint)
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

fn http() -> HttpClient {
    // A second test of this program finds the provider installed.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    HttpClient::new(reqwest::Client::new())
}

fn root(prefix: &str) -> Root {
    format!("s3://{BUCKET}/{prefix}").parse().unwrap()
}

fn open(prefix: &str) -> Ledger {
    Ledger::open(&root(prefix), Some(Access { sdk: &sdk(&endpoint()), http: http() })).unwrap()
}

#[tokio::test]
#[ignore = "wants an S3: run by the end-to-end tests"]
async fn every_scene_of_a_ledger() {
    scenes::a_job_is_recorded_run_and_delivered(&open("life/of a job")).await;
    scenes::a_launch_is_intended_once_and_a_message_is_kept_once(&open("launch")).await;
    scenes::a_large_event_is_an_object_of_its_own(&open("event")).await;
    scenes::a_large_response_is_spooled_settled_and_read(&open("response")).await;
    scenes::responses_at_the_edges_of_a_part_are_whole(&open("edges")).await;
    scenes::a_response_that_breaks_off_is_not_stored(&open("broken")).await;
    scenes::a_job_is_recorded_run_and_delivered(&open("")).await;
}

#[tokio::test]
#[ignore = "wants an S3: run by the end-to-end tests"]
async fn more_jobs_than_one_page_are_listed() {
    let ledger = open("pages");
    let store = store();
    for number in 0..1_001 {
        let key = format!("pages/active/job-{number}").into();
        store.put_opts(&key, "".into(), object_store::PutOptions::default()).await.unwrap();
    }
    assert_eq!(ledger.active().await.unwrap().len(), 1_001);
}

#[tokio::test]
#[ignore = "wants an S3: run by the end-to-end tests"]
async fn a_bucket_that_is_not_there_is_refused_at_once() {
    let root: Root = "s3://no-such-bucket/p".parse().unwrap();
    let ledger =
        Ledger::open(&root, Some(Access { sdk: &sdk(&endpoint()), http: http() })).unwrap();
    let error = ledger.job(&"x".parse().unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("s3://no-such-bucket/p/jobs/x/job.json was refused"), "{error}");
    assert!(error.contains("NoSuchBucket: "), "{error}");
}

/// The store below, for faults to be put between it and the ledger.
fn store() -> Arc<dyn ObjectStore> {
    let store = AmazonS3Builder::new()
        .with_bucket_name(BUCKET)
        .with_endpoint(endpoint())
        .with_allow_http(true)
        .with_region("eu-west-1")
        .with_access_key_id("key")
        .with_secret_access_key("secret");
    http();
    Arc::new(store.build().unwrap())
}

#[tokio::test]
#[ignore = "wants an S3: run by the end-to-end tests"]
async fn one_owner_and_one_outcome_in_s3() {
    let store = store();
    // The same contests each time: those in memory are the ones that search.
    let mut runner = TestRunner::deterministic();
    for number in 0..CONTESTS {
        let plans = plans().new_tree(&mut runner).unwrap().current();
        let contest = Contest::new(store.clone(), &root("contest"), &format!("job-{number}"));
        futures_util::future::join_all(contest.lives(&plans)).await;
        contest.judge(&plans).await;
    }
}

#[tokio::test]
#[ignore = "wants an S3: run by the end-to-end tests"]
async fn every_scene_while_s3_and_the_network_fail() {
    use Trouble::{Conflict, Cut, Expired, Half, None, SlowDown};
    let troubles =
        [None, Cut, Conflict, SlowDown, Half, Expired, Cut, Cut, Conflict, Conflict, Half];
    // Each rotation meets the calls of the scenes at other places.
    for turn in (0..troubles.len()).step_by(3) {
        let mut troubles = troubles;
        troubles.rotate_left(turn);
        let endpoint = proxy::start(&endpoint(), &troubles);
        let root = root(&format!("trouble-{turn}"));
        let access = Access { sdk: &sdk(&endpoint), http: http() };
        let ledger = Ledger::open(&root, Some(access)).unwrap();
        scenes::a_job_is_recorded_run_and_delivered(&ledger).await;
        scenes::a_large_event_is_an_object_of_its_own(&ledger).await;
        if turn == 0 {
            scenes::a_large_response_is_spooled_settled_and_read(&ledger).await;
        }
    }
}
