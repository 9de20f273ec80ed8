//! A store that fails as networks and S3 do, by plan, and lets others run before and after each call.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, UploadPart,
};

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// It is refused for now and has no effect: 503 `SlowDown`.
    Throttled,
    /// It has its effect, and the answer is lost.
    Unanswered,
    /// A conditional write meets another that is under way: 409 `ConditionalRequestConflict`.
    Conflict,
    /// What is read breaks off in the middle.
    Broken,
}

/// The store with the faults that are still to come.
#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    inner: Arc<dyn ObjectStore>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    /// Length of each part that was sent.
    pub(crate) parts: Arc<Mutex<Vec<usize>>>,
}

impl Faulty {
    pub(crate) fn new(
        inner: Arc<dyn ObjectStore>,
        faults: impl IntoIterator<Item = Fault>,
    ) -> Self {
        let faults = Arc::new(Mutex::new(faults.into_iter().collect()));
        Self { inner, faults, parts: Arc::default() }
    }

    fn next(&self) -> Fault {
        self.faults.lock().unwrap().pop_front().unwrap_or(Fault::None)
    }

    async fn call<T>(
        &self,
        conditional: bool,
        inner: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        others().await;
        let result = match self.next() {
            Fault::Throttled => Err(generic("status code: 503: SlowDown")),
            Fault::Conflict if conditional => {
                let source = "status code: 409: ConditionalRequestConflict".into();
                Err(Error::AlreadyExists { path: "x".into(), source })
            }
            Fault::Unanswered => {
                let _lost = inner.await;
                Err(generic("operation timed out"))
            }
            Fault::None | Fault::Conflict | Fault::Broken => inner.await,
        };
        others().await;
        result
    }
}

fn generic(text: &'static str) -> Error {
    Error::Generic { store: "faulty", source: text.into() }
}

/// Lets others run.
async fn others() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl fmt::Display for Faulty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Faulty({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let conditional = options.mode == PutMode::Create;
        self.call(conditional, self.inner.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.call(false, self.inner.put_multipart_opts(location, options)).await?;
        Ok(Box::new(Parts { inner, store: self.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let breaks = self.faults.lock().unwrap().front() == Some(&Fault::Broken);
        let found = self.call(false, self.inner.get_opts(location, options)).await?;
        if !breaks {
            return Ok(found);
        }
        let half = found.range.start..found.range.start + (found.range.end - found.range.start) / 2;
        let half = self.inner.get_ranges(location, &[half]).await?.into_iter().map(Ok);
        let pieces = half.chain([Err(generic("connection reset"))]);
        let payload = GetResultPayload::Stream(futures_util::stream::iter(pieces).boxed());
        Ok(GetResult { payload, ..found })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.call(false, self.inner.get_ranges(location, ranges)).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .then(move |location| {
                let store = store.clone();
                async move {
                    let inner = store.inner.clone();
                    let locations = futures_util::stream::once(async { location }).boxed();
                    let mut deleted = inner.delete_stream(locations);
                    let first = deleted.next().map(|first| first.expect("one for one"));
                    store.call(false, first).await
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.call(false, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.call(false, self.inner.copy_opts(from, to, options)).await
    }
}

/// An upload that fails by the same plan.
#[derive(Debug)]
struct Parts {
    inner: Box<dyn MultipartUpload>,
    store: Faulty,
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.store.parts.lock().unwrap().push(data.content_length());
        let (store, part) = (self.store.clone(), self.inner.put_part(data));
        async move { store.call(false, part).await }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.store.call(false, self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
