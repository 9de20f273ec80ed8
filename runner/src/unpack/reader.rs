//! One worker's view of an archive: a buffer that moves forward over it. Knows nothing of zip.

use std::ops::Range;

use super::Archive;
use super::bytes::index;
use super::error::UnpackError;

/// The most bytes that are held at a time.
pub(super) const BUFFER: usize = 256 << 10;

/// A window of at most [`BUFFER`] bytes over one archive.
#[derive(Debug, Default)]
pub(super) struct Reader {
    buffer: Vec<u8>,
    /// Index of the archive, and where in it the buffer begins.
    place: (usize, u64),
}

impl Reader {
    /// The bytes at the start of `range` of the archive with this index: all of them or at least
    /// `least`. What is there already is not read again.
    pub(super) fn window(
        &mut self,
        number: usize,
        archive: &Archive<'_>,
        range: Range<u64>,
        least: usize,
    ) -> Result<&[u8], UnpackError> {
        let length = index(range.end - range.start).min(BUFFER);
        let held = self.held(number, range.start);
        if held.end - held.start < length.min(least) {
            self.place = (number, range.start);
            self.buffer.clear();
            self.buffer.resize(length, 0);
            archive.read(range.start, &mut self.buffer).inspect_err(|_| self.buffer.clear())?;
            return Ok(&self.buffer);
        }
        let end = held.end.min(held.start + length);
        Ok(&self.buffer[held.start..end])
    }

    /// Which part of the buffer is behind `start`.
    fn held(&self, number: usize, start: u64) -> Range<usize> {
        let (archive, from) = self.place;
        let skipped = start.checked_sub(from).map(index).filter(|_| archive == number);
        let skipped = skipped.unwrap_or(usize::MAX).min(self.buffer.len());
        skipped..self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::{BUFFER, Reader};
    use crate::unpack::{Archive, Source};

    /// Bytes that are their own position, and the reads that were made.
    struct Counted(Mutex<Vec<(u64, usize)>>);

    impl Source for Counted {
        fn len(&self) -> u64 {
            1 << 30
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            self.0.lock().unwrap().push((offset, buffer.len()));
            for (byte, at) in buffer.iter_mut().zip(offset..) {
                *byte = at.to_le_bytes()[0];
            }
            Ok(())
        }
    }

    #[test]
    fn what_is_held_is_not_read_again() {
        let source = Counted(Mutex::default());
        let archive = Archive { name: "a", source: &source };
        let mut reader = Reader::default();
        assert_eq!(reader.window(0, &archive, 100..1100, 1000).unwrap().len(), 1000);
        assert_eq!(reader.window(0, &archive, 1000..1010, 10).unwrap()[0], 232);
        assert_eq!(reader.window(0, &archive, 1090..2000, 1).unwrap().len(), 10);
        assert_eq!(reader.window(0, &archive, 1090..2000, 11).unwrap().len(), 910);
        assert_eq!(reader.window(1, &archive, 1090..1100, 1).unwrap().len(), 10);
        assert_eq!(reader.window(1, &archive, 0..1 << 20, 1).unwrap().len(), BUFFER);
        let reads = source.0.into_inner().unwrap();
        assert_eq!(reads, [(100, 1000), (1090, 910), (1090, 10), (0, BUFFER)]);
    }
}
