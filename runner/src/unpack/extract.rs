//! Entries → files: workers take jobs, check local headers, and write contents below the staging
//! directory. What may be written was decided before, by the plan.

use std::io::Write;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::attributes::Kind;
use super::content::{Decoder, Trouble};
use super::error::{Fault, Refusal, UnpackError};
use super::local::{self, Local};
use super::plan::{Item, Job};
use super::queue::{Queue, Stop};
use super::reader::{BUFFER, Reader};
use super::write::Staging;
use super::{Archive, Progress, Target};

/// A symbolic link to be made at the end: the index of its node, and its target.
pub(super) type Link = (usize, Vec<u8>);

/// What all workers share for one target.
struct Shared<'a> {
    archives: &'a [Archive<'a>],
    staging: &'a Staging<'a>,
    queue: Queue<'a>,
    links: Mutex<Vec<Link>>,
    progress: &'a Progress,
}

/// Writes what each target's plan says on `workers` threads, the calling one among them.
pub(super) fn extract(
    targets: &[Target<'_>],
    stagings: &[Staging<'_>],
    workers: usize,
    progress: &Progress,
) -> Result<(), UnpackError> {
    let stop = Stop::new(targets.iter().flat_map(|target| target.archives).collect());
    let share = |(target, staging)| Shared::new(target, staging, workers, &stop, progress);
    let shared: Vec<_> = targets.iter().zip(stagings).map(share).collect();
    thread::scope(|scope| {
        // Each begins with another target, so that no package's bytes have to wait for another's.
        let work = |number: usize| {
            for step in 0..shared.len() {
                Worker::new(number, &shared[(number + step) % shared.len()]).work();
            }
        };
        for number in 1..workers {
            // Where no thread can be had, the others do its work.
            let _ = thread::Builder::new().spawn_scoped(scope, move || work(number));
        }
        work(0);
    });
    let links: Vec<_> = shared.into_iter().map(Shared::into_links).collect();
    stop.outcome()?;
    stagings.iter().zip(&links).try_for_each(|(staging, links)| staging.finish(links))
}

/// One thread's part: its buffers, and the directory that it last wrote to.
struct Worker<'a> {
    number: usize,
    shared: &'a Shared<'a>,
    reader: Reader,
    decoder: Decoder,
    directory: Option<(Option<usize>, OwnedFd)>,
}

impl<'a> Worker<'a> {
    fn new(number: usize, shared: &'a Shared<'a>) -> Self {
        let (reader, decoder) = (Reader::default(), Decoder::new());
        Self { number, shared, reader, decoder, directory: None }
    }

    fn work(mut self) {
        while let Some(job) = self.shared.queue.take(self.number) {
            if let Err(error) = self.job(job) {
                self.shared.queue.fail(error);
            }
        }
    }

    /// All entries of a job, whose bytes are read at once if they fit into the buffer.
    fn job(&mut self, job: &Job) -> Result<(), UnpackError> {
        let items = &self.shared.staging.plan().items[job.items.clone()];
        let end = items.last().map_or(job.start, |item| item.end);
        let archive = &self.shared.archives[job.archive];
        self.reader.window(job.archive, archive, job.start..end, BUFFER)?;
        let mut items = items.iter().take_while(|_| !self.shared.queue.stopped());
        items.try_for_each(|item| self.item(item))
    }

    fn item(&mut self, item: &Item<'_>) -> Result<(), UnpackError> {
        let local = self.local(item)?;
        match (item.node, item.entry.kind) {
            (None, _) => {}
            (Some(node), Kind::Directory) => self.shared.staging.directory(node)?,
            (Some(node), Kind::File) => self.file(item, node, &local)?,
            (Some(node), Kind::Link) => self.link(item, node, &local)?,
        }
        self.behind(item, &local)
    }

    fn file(&mut self, item: &Item<'_>, node: usize, local: &Local) -> Result<(), UnpackError> {
        let staging = self.shared.staging;
        let parent = staging.parent(node);
        let directory = match self.directory.take() {
            Some((at, directory)) if at == parent => directory,
            _ => staging.open(parent)?,
        };
        let mut file = staging.file(&directory, item.entry)?;
        self.directory = Some((parent, directory));
        self.contents(item, local, &mut file)?;
        staging.finish_file(&file, item.entry)?;
        self.shared.progress.files.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn link(&mut self, item: &Item<'_>, node: usize, local: &Local) -> Result<(), UnpackError> {
        let mut target = Vec::new();
        self.contents(item, local, &mut target)?;
        if target.contains(&0) {
            return Err(self.shared.refusal(item, Fault::Link { rule: "contains a NUL byte" }));
        }
        let links = &self.shared.links;
        links.lock().unwrap_or_else(PoisonError::into_inner).push((node, target));
        Ok(())
    }

    /// The local header.
    fn local(&mut self, item: &Item<'_>) -> Result<Local, UnpackError> {
        let shared = self.shared;
        let (entry, archive) = (item.entry, &shared.archives[item.archive]);
        let range = entry.offset..item.end;
        let head = self.reader.window(item.archive, archive, range, local::LONGEST)?;
        let checked = local::check(head, entry, shared.name(item), item.end);
        checked.map_err(|fault| shared.refusal(item, fault))
    }

    /// What lies between the data and the next entry.
    fn behind(&mut self, item: &Item<'_>, local: &Local) -> Result<(), UnpackError> {
        let shared = self.shared;
        let stop = local.data.end;
        let range = stop..item.end.min(stop + local::BEHIND);
        let archive = &shared.archives[item.archive];
        let gap = self.reader.window(item.archive, archive, range, BUFFER)?;
        let checked = local::check_behind(gap, item.entry, local.deferred);
        checked.map_err(|fault| shared.refusal(item, fault))
    }

    /// The data, unpacked into `sink`.
    fn contents(
        &mut self,
        item: &Item<'_>,
        local: &Local,
        sink: &mut dyn Write,
    ) -> Result<(), UnpackError> {
        let Self { shared, reader, decoder, number, .. } = self;
        let archive = &shared.archives[item.archive];
        let mut contents = decoder.begin(item.entry, sink);
        let Range { start: mut at, end } = local.data;
        while at < end && !shared.queue.stopped() {
            let packed = reader.window(item.archive, archive, at..end, 1)?;
            at += packed.len() as u64;
            contents.feed(packed, at == end).map_err(|trouble| shared.trouble(item, trouble))?;
            if at < end {
                shared.queue.advance(*number, at);
            }
        }
        contents.end().map_err(|fault| shared.refusal(item, fault))
    }
}

impl<'a> Shared<'a> {
    fn new(
        target: &'a Target<'a>,
        staging: &'a Staging<'a>,
        workers: usize,
        stop: &'a Stop<'a>,
        progress: &'a Progress,
    ) -> Self {
        let queue = Queue::new(target.archives, &staging.plan().jobs, workers, stop);
        Self { archives: target.archives, staging, queue, links: Mutex::default(), progress }
    }

    fn into_links(self) -> Vec<Link> {
        self.links.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry's name as it is in the headers.
    fn name(&self, item: &Item<'_>) -> &[u8] {
        item.entry.name(&self.staging.plan().catalogs[item.archive].bytes)
    }

    fn refusal(&self, item: &Item<'_>, fault: Fault) -> UnpackError {
        Refusal::of(self.name(item), fault).within(self.archives[item.archive].name)
    }

    fn trouble(&self, item: &Item<'_>, trouble: Trouble) -> UnpackError {
        match trouble {
            Trouble::Fault(fault) => self.refusal(item, fault),
            Trouble::Sink(error) => self.staging.failed(item.entry.path.as_bytes(), error),
        }
    }
}
