//! Entries → contents: reads, inflates and checks one entry after the other, on several threads. What
//! may be written was decided before.

use std::fs::File;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::{Decompress, FlushDecompress, Status};

use super::Archive;
use super::attributes::Kind;
use super::bytes::index;
use super::directory::{Entry, LOCAL, Method};
use super::error::{Fault, Refusal, UnpackError};
use super::local;
use super::plan::{Item, Plan};
use super::write::{self, Staging};

/// Read and written at a time.
const PIECE: usize = 128 << 10;

/// Writes the whole plan, its files on `workers` threads.
pub(super) fn extract(
    archives: &[Archive<'_>],
    plan: &Plan<'_>,
    staging: &Staging,
    workers: usize,
) -> Result<(), UnpackError> {
    for (path, _) in &plan.directories {
        staging.directory(path)?;
    }
    files(archives, plan, staging, workers)?;
    // Links come last, so that nothing is ever written through one.
    let mut buffers = Buffers::default();
    for item in &plan.links {
        link(archives, *item, staging, &mut buffers)?;
    }
    // Children before parents: a directory's time changes with what is put into it.
    for (path, entry) in plan.directories.iter().rev() {
        staging.finish(
            path,
            entry.map_or(0o755, |entry| entry.mode),
            entry.map(|entry| entry.modified),
        )?;
    }
    Ok(())
}

fn files(
    archives: &[Archive<'_>],
    plan: &Plan<'_>,
    staging: &Staging,
    workers: usize,
) -> Result<(), UnpackError> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let work = || {
        let mut buffers = Buffers::default();
        while let Some(item) = plan.headers.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = header(archives, *item, staging, &mut buffers) {
                // The others find nothing left to do.
                next.store(plan.headers.len(), Ordering::Relaxed);
                if let Ok(mut first) = failed.lock() {
                    first.get_or_insert(error);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers.min(plan.headers.len()) {
            scope.spawn(work);
        }
        work();
    });
    failed.into_inner().ok().flatten().map_or(Ok(()), Err)
}

/// One thread's memory.
struct Buffers {
    packed: Vec<u8>,
    plain: Vec<u8>,
    inflate: Decompress,
}

impl Default for Buffers {
    fn default() -> Self {
        Self { packed: vec![0; PIECE], plain: vec![0; PIECE], inflate: Decompress::new(false) }
    }
}

/// A directory's header is only held against the central directory.
fn header(
    archives: &[Archive<'_>],
    item: Item<'_>,
    staging: &Staging,
    buffers: &mut Buffers,
) -> Result<(), UnpackError> {
    match item.entry.kind {
        Kind::Directory => contents(archives, item, buffers, |_| Ok(())),
        Kind::File | Kind::Link => file(archives, item, staging, buffers),
    }
}

fn file(
    archives: &[Archive<'_>],
    item: Item<'_>,
    staging: &Staging,
    buffers: &mut Buffers,
) -> Result<(), UnpackError> {
    let path = item.entry.path.as_bytes();
    let mut file = staging.file(path, item.entry.mode)?;
    contents(archives, item, buffers, |bytes| {
        file.write_all(bytes).map_err(|error| staging.failed(path, error))
    })?;
    finished(&file, item.entry).map_err(|error| staging.failed(path, error))
}

fn finished(file: &File, entry: &Entry) -> std::io::Result<()> {
    write::stamp(file, entry.modified)
}

fn link(
    archives: &[Archive<'_>],
    item: Item<'_>,
    staging: &Staging,
    buffers: &mut Buffers,
) -> Result<(), UnpackError> {
    let entry = item.entry;
    let refuse =
        |rule| Refusal::of(&entry.raw, Fault::Link { rule }).within(archives[item.archive].name);
    debug_assert_eq!(entry.kind, Kind::Link);
    match entry.size {
        0 => return Err(refuse("is empty")),
        1..=4095 => {}
        _ => return Err(refuse("is longer than 4095 bytes")),
    }
    let mut target = Vec::new();
    contents(archives, item, buffers, |bytes| {
        target.extend_from_slice(bytes);
        Ok(())
    })?;
    if target.contains(&0) {
        return Err(refuse("contains a NUL byte"));
    }
    staging.link(entry.path.as_bytes(), &target, entry.modified)
}

/// Hands an entry's contents to `sink`, piece by piece, and checks size and CRC-32.
fn contents(
    archives: &[Archive<'_>],
    item: Item<'_>,
    buffers: &mut Buffers,
    mut sink: impl FnMut(&[u8]) -> Result<(), UnpackError>,
) -> Result<(), UnpackError> {
    let (archive, entry) = (&archives[item.archive], item.entry);
    let refuse = |fault| Refusal::of(&entry.raw, fault).within(archive.name);
    let start = data_start(archive, entry)?;
    let (mut crc, mut size) = (crc32fast::Hasher::new(), 0_u64);
    let mut take = |bytes: &[u8]| {
        size += bytes.len() as u64;
        if size > entry.size {
            return Err(refuse(Fault::Size { found: size, declared: entry.size }));
        }
        crc.update(bytes);
        sink(bytes)
    };
    match entry.method {
        Method::Stored => stored(archive, start, entry.packed, &mut buffers.packed, &mut take)?,
        Method::Deflated => inflated(archive, start, entry, buffers, &mut take, &refuse)?,
    }
    let found = crc.finalize();
    if size != entry.size {
        return Err(refuse(Fault::Size { found: size, declared: entry.size }));
    }
    if found != entry.crc {
        return Err(refuse(Fault::Checksum { found, declared: entry.crc }));
    }
    Ok(())
}

type Take<'a> = dyn FnMut(&[u8]) -> Result<(), UnpackError> + 'a;

fn stored(
    archive: &Archive<'_>,
    start: u64,
    length: u64,
    buffer: &mut [u8],
    take: &mut Take<'_>,
) -> Result<(), UnpackError> {
    let (mut offset, end) = (start, start + length);
    while offset < end {
        let piece = index((end - offset).min(PIECE as u64));
        archive.read(offset, &mut buffer[..piece])?;
        take(&buffer[..piece])?;
        offset += piece as u64;
    }
    Ok(())
}

fn inflated(
    archive: &Archive<'_>,
    start: u64,
    entry: &Entry,
    buffers: &mut Buffers,
    take: &mut Take<'_>,
    refuse: &dyn Fn(Fault) -> UnpackError,
) -> Result<(), UnpackError> {
    buffers.inflate.reset(false);
    let (mut offset, end) = (start, start + entry.packed);
    loop {
        let piece = index((end - offset).min(PIECE as u64));
        archive.read(offset, &mut buffers.packed[..piece])?;
        offset += piece as u64;
        let mut input = &buffers.packed[..piece];
        loop {
            let (read, written) = (buffers.inflate.total_in(), buffers.inflate.total_out());
            let status =
                buffers.inflate.decompress(input, &mut buffers.plain, FlushDecompress::None);
            let status = status.map_err(|_| refuse(Fault::Data { what: "are damaged" }))?;
            input = &input[index(buffers.inflate.total_in() - read)..];
            let plain = index(buffers.inflate.total_out() - written);
            take(&buffers.plain[..plain])?;
            match status {
                Status::StreamEnd if input.is_empty() && offset == end => return Ok(()),
                Status::StreamEnd => {
                    return Err(refuse(Fault::Data { what: "end before their declared end" }));
                }
                Status::Ok | Status::BufError if input.is_empty() && plain < PIECE => break,
                Status::Ok | Status::BufError => {}
            }
        }
        if offset == end {
            return Err(refuse(Fault::Data { what: "have no end" }));
        }
    }
}

/// Checks the local header and says where the data begin.
fn data_start(archive: &Archive<'_>, entry: &Entry) -> Result<u64, UnpackError> {
    let refuse = |fault| Refusal::of(&entry.raw, fault).within(archive.name);
    let wrong = || {
        refuse(Fault::Structure { expected: "a local header", found: "something else".to_owned() })
    };
    let mut fixed = [0; 30];
    archive.read(entry.offset, &mut fixed)?;
    let (name, extra) = local::lengths(&fixed).ok_or_else(wrong)?;
    let start = entry.offset + LOCAL + u64::from(name) + u64::from(extra);
    if start + entry.packed > archive.source.len() {
        return Err(wrong());
    }
    let mut rest = vec![0; usize::from(name) + usize::from(extra)];
    archive.read(entry.offset + LOCAL, &mut rest)?;
    let (name, extra) = rest.split_at(name.into());
    local::check(entry, &fixed, name, extra).map_err(refuse)?;
    let stop = start + entry.packed;
    let mut gap = vec![0; index(entry.next.saturating_sub(stop).min(local::GAP))];
    archive.read(stop, &mut gap)?;
    local::gap(&gap).map_err(refuse)?;
    Ok(start)
}
