//! The end of an archive: where its central directory lies. Pure. Source: APPNOTE 4.3.14 to 4.3.16.
//!
//! Readers differ in which end record they take when several could be meant, so exactly one may be
//! possible: it reaches to the end of the file, and the directory, the zip64 records and the end
//! record follow each other without a gap.

use super::{bytes::Fields, error::Fault, extra::SATURATED};

const SIGNATURE: &[u8] = b"PK\x05\x06";
const LOCATOR_SIGNATURE: &[u8] = b"PK\x06\x07";
const ZIP64_SIGNATURE: &[u8] = b"PK\x06\x06";

const RECORD: usize = 22;
const LOCATOR: usize = 20;
const ZIP64_RECORD: usize = 56;

/// The longest end of an archive: zip64 records, end record, comment. In bytes.
pub(super) const LONGEST: u64 = (ZIP64_RECORD + LOCATOR + RECORD + 65_535) as u64;

/// The place of the central directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Where it begins, in bytes from the start of the archive.
    pub(super) start: u64,
    /// Its length in bytes.
    pub(super) length: u64,
    /// The number of entries, as far as `count_mask` can tell.
    count: u64,
    /// Without zip64 there are 16 bits for it, and macOS writes what remains of larger numbers.
    count_mask: u64,
}

impl End {
    /// Finds the end in `tail`, the last [`LONGEST`] bytes (or all) of an archive of `length` bytes.
    pub(super) fn find(tail: &[u8], length: u64) -> Result<Self, Fault> {
        let at = locate(tail)?;
        let record = Record::parse(&tail[at..])?;
        let base = length - tail.len() as u64;
        let (end, limit) = match at.checked_sub(LOCATOR).map(|start| &tail[start..at]) {
            Some(locator) if locator.starts_with(LOCATOR_SIGNATURE) => {
                let start = (at - LOCATOR).checked_sub(ZIP64_RECORD).ok_or_else(misplaced)?;
                let limit = base + start as u64;
                located(locator, limit)?;
                (wide(&tail[start..at - LOCATOR], &record)?, limit)
            }
            _ => (record.narrow(), base + at as u64),
        };
        if end.start.checked_add(end.length) == Some(limit) { Ok(end) } else { Err(end.gap(limit)) }
    }

    /// Whether the directory may have `entries` entries.
    pub(super) const fn counts(&self, entries: u64) -> bool {
        entries & self.count_mask == self.count
    }

    /// The fault of a directory that has another number of entries.
    pub(super) fn miscounted(&self, entries: u64) -> Fault {
        structure(
            "as many entries as the end record counts",
            format!("{entries}, not {}", self.count),
        )
    }

    fn gap(&self, limit: u64) -> Fault {
        let found = format!("{} bytes at {}, before {limit}", self.length, self.start);
        structure("the central directory right before the end record", found)
    }
}

/// The position of the end record: the last signature, if its comment reaches to the end of the file
/// (zeros after it are padding) and that of no other one does.
fn locate(tail: &[u8]) -> Result<usize, Fault> {
    let mut positions = positions(tail);
    let none = || {
        structure("a zip file, with an end record", "none: is it a zip file, and whole?".to_owned())
    };
    let last = positions.next().ok_or_else(none)?;
    if !reaches_end(tail, last) {
        let found = "something else after it";
        return Err(structure("the end record and its comment at the end", found.to_owned()));
    }
    match positions.find(|at| reaches_end(tail, *at)) {
        None => Ok(last),
        Some(_) => Err(structure("one end record", "another one in its comment".to_owned())),
    }
}

/// Where end records may begin, from the back.
fn positions(tail: &[u8]) -> impl Iterator<Item = usize> {
    let starts = tail.windows(SIGNATURE.len()).enumerate().rev();
    starts.filter(|(_, bytes)| *bytes == SIGNATURE).map(|(at, _)| at)
}

fn reaches_end(tail: &[u8], at: usize) -> bool {
    let length = |bytes: &[u8]| Fields::new(bytes).u16();
    let Some(comment) = tail.get(at + RECORD - 2..).and_then(length) else { return false };
    let after = tail.get(at + RECORD + usize::from(comment)..);
    after.is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
}

/// The end record (APPNOTE 4.3.16).
#[derive(Debug)]
struct Record {
    entries: u16,
    length: u32,
    start: u32,
}

impl Record {
    fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields::new(bytes.get(SIGNATURE.len()..).unwrap_or_default());
        let mut read = || {
            let disks = (fields.u16()?, fields.u16()?, fields.u16()?);
            let entries = fields.u16()?;
            // With zip64 the numbers of disks may be saturated like the rest.
            let one = matches!(disks, (0 | u16::MAX, 0 | u16::MAX, here) if here == entries);
            Some((one, Self { entries, length: fields.u32()?, start: fields.u32()? }))
        };
        match read() {
            Some((true, record)) => Ok(record),
            _ => Err(structure("an archive in one piece", "one of several disks".to_owned())),
        }
    }

    fn narrow(&self) -> End {
        End {
            start: u64::from(self.start),
            length: u64::from(self.length),
            count: u64::from(self.entries),
            count_mask: 0xffff,
        }
    }

    /// Whether what this record says is what the zip64 record says, or points there.
    fn agrees(&self, end: &End) -> bool {
        let same = |narrow: u32, wide: u64| narrow == SATURATED || u64::from(narrow) == wide;
        (self.entries == u16::MAX || u64::from(self.entries) == end.count)
            && same(self.length, end.length)
            && same(self.start, end.start)
    }
}

/// Checks the locator (APPNOTE 4.3.15): the zip64 record is right before it, at `expected`.
fn located(locator: &[u8], expected: u64) -> Result<(), Fault> {
    let mut fields = Fields::new(&locator[LOCATOR_SIGNATURE.len()..]);
    match (fields.u32(), fields.u64(), fields.u32()) {
        (Some(0), Some(at), Some(0 | 1)) if at == expected => Ok(()),
        _ => Err(misplaced()),
    }
}

/// The zip64 end record (APPNOTE 4.3.14), in its fixed length.
fn wide(bytes: &[u8], narrow: &Record) -> Result<End, Fault> {
    let mut fields = Fields::new(bytes);
    let mut read = || {
        let head = (fields.take(4)?, fields.u64()?, fields.u32()?);
        let disks = (fields.u32()?, fields.u32()?, fields.u64()?);
        let (count, length, start) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let fixed = matches!(head, (ZIP64_SIGNATURE, size, _) if size == ZIP64_RECORD as u64 - 12);
        let one = matches!(disks, (0, 0, here) if here == count);
        (fixed && one).then_some(End { start, length, count, count_mask: u64::MAX })
    };
    let end = read().ok_or_else(misplaced)?;
    if narrow.agrees(&end) {
        return Ok(end);
    }
    let found = "they differ".to_owned();
    Err(structure("the same in the end record and the zip64 end record", found))
}

fn misplaced() -> Fault {
    let found = "something else".to_owned();
    structure("a plain zip64 end record right before its locator", found)
}

const fn structure(expected: &'static str, found: String) -> Fault {
    Fault::Structure { expected, found }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{End, LOCATOR_SIGNATURE, RECORD, SIGNATURE, ZIP64_SIGNATURE};

    fn record(entries: u16, length: u32, start: u32, comment: &[u8]) -> Vec<u8> {
        let count = entries.to_le_bytes();
        let comment_length = u16::try_from(comment.len()).unwrap().to_le_bytes();
        let head = [SIGNATURE, &[0; 4], &count, &count, &length.to_le_bytes()].concat();
        [head, start.to_le_bytes().to_vec(), comment_length.to_vec(), comment.to_vec()].concat()
    }

    fn zip64(entries: u64, length: u64, start: u64) -> Vec<u8> {
        let (count, at) = (entries.to_le_bytes(), (start + length).to_le_bytes());
        let head = [ZIP64_SIGNATURE, &44_u64.to_le_bytes(), &[45, 3, 45, 0], &[0; 8]].concat();
        let place = [count, count, length.to_le_bytes(), start.to_le_bytes()].concat();
        [head, place, LOCATOR_SIGNATURE.to_vec(), vec![0; 4], at.to_vec(), vec![1, 0, 0, 0]]
            .concat()
    }

    fn find(parts: &[&[u8]]) -> Option<End> {
        let tail = parts.concat();
        End::find(&tail, tail.len() as u64).ok()
    }

    #[test]
    fn the_directory_is_found_with_and_without_comment_and_padding() {
        for comment in [&b""[..], b"a comment"] {
            for padding in [&b""[..], &[0; 100]] {
                let end = find(&[b"directory", &record(1, 9, 0, comment), padding]).unwrap();
                assert_eq!((end.start, end.length), (0, 9));
                assert!(end.counts(1) && end.counts(65_537) && !end.counts(2));
            }
        }
    }

    #[test]
    fn positions_count_from_the_start_of_the_archive() {
        let tail = [b"directory", &record(1, 9, 1000, b"")[..]].concat();
        assert_eq!(End::find(&tail, 1000 + tail.len() as u64).unwrap().start, 1000);
    }

    #[test]
    fn the_zip64_record_counts_where_it_is() {
        let saturated = record(u16::MAX, u32::MAX, u32::MAX, b"");
        let end = find(&[b"directory", &zip64(1, 9, 0), &saturated]).unwrap();
        assert_eq!((end.start, end.length), (0, 9));
        assert!(end.counts(1) && !end.counts(65_537));
        assert!(find(&[b"directory", &zip64(1, 9, 0), &record(1, 9, 0, b"")]).is_some());
        assert!(find(&[b"directory", &zip64(1, 9, 0), &record(2, 9, 0, b"")]).is_none());
        assert!(find(&[b"directory", &zip64(1, 9, 0), b"x", &saturated]).is_none());
        assert!(find(&[b"directory", &saturated]).is_none());
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let plain = record(1, 9, 0, b"");
        assert!(find(&[b"directory", &plain, b"junk"]).is_none());
        assert!(find(&[b"directory", &record(1, 9, 0, &record(0, 0, 31, b""))]).is_none());
        assert!(find(&[b"directory", &record(1, 9, 0, SIGNATURE)]).is_none());
        assert!(find(&[b"directory", b"gap", &plain]).is_none());
        assert!(find(&[b"junk", b"directory", &plain]).is_none());
        assert!(find(&[b"directory", &plain[..RECORD - 1]]).is_none());
        assert!(find(&[b""]).is_none());
    }

    #[test]
    fn several_disks_are_refused() {
        for at in [4, 6, 8] {
            let mut several = record(1, 9, 0, b"");
            several[at] += 1;
            assert!(find(&[b"directory", &several]).is_none());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(junk in prop::collection::vec(any::<u8>(), 0..90), at in 0..100_usize) {
            let mut tail = [b"directory", &zip64(1, 9, 0)[..], &record(1, 9, 0, b"")].concat();
            for (index, byte) in junk.into_iter().enumerate() {
                if let Some(slot) = tail.get_mut(at + index) { *slot = byte; }
                let length = tail.len() as u64;
                if let Ok(end) = End::find(&tail, length) {
                    prop_assert!(end.start + end.length <= length);
                }
            }
        }
    }
}
