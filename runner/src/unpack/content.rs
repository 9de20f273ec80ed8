//! Packed bytes → contents: inflates, counts and checks one entry, piece by piece. Never hands on more
//! than the entry declares.

use std::io::{self, Write};

use flate2::{Decompress, FlushDecompress, Status};

use super::bytes::index;
use super::directory::{Entry, Method};
use super::error::Fault;

/// Contents are handed on in pieces of at most this many bytes.
const PIECE: usize = 256 << 10;

/// Why an entry's contents did not get to where they belong.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The entry is at fault.
    Fault(Fault),
    /// What takes the contents failed.
    Sink(io::Error),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Sink(error)
    }
}

/// One worker's memory for inflating, used for one entry after the other.
#[derive(Debug)]
pub(super) struct Decoder {
    inflate: Decompress,
    plain: Vec<u8>,
}

impl Decoder {
    /// Nothing inflated yet.
    pub(super) fn new() -> Self {
        Self { inflate: Decompress::new(false), plain: vec![0; PIECE] }
    }

    /// Begins an entry, whose contents go to `sink`.
    pub(super) fn begin<'a>(
        &'a mut self,
        entry: &'a Entry,
        sink: &'a mut dyn Write,
    ) -> Contents<'a> {
        self.inflate.reset(false);
        let tally = Tally { entry, sink, crc: crc32fast::Hasher::new(), size: 0 };
        Contents { decoder: self, tally, ended: false }
    }
}

/// One entry on its way.
pub(super) struct Contents<'a> {
    decoder: &'a mut Decoder,
    tally: Tally<'a>,
    /// Whether the deflate stream has ended.
    ended: bool,
}

impl Contents<'_> {
    /// Takes the next packed bytes; `last` says that there are no more.
    pub(super) fn feed(&mut self, packed: &[u8], last: bool) -> Result<(), Trouble> {
        match self.tally.entry.method {
            Method::Stored => self.tally.take(packed),
            Method::Deflate => self.inflate(packed, last),
        }
    }

    /// Checks that everything came, and came right.
    pub(super) fn end(self) -> Result<(), Fault> {
        if self.tally.entry.method == Method::Deflate && !self.ended {
            return Err(Fault::Data { what: "end too early" });
        }
        self.tally.end()
    }

    fn inflate(&mut self, mut packed: &[u8], last: bool) -> Result<(), Trouble> {
        let Decoder { inflate, plain } = &mut *self.decoder;
        // With nothing more to come, the window need not be kept.
        let flush = if last { FlushDecompress::Finish } else { FlushDecompress::None };
        while !self.ended {
            let before = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(packed, plain, flush);
            let status = status.map_err(|_| Fault::Data { what: "are damaged" })?;
            let read = index(inflate.total_in() - before.0);
            let written = index(inflate.total_out() - before.1);
            packed = &packed[read..];
            self.tally.take(&plain[..written])?;
            self.ended = status == Status::StreamEnd;
            if read == 0 && written == 0 || packed.is_empty() && written < plain.len() {
                break;
            }
        }
        if packed.is_empty() {
            return Ok(());
        }
        Err(Fault::Data { what: "go on after their end" }.into())
    }
}

/// Counts and checks contents as they pass.
struct Tally<'a> {
    entry: &'a Entry,
    sink: &'a mut dyn Write,
    crc: crc32fast::Hasher,
    size: u64,
}

impl Tally<'_> {
    fn take(&mut self, plain: &[u8]) -> Result<(), Trouble> {
        self.size += plain.len() as u64;
        if self.size > self.entry.size {
            return Err(Fault::Size { found: self.size, declared: self.entry.size }.into());
        }
        self.crc.update(plain);
        Ok(self.sink.write_all(plain)?)
    }

    fn end(self) -> Result<(), Fault> {
        let Entry { size: declared, crc, .. } = *self.entry;
        if self.size != declared {
            return Err(Fault::Size { found: self.size, declared });
        }
        let found = self.crc.finalize();
        if found == crc { Ok(()) } else { Err(Fault::Checksum { found, declared: crc }) }
    }
}
