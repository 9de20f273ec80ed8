//! Fetches the central directory of an archive: its end first, then all of it. What the bytes mean is
//! the business of `end` and `directory`.

use super::Archive;
use super::bytes::index;
use super::directory::{self, room};
use super::end::{self, End};
use super::error::{Fault, Refusal, UnpackError};
use super::limits::Limits;
use super::plan::Catalog;

impl Catalog {
    /// Reads and checks it; every entry by itself.
    pub(super) fn read(archive: &Archive<'_>, limits: &Limits) -> Result<Self, UnpackError> {
        let refuse = |refusal: Refusal| refusal.within(archive.name);
        let length = archive.source.len();
        let mut tail = vec![0; index(length.min(end::LONGEST))];
        archive.read_early(length - tail.len() as u64, &mut tail)?;
        let end = End::find(&tail, length).map_err(|fault| refuse(fault.into()))?;
        let mut bytes = room(&end, limits).map_err(|fault| refuse(fault.into()))?;
        archive.read_early(end.start, &mut bytes)?;
        let entries = directory::parse(&bytes, &end, limits).map_err(refuse)?;
        let catalog = Self { bytes, start: end.start, entries };
        catalog.starts(archive)?;
        Ok(catalog)
    }

    /// Refuses bytes before the first entry: they could be another archive, for readers that begin at
    /// the front. Only the line is allowed that makes a Python zip application executable.
    fn starts(&self, archive: &Archive<'_>) -> Result<(), UnpackError> {
        let offsets = self.entries.iter().map(|entry| entry.offset);
        let first = offsets.min().unwrap_or(self.start);
        let mut start = [0; 2];
        if first >= 2 {
            archive.read_early(0, &mut start)?;
        }
        if first == 0 || start == *b"#!" {
            return Ok(());
        }
        let found = format!("{first} bytes of something else");
        let fault = Fault::Structure { expected: "an entry at the start", found };
        Err(Refusal::from(fault).within(archive.name))
    }
}
