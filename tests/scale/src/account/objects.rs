//! S3 as far as a ledger needs it: conditional writes, in memory. Knows the ledger's layout, so that it sees at once what
//! must never be, and forgets finished jobs after a while, as a lifecycle rule may.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, Extensions, GetOptions, GetResult, GetResultPayload,
    ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result,
};
use tokio::sync::Notify;

use super::clock;
use super::limits::OBJECT_LATENCY;
use super::tally::{Tally, Who};

/// So long a finished job is kept.
pub const KEPT: Duration = Duration::from_mins(30);

/// A bucket.
#[derive(Debug)]
pub struct Objects {
    inner: Mutex<Inner>,
    jobs: u64,
    /// A job was struck off.
    pub struck: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<String, (Bytes, u64)>,
    finished: VecDeque<(u64, String)>,
    /// By job's number: 1 has an outcome, 2 was struck off.
    states: Vec<u8>,
    done: u64,
    /// Jobs whose container ended without an outcome, when, milliseconds; and the longest that one was left so.
    cut_off: BTreeMap<usize, u64>,
    unattended: u64,
    violations: Vec<String>,
}

const DECIDED: u8 = 1;
const STRUCK: u8 = 2;

impl Objects {
    /// An empty one, for so many jobs.
    pub fn new(jobs: u64) -> Self {
        let states = vec![0; usize::try_from(jobs).expect("they fit into memory")];
        let inner = Inner { states, ..Inner::default() };
        Self { inner: Mutex::new(inner), jobs, struck: Notify::new() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("one thread")
    }

    /// How many jobs have come to their end.
    pub fn done(&self) -> u64 {
        self.inner().done
    }

    /// Whether all have.
    pub fn all_done(&self) -> bool {
        self.done() >= self.jobs
    }

    /// What must never be and was.
    pub fn violations(&self) -> Vec<String> {
        let inner = self.inner();
        let left = inner.objects.keys().filter(|key| key.starts_with("active/")).count();
        let kept = inner.objects.keys().filter(|key| key.starts_with("quarantine/")).count();
        let mut all = inner.violations.clone();
        all.extend((left > 0).then(|| format!("{left} jobs are unfinished")));
        all.extend((kept > 0).then(|| format!("{kept} messages are in quarantine")));
        all
    }

    /// The container of a job has ended without an outcome.
    pub fn cut_off(&self, job: &str) {
        self.inner().cut_off.insert(number(job), clock::passed());
    }

    /// The longest that such a job was left alone, until its next attempt was recorded.
    pub fn unattended(&self) -> Duration {
        Duration::from_millis(self.inner().unattended)
    }
}

impl Inner {
    fn created(&mut self, key: &str) {
        let Some((job, what)) = key.strip_prefix("jobs/").and_then(|rest| rest.split_once('/'))
        else {
            return;
        };
        if let Some(since) = self.cut_off.remove(&number(job)) {
            self.unattended = self.unattended.max(clock::passed() - since);
        }
        if what != "outcome.json" {
            return;
        }
        let state = &mut self.states[number(job)];
        if *state & DECIDED != 0 {
            self.violations.push(format!("a second outcome of {job}"));
        }
        *state |= DECIDED;
    }

    fn deleted(&mut self, key: &str, now: u64) -> bool {
        let Some(job) = key.strip_prefix("active/") else { return false };
        let state = &mut self.states[number(job)];
        if *state & DECIDED == 0 {
            self.violations.push(format!("{job} was forgotten without an outcome"));
        }
        let first = *state & STRUCK == 0;
        *state |= STRUCK;
        self.done += u64::from(first);
        let until = now + u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
        self.finished.push_back((until, job.to_owned()));
        first
    }

    fn expire(&mut self, now: u64) {
        while self.finished.front().is_some_and(|(until, _)| *until < now) {
            let Some((_, job)) = self.finished.pop_front() else { return };
            let (from, to) = (format!("jobs/{job}/"), format!("jobs/{job}0"));
            let keys: Vec<String> =
                self.objects.range(from..to).map(|(key, _)| key.clone()).collect();
            for key in keys {
                self.objects.remove(&key);
            }
        }
    }
}

/// The number of a job by its name: its last twelve digits.
pub fn number(job: &str) -> usize {
    let digits = job.rsplit('-').next().unwrap_or_default();
    usize::from_str_radix(digits, 16).expect("names are made from numbers")
}

/// The name of a job by its number, as Lambda's request ids look.
pub fn name(number: u64) -> String {
    format!("8f0d0d9a-6e0b-4c1d-8a3c-{number:012x}")
}

/// A bucket as somebody sees it.
#[derive(Debug, Clone)]
pub struct Store {
    /// Who.
    pub who: Who,
    /// What.
    pub objects: Arc<Objects>,
    /// Where it is counted.
    pub tally: Arc<Tally>,
}

impl fmt::Display for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}'s", self.who)
    }
}

impl Store {
    async fn asked(&self, operation: &'static str, key: &str) {
        self.tally.count(self.who, operation, key);
        tokio::time::sleep(OBJECT_LATENCY).await;
    }
}

fn meta(location: &Path, size: usize, modified: u64) -> ObjectMeta {
    let modified = i64::try_from(modified).unwrap_or_default();
    let last_modified: DateTime<Utc> =
        DateTime::from_timestamp_millis(modified).unwrap_or_default();
    ObjectMeta {
        location: location.clone(),
        last_modified,
        size: size as u64,
        e_tag: None,
        version: None,
    }
}

fn unsupported(operation: &str) -> Error {
    Error::NotSupported { source: format!("{operation} is not simulated").into() }
}

#[async_trait]
impl ObjectStore for Store {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.asked("PutObject", location.as_ref()).await;
        let (key, now) = (location.as_ref(), clock::now());
        let mut inner = self.objects.inner();
        let known = inner.objects.contains_key(key);
        if known && options.mode == PutMode::Create {
            return Err(Error::AlreadyExists { path: key.to_owned(), source: "412".into() });
        }
        if !known {
            inner.created(key);
        }
        let bytes: Bytes = payload.into();
        inner.objects.insert(key.to_owned(), (bytes, now));
        inner.expire(now);
        Ok(PutResult { e_tag: None, version: None, extensions: Extensions::default() })
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(unsupported("CreateMultipartUpload"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let operation = if options.head { "HeadObject" } else { "GetObject" };
        self.asked(operation, location.as_ref()).await;
        let inner = self.objects.inner();
        let found = inner.objects.get(location.as_ref());
        let (bytes, modified) = found
            .cloned()
            .ok_or_else(|| Error::NotFound { path: location.to_string(), source: "404".into() })?;
        let meta = meta(location, bytes.len(), modified);
        let payload = GetResultPayload::Stream(stream::once(async move { Ok(bytes) }).boxed());
        let range = 0..meta.size;
        let attributes = Attributes::default();
        Ok(GetResult { payload, meta, range, attributes, extensions: Extensions::default() })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let store = store.clone();
            async move {
                let location = location?;
                store.asked("DeleteObject", location.as_ref()).await;
                let mut inner = store.objects.inner();
                if inner.objects.remove(location.as_ref()).is_some()
                    && inner.deleted(location.as_ref(), clock::now())
                {
                    store.objects.struck.notify_one();
                }
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = format!("{}/", prefix.map(ToString::to_string).unwrap_or_default());
        let inner = self.objects.inner();
        let found: Vec<_> = inner
            .objects
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .map(|(key, (bytes, modified))| {
                Ok(meta(&Path::from(key.as_str()), bytes.len(), *modified))
            })
            .collect();
        // A thousand in an answer.
        for _ in 0..=found.len().saturating_sub(1) / 1_000 {
            self.tally.count(self.who, "ListObjectsV2", &prefix);
        }
        let wait = stream::once(tokio::time::sleep(OBJECT_LATENCY)).filter_map(|()| async { None });
        wait.chain(stream::iter(found)).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(unsupported("a list with delimiters"))
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(unsupported("CopyObject"))
    }
}
