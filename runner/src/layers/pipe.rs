//! Between the thread that inflates a layer and the one that unpacks it: a few chunks at a time. The
//! reading end counts and hashes what passes.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use sha2::{Digest as _, Sha256};

use crate::unpack::UnpackError;

/// Bytes of a chunk.
pub(super) const CHUNK: usize = 256 << 10;
/// Chunks on their way.
const CHUNKS: usize = 4;

/// Some bytes at the beginning of a buffer.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    length: usize,
}

/// The writing end.
#[derive(Debug)]
pub(super) struct Inlet {
    full: SyncSender<Result<Chunk, UnpackError>>,
    empty: Receiver<Chunk>,
}

/// The reading end.
#[derive(Debug)]
pub(super) struct Outlet {
    full: Receiver<Result<Chunk, UnpackError>>,
    empty: SyncSender<Chunk>,
    chunk: Chunk,
    read: usize,
    hash: Option<Sha256>,
    failure: Option<UnpackError>,
}

/// Both ends; `hashed` says whether the digest will be asked for.
pub(super) fn pipe(hashed: bool) -> (Inlet, Outlet) {
    let ((full, from_inlet), (empty, from_outlet)) = (sync_channel(CHUNKS), sync_channel(CHUNKS));
    let inlet = Inlet { full, empty: from_outlet };
    let hash = hashed.then(Sha256::new);
    let (chunk, read, failure) = (Chunk::default(), 0, None);
    (inlet, Outlet { full: from_inlet, empty, chunk, read, hash, failure })
}

impl Inlet {
    /// Passes on all that can be read, until nobody wants it any more.
    pub(super) fn fill(&self, mut source: impl Read) -> io::Result<()> {
        loop {
            let mut chunk = self.empty.try_recv().unwrap_or_default();
            chunk.bytes.resize(CHUNK, 0);
            chunk.length = some(&mut source, &mut chunk.bytes)?;
            if chunk.length == 0 || self.full.send(Ok(chunk)).is_err() {
                return Ok(());
            }
        }
    }

    /// Says why nothing more comes.
    pub(super) fn fail(&self, error: UnpackError) {
        let _ = self.full.send(Err(error));
    }
}

/// Fills as much of the buffer as there are bytes for.
fn some(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match source.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

impl Outlet {
    /// Why nothing more came.
    pub(super) fn failure(&mut self) -> Option<UnpackError> {
        self.failure.take()
    }

    /// The SHA-256 of all that was read.
    pub(super) fn digest(self) -> Option<[u8; 32]> {
        self.hash.map(|hash| hash.finalize().into())
    }

    fn next(&mut self) -> io::Result<()> {
        let used = std::mem::take(&mut self.chunk);
        let _ = self.empty.try_send(used);
        self.read = 0;
        match self.full.recv() {
            Ok(Ok(chunk)) => self.chunk = chunk,
            Ok(Err(error)) => {
                self.failure = Some(error);
                return Err(io::Error::other("the layer cannot be read"));
            }
            Err(_) => {}
        }
        if let Some(hash) = &mut self.hash {
            hash.update(&self.chunk.bytes[..self.chunk.length]);
        }
        Ok(())
    }
}

impl Read for Outlet {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Outlet {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.chunk.length {
            self.next()?;
        }
        Ok(&self.chunk.bytes[self.read..self.chunk.length])
    }

    fn consume(&mut self, amount: usize) {
        self.read += amount;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::thread;

    use super::pipe;

    #[test]
    fn what_goes_in_comes_out_and_is_hashed() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
        let (inlet, mut outlet) = pipe(true);
        let mut out = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| inlet.fill(bytes.as_slice()).map(|()| drop(inlet)));
            outlet.read_to_end(&mut out).unwrap();
        });
        assert!(out == bytes);
        assert_eq!(outlet.digest().unwrap(), crate::layers::tar::sha256(&bytes));
    }

    #[test]
    fn an_inlet_ends_when_nobody_reads() {
        let (inlet, outlet) = pipe(false);
        drop(outlet);
        inlet.fill(std::io::repeat(0)).unwrap();
    }
}
