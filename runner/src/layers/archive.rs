//! The entries of a tar, one after the other: headers with what extends them, and where contents end.
//! Any two records that contradict each other are refused, as is whatever other readers may take for
//! something else (CVE-2025-62518 and its kind). Knows nothing of paths and file systems.

use std::io::{self, BufRead};

use crate::unpack::Fault;
use crate::unpack::error::Refusal;

use super::budget::Budget;
use super::entry::{Entry, Pending};
use super::header::{BLOCK, Block, Header, Kind};
use super::pax::Extended;
use super::sparse::{Lines, Old};

/// The most bytes of the records of one entry.
const RECORDS: u64 = 1 << 20;

/// Why an archive was not read to its end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The archive is at fault.
    Refusal(Refusal),
    /// Its bytes could not be had.
    Read(io::Error),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Refusal(fault.into())
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// A tar that is being read.
pub(super) struct Archive<'a, R> {
    input: R,
    budget: &'a Budget,
    /// Bytes of the current entry's contents that have not been read, and of the padding behind them.
    left: (u64, u64),
    global: Extended,
    /// Whether something else tells that it is complete, so that no mark is needed at its end.
    sealed: bool,
}

impl<'a, R: BufRead> Archive<'a, R> {
    /// At its beginning.
    pub(super) fn new(input: R, budget: &'a Budget, sealed: bool) -> Self {
        Self { input, budget, left: (0, 0), global: Extended::default(), sealed }
    }

    /// The next entry; what has not been read of the one before is passed over. None at the end, to
    /// which everything has been read then.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Trouble> {
        self.pass()?;
        let mut pending = Pending::default();
        loop {
            let Some(block) = self.block()? else {
                pending.none()?;
                return self.unmarked();
            };
            if block == [0; BLOCK] {
                pending.none()?;
                return self.end().map(|()| None);
            }
            let header = Header::new(&block)?;
            let name = header.name();
            let about = |fault| Refusal::of(&name, fault);
            let size = header.size().map_err(about)?;
            match header.kind(name.ends_with(b"/")).map_err(about)? {
                Kind::Extended => {
                    let extended = Extended::read(&self.records(size, RECORDS)?).map_err(about)?;
                    pending.extend(extended).map_err(about)?;
                }
                Kind::Global => {
                    pending.none()?;
                    let records = self.records(size, RECORDS)?;
                    self.global = Extended::global(&records).map_err(about)?;
                }
                Kind::LongName => {
                    pending.name(&self.records(size, self.longest())?).map_err(about)?;
                }
                Kind::LongLink => {
                    pending.link(&self.records(size, self.longest())?).map_err(about)?;
                }
                kind => return self.entry(&block, kind, pending).map(Some),
            }
        }
    }

    /// Hands on the current entry's contents piece by piece, `most` bytes at the most.
    pub(super) fn contents<E: From<Trouble>>(
        &mut self,
        most: u64,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut wanted = most.min(self.left.0);
        while wanted > 0 {
            let piece = self.input.fill_buf().map_err(|error| E::from(error.into()))?;
            if piece.is_empty() {
                return Err(E::from(cut("contents of an entry").into()));
            }
            let length = piece.len().min(usize::try_from(wanted).unwrap_or(usize::MAX));
            sink(&piece[..length])?;
            self.input.consume(length);
            wanted -= length as u64;
            self.left.0 -= length as u64;
        }
        Ok(())
    }

    fn entry(&mut self, block: &Block, kind: Kind, pending: Pending) -> Result<Entry, Trouble> {
        let mut old = Old::default();
        if kind == Kind::Sparse {
            let mut more = old.header(block)?;
            while more {
                let block = self.block()?.ok_or_else(|| cut("list of holes"))?;
                more = old.more(&block)?;
            }
        }
        let (mut entry, lines) = pending.entry(Header::new(block)?, kind, &old, &self.global)?;
        self.left = (entry.stored, padding(entry.stored));
        if let Some(size) = lines {
            let mut lines = Lines::default();
            while lines.more(&self.block()?.ok_or_else(|| cut("list of holes"))?)? {}
            self.holes(&mut entry, &lines, size)?;
        }
        Ok(entry)
    }

    /// Takes the list of holes, whose blocks have been read, off the contents.
    fn holes(&mut self, entry: &mut Entry, lines: &Lines, size: u64) -> Result<(), Trouble> {
        let stored = entry.stored.checked_sub(lines.bytes()).ok_or_else(|| cut("list of holes"))?;
        (entry.stored, entry.size) = (stored, size);
        entry.map = Some(lines.map(size, stored)?);
        self.left.0 = stored;
        Ok(())
    }

    /// One block; none at the end of the file.
    fn block(&mut self) -> Result<Option<Block>, Trouble> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(None);
        }
        self.budget.headers(BLOCK as u64)?;
        let mut block = [0; BLOCK];
        match self.input.read_exact(&mut block) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(cut("block").into()),
            done => Ok(done.map(|()| Some(block))?),
        }
    }

    /// The contents of a header that only describes other ones.
    fn records(&mut self, size: u64, allowed: u64) -> Result<Vec<u8>, Trouble> {
        if size > allowed {
            let what = "bytes of records about one entry";
            return Err(Fault::Limit { what, found: size, allowed }.into());
        }
        self.budget.headers(size)?;
        self.left = (size, padding(size));
        let mut records = Vec::new();
        self.contents(size, |piece| {
            records.extend_from_slice(piece);
            Ok::<_, Trouble>(())
        })?;
        self.pass()?;
        Ok(records)
    }

    /// Passes over what is left of an entry.
    fn pass(&mut self) -> Result<(), Trouble> {
        let (contents, padding) = std::mem::take(&mut self.left);
        self.left.0 = contents.saturating_add(padding);
        self.budget.headers(self.left.0)?;
        self.contents(u64::MAX, |_| Ok::<_, Trouble>(()))
    }

    /// Behind a block of zeros there is nothing else, to the end of the file.
    fn end(&mut self) -> Result<(), Trouble> {
        loop {
            let rest = self.input.fill_buf()?;
            let length = rest.len();
            if length == 0 {
                return Ok(());
            }
            if rest.iter().any(|byte| *byte != 0) {
                let expected = "nothing but zeros behind the end of the archive";
                return Err(Fault::Structure { expected, found: "other bytes".to_owned() }.into());
            }
            self.budget.headers(length as u64)?;
            self.input.consume(length);
        }
    }

    /// The file has ended without the mark that a tar has there.
    fn unmarked(&self) -> Result<Option<Entry>, Trouble> {
        if self.sealed { Ok(None) } else { Err(cut("mark of its end").into()) }
    }

    /// Bytes of a name, with the NUL at its end.
    const fn longest(&self) -> u64 {
        self.budget.limits.path_bytes + 1
    }
}

fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

fn cut(expected: &'static str) -> Fault {
    Fault::Structure { expected, found: "the end of the file".to_owned() }
}
