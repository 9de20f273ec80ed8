//! The central directory of a zip file: where it is, and its entries. Pure.
//! Source: APPNOTE 4.3.6 (layout), 4.3.12 (entry), 4.3.14 and 4.3.15 (zip64), 4.3.16 (end record).

use super::attributes::{Kind, Nature, dos_time};
use super::bytes::{Fields, index};
use super::error::{Fault, Refusal};
use super::extra::Extra;
use super::limits::Limits;
use super::name::{self, Spelling};
use super::path::MemberPath;

/// The end record without its comment.
pub(super) const END: u64 = 22;
/// How far the end record, and the zip64 locator before it, can be from the end.
pub(super) const TAIL: u64 = END + 0xffff + ZIP64_LOCATOR;
const ZIP64_LOCATOR: u64 = 20;
/// The zip64 end record without its extensible data.
const ZIP64_END: u64 = 56;
/// A local header without name and extra field.
pub(super) const LOCAL: u64 = 30;

/// Flag bits of encryption, of strong encryption, of a masked directory (APPNOTE 4.4.4).
pub(super) const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// Flag bit of a name in UTF-8.
pub(super) const UTF8: u16 = 1 << 11;

/// How an entry's contents are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// As they are.
    Stored,
    /// RFC 1951.
    Deflated,
}

/// One entry, checked as far as it can be alone.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) path: MemberPath,
    /// The name's bytes in the header, which the local header must repeat.
    pub(super) raw: Box<[u8]>,
    pub(super) kind: Kind,
    pub(super) mode: u32,
    /// Seconds since the epoch.
    pub(super) modified: i64,
    pub(super) method: Method,
    pub(super) flags: u16,
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) size: u64,
    /// Of the local header.
    pub(super) offset: u64,
    /// Where the next entry, or the central directory, begins.
    pub(super) next: u64,
}

/// Where the central directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) entries: u64,
}

/// What the end of an archive says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The directory is there.
    Directory(Location),
    /// The zip64 end record, at this offset, says where it is.
    Zip64(u64, Location),
}

fn structure(expected: &'static str, found: impl Into<String>) -> Fault {
    Fault::Structure { expected, found: found.into() }
}

/// Reads the end record. `tail` is the last bytes of an archive of `length` bytes. The record is the
/// one whose comment reaches exactly to the end; anything behind it would be another archive's.
pub(super) fn find(tail: &[u8], length: u64) -> Result<Found, Fault> {
    let starts = (0..tail.len().saturating_sub(index(END) - 1)).rev();
    let mut ends = starts.filter(|start| tail[*start..].starts_with(b"PK\x05\x06"));
    let whole =
        |start: &usize| comment_length(&tail[*start..]) == Some(tail.len() - start - index(END));
    let start = ends
        .find(whole)
        .ok_or_else(|| structure("an end record whose comment ends the file", "none"))?;
    let at = length - (tail.len() - start) as u64;
    let location =
        end_record(&tail[start..]).ok_or_else(|| structure("an end record", "a shorter one"))??;
    match start.checked_sub(index(ZIP64_LOCATOR)).map(|locator| &tail[locator..start]) {
        Some(locator) if locator.starts_with(b"PK\x06\x07") => {
            Ok(Found::Zip64(zip64_offset(locator, at)?, location))
        }
        Some(_) | None => {
            contiguous(location, at)?;
            Ok(Found::Directory(location))
        }
    }
}

fn comment_length(record: &[u8]) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes([*record.get(20)?, *record.get(21)?])))
}

fn end_record(record: &[u8]) -> Option<Result<Location, Fault>> {
    let mut fields = Fields::new(record.get(4..)?);
    let disks = (fields.u16()?, fields.u16()?);
    let (here, entries) = (fields.u16()?, fields.u16()?);
    let (length, offset) = (fields.u32()?, fields.u32()?);
    if disks != (0, 0) && disks != (0xffff, 0xffff) || here != entries {
        return Some(Err(structure("an archive in one piece", "one spread over several disks")));
    }
    Some(Ok(Location { offset: offset.into(), length: length.into(), entries: entries.into() }))
}

fn zip64_offset(locator: &[u8], end: u64) -> Result<u64, Fault> {
    let mut fields = Fields::new(&locator[4..]);
    let disk = fields.u32();
    let offset = fields.u64().filter(|_| disk == Some(0));
    let before = end - ZIP64_LOCATOR;
    offset
        .filter(|offset| offset.checked_add(ZIP64_END).is_some_and(|record| record <= before))
        .ok_or_else(|| {
            structure("a zip64 end record before its locator", "a locator that points elsewhere")
        })
}

/// Reads the zip64 end record at `offset`; `narrow` is what the end record said.
pub(super) fn zip64(record: &[u8], offset: u64, narrow: Location) -> Result<Location, Fault> {
    let bad = || structure("a zip64 end record", "something else");
    let mut fields = Fields::new(record.strip_prefix(b"PK\x06\x06").ok_or_else(bad)?);
    let size = fields.u64().ok_or_else(bad)?;
    if size != ZIP64_END - 12 {
        let found = format!("{size} bytes");
        return Err(structure("a zip64 end record of version 1 without extensible data", found));
    }
    let _versions = fields.u32();
    let disks = (fields.u32(), fields.u32());
    let counts = (fields.u64(), fields.u64());
    let (length, start) = (fields.u64().ok_or_else(bad)?, fields.u64().ok_or_else(bad)?);
    let wide = Location { offset: start, length, entries: counts.1.ok_or_else(bad)? };
    if disks != (Some(0), Some(0)) || counts.0 != counts.1 {
        return Err(structure("an archive in one piece", "one spread over several disks"));
    }
    agree(narrow.offset, wide.offset, u64::from(u32::MAX))?;
    agree(narrow.length, wide.length, u64::from(u32::MAX))?;
    agree(narrow.entries, wide.entries, u64::from(u16::MAX))?;
    contiguous(wide, offset)?;
    Ok(wide)
}

/// Where the two end records both say something they must say the same.
fn agree(narrow: u64, wide: u64, saturated: u64) -> Result<(), Fault> {
    if narrow == saturated || narrow == wide {
        return Ok(());
    }
    Err(structure("two end records that agree", format!("{narrow} and {wide}")))
}

/// The directory ends where the end record begins: bytes between them would be read by some and not
/// by others.
fn contiguous(location: Location, end: u64) -> Result<(), Fault> {
    if location.offset.checked_add(location.length) == Some(end) {
        return Ok(());
    }
    let found = format!("{} bytes at {}, end record at {end}", location.length, location.offset);
    Err(structure("a central directory that ends at its end record", found))
}

/// Takes the directory's bytes apart. All of them must be entries, and as many as announced.
pub(super) fn parse(
    bytes: &[u8],
    location: Location,
    limits: &Limits,
) -> Result<Vec<Entry>, Refusal> {
    let mut fields = Fields::new(bytes);
    let mut entries = Vec::with_capacity(index(location.entries.min(limits.entries)));
    while !fields.rest().is_empty() {
        let header = Header::read(&mut fields);
        let header = header
            .ok_or_else(|| structure("an entry of the central directory", "something else"))?;
        entries.push(header.entry(limits).map_err(|fault| Refusal::of(header.name, fault))?);
    }
    if entries.len() as u64 == location.entries {
        return Ok(entries);
    }
    let found = format!("{} of {}", entries.len(), location.entries);
    Err(structure("as many entries as the end record says", found).into())
}

/// An entry's fields as they are in the file.
struct Header<'a> {
    host: u8,
    flags: u16,
    method: u16,
    time: u16,
    date: u16,
    crc: u32,
    packed: u32,
    size: u32,
    disk: u16,
    external: u32,
    offset: u32,
    name: &'a [u8],
    extra: &'a [u8],
}

impl<'a> Header<'a> {
    fn read(fields: &mut Fields<'a>) -> Option<Self> {
        if fields.take(4)? != b"PK\x01\x02" {
            return None;
        }
        let [_, host] = fields.u16()?.to_le_bytes();
        fields.u16()?;
        let (flags, method, time, date) =
            (fields.u16()?, fields.u16()?, fields.u16()?, fields.u16()?);
        let (crc, packed, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name, extra, comment) = (fields.u16()?, fields.u16()?, fields.u16()?);
        let (disk, _internal, external, offset) =
            (fields.u16()?, fields.u16()?, fields.u32()?, fields.u32()?);
        let (name, extra) = (fields.take(name.into())?, fields.take(extra.into())?);
        fields.take(comment.into())?;
        Some(Self {
            host,
            flags,
            method,
            time,
            date,
            crc,
            packed,
            size,
            disk,
            external,
            offset,
            name,
            extra,
        })
    }

    fn entry(&self, limits: &Limits) -> Result<Entry, Fault> {
        let extra = Extra::parse(self.extra)?;
        let [size, packed, offset] = extra.widen([self.size, self.packed, self.offset])?;
        let utf8 = self.flags & UTF8 != 0;
        let name = name::decode(&Spelling {
            raw: self.name,
            utf8,
            host: self.host,
            unicode: extra.unicode,
        })?;
        let path = MemberPath::new(&name, limits)?;
        let slash = name.ends_with(b"/");
        let nature = Nature { host: self.host, external: self.external, slash, contents: size > 0 };
        let (kind, mode) = nature.resolve()?;
        self.supported()?;
        let method = self.method()?;
        plausible(method, packed, size, limits)?;
        let modified = extra.modified.unwrap_or_else(|| dos_time(self.date, self.time));
        let (raw, flags, crc) = (self.name.into(), self.flags, self.crc);
        Ok(Entry {
            path,
            raw,
            kind,
            mode,
            modified,
            method,
            flags,
            crc,
            packed,
            size,
            offset,
            next: offset,
        })
    }

    fn supported(&self) -> Result<(), Fault> {
        if self.flags & ENCRYPTED != 0 {
            return Err(Fault::Unsupported { what: "encryption".to_owned() });
        }
        if self.disk != 0 && self.disk != 0xffff {
            return Err(structure("an archive in one piece", "an entry on another disk"));
        }
        Ok(())
    }

    fn method(&self) -> Result<Method, Fault> {
        match self.method {
            0 => Ok(Method::Stored),
            8 => Ok(Method::Deflated),
            other => Err(Fault::Unsupported { what: format!("compression method {other}") }),
        }
    }
}

/// Sizes that cannot be true are found before anything is inflated.
fn plausible(method: Method, packed: u64, size: u64, limits: &Limits) -> Result<(), Fault> {
    if method == Method::Stored && packed != size {
        return Err(Fault::Size { found: packed, declared: size });
    }
    let allowed = packed.saturating_mul(limits.ratio).saturating_add(limits.ratio);
    if size > allowed {
        return Err(Fault::Limit {
            what: "bytes in it when unpacked, for its packed size",
            found: size,
            allowed,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: [u8; 22] = *b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    #[test]
    fn an_empty_archive_has_an_empty_directory() {
        let location = Location { offset: 0, length: 0, entries: 0 };
        assert_eq!(find(&EMPTY, 22).unwrap(), Found::Directory(location));
        assert!(parse(&[], location, &Limits::default()).unwrap().is_empty());
    }

    #[test]
    fn bytes_behind_the_end_record_or_before_it_are_refused() {
        assert!(find(&[&EMPTY[..], b"x"].concat(), 23).is_err());
        assert!(find(&[b"x", &EMPTY[..]].concat(), 23).is_err());
        assert!(find(b"not a zip", 9).is_err());
    }

    #[test]
    fn a_stored_entry_has_one_size_and_no_entry_inflates_beyond_deflate() {
        let limits = Limits::default();
        assert!(plausible(Method::Stored, 1, 2, &limits).is_err());
        assert!(plausible(Method::Deflated, 10, 10 * 1_032, &limits).is_ok());
        assert!(plausible(Method::Deflated, 10, 10_000_000, &limits).is_err());
    }
}
