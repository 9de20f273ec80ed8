//! The central directory: bytes → entries. Pure. Source: APPNOTE 4.3.12.
//!
//! It alone knows modes and links, so it is what is believed; local headers must agree with it.

use super::{
    attributes::{Kind, Nature, dos_time},
    bytes::{Fields, index},
    end::End,
    error::{Fault, Refusal},
    extra::Extra,
    limits::Limits,
    name::{Spelling, decode},
    path::MemberPath,
};

const SIGNATURE: &[u8] = b"PK\x01\x02";

/// Flag bits 0, 6 and 13: encrypted contents, strongly encrypted contents, masked headers.
pub(super) const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const PATCHED: u16 = 1 << 5;
const UTF8: u16 = 1 << 11;

/// The longest symbolic link target in bytes (`PATH_MAX` without the NUL).
const LONGEST_TARGET: u64 = 4_095;

/// How the contents are packed (APPNOTE 4.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// As they are.
    Stored,
    /// Deflated.
    Deflate,
}

impl Method {
    /// The number in headers.
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflate => 8,
        }
    }
}

/// One entry, as the central directory has it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Where it goes.
    pub(super) path: MemberPath,
    /// What it becomes.
    pub(super) kind: Kind,
    /// Its permissions.
    pub(super) mode: u32,
    /// Seconds since the epoch of its last modification.
    pub(super) modified: i64,
    /// How it is packed.
    pub(super) method: Method,
    /// The CRC-32 of its contents.
    pub(super) crc: u32,
    /// Bytes in the archive.
    pub(super) packed: u64,
    /// Bytes of contents.
    pub(super) size: u64,
    /// Where its local header begins.
    pub(super) offset: u64,
    /// Where its name is within the central directory.
    name_at: usize,
    /// How long that name is.
    name_length: u16,
}

impl Entry {
    /// Its name as it is in `directory`, the bytes that it was read from.
    pub(super) fn name<'a>(&self, directory: &'a [u8]) -> &'a [u8] {
        &directory[self.name_at..][..usize::from(self.name_length)]
    }

    /// The fewest bytes that its local header, name and data take.
    pub(super) fn least_extent(&self) -> u64 {
        (30 + u64::from(self.name_length)).saturating_add(self.packed)
    }
}

/// Reads the whole directory, which is nothing but entries and as many as `end` says.
pub(super) fn parse(bytes: &[u8], end: &End, limits: &Limits) -> Result<Vec<Entry>, Refusal> {
    let mut fields = Fields::new(bytes);
    let mut entries = Vec::new();
    while !fields.rest().is_empty() {
        let header = Header::read(&mut fields).ok_or_else(|| broken(entries.len()))?;
        let name_at = bytes.len() - header.tail;
        let entry = header.entry(name_at, limits);
        entries.push(entry.map_err(|fault| Refusal::of(header.name, fault))?);
        let (found, allowed) = (entries.len() as u64, limits.entries);
        if found > allowed {
            return Err(Fault::Limit { what: "entries", found, allowed }.into());
        }
    }
    let count = entries.len() as u64;
    if end.counts(count) { Ok(entries) } else { Err(end.miscounted(count).into()) }
}

fn broken(entries: usize) -> Refusal {
    let found = format!("something else after {entries} entries");
    Fault::Structure { expected: "a central directory of nothing but entries", found }.into()
}

/// One record of the directory, not interpreted yet.
#[derive(Debug)]
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
    /// How many bytes of the directory there are from the name on.
    tail: usize,
}

impl<'a> Header<'a> {
    fn read(fields: &mut Fields<'a>) -> Option<Self> {
        (fields.take(4)? == SIGNATURE).then_some(())?;
        let (made_by, _needed) = (fields.u16()?, fields.u16()?);
        let (flags, method) = (fields.u16()?, fields.u16()?);
        let (time, date) = (fields.u16()?, fields.u16()?);
        let (crc, packed, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name, extra, comment) = (fields.u16()?, fields.u16()?, fields.u16()?);
        let (disk, _internal) = (fields.u16()?, fields.u16()?);
        let (external, offset) = (fields.u32()?, fields.u32()?);
        let tail = fields.rest().len();
        let name = fields.take(usize::from(name))?;
        let extra = fields.take(usize::from(extra))?;
        fields.take(usize::from(comment))?;
        let [_, host] = made_by.to_le_bytes();
        let header = Self {
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
            tail,
        };
        Some(header)
    }

    fn entry(&self, name_at: usize, limits: &Limits) -> Result<Entry, Fault> {
        let method = self.method()?;
        let extra = Extra::parse(self.extra)?;
        let [size, packed, offset] = extra.widen([self.size, self.packed, self.offset])?;
        let utf8 = self.flags & UTF8 != 0;
        let spelling = Spelling { raw: self.name, utf8, host: self.host, unicode: extra.unicode };
        let name = decode(&spelling)?;
        let (slash, contents) = (name.ends_with(b"/"), size > 0);
        let nature = Nature { host: self.host, external: self.external, slash, contents };
        let (kind, mode) = nature.resolve()?;
        let entry = Entry {
            path: MemberPath::new(&name, limits)?,
            kind,
            mode,
            modified: extra.modified.unwrap_or_else(|| dos_time(self.date, self.time)),
            method,
            crc: self.crc,
            packed,
            size,
            offset,
            name_at,
            name_length: u16::try_from(self.name.len()).unwrap_or(u16::MAX),
        };
        plausible(&entry, limits).map(|()| entry)
    }

    fn method(&self) -> Result<Method, Fault> {
        let unsupported = |what: &str| Err(Fault::Unsupported { what: what.to_owned() });
        match (self.flags, self.method) {
            _ if self.disk != 0 => unsupported("an entry on another disk"),
            (flags, _) if flags & ENCRYPTED != 0 => unsupported("encryption"),
            (flags, _) if flags & PATCHED != 0 => unsupported("compressed patched data"),
            (_, 0) => Ok(Method::Stored),
            (_, 8) => Ok(Method::Deflate),
            (_, code) => unsupported(&format!("compression method {code}{}", method_name(code))),
        }
    }
}

/// Sizes that can be true together, without having seen a byte of the contents.
fn plausible(entry: &Entry, limits: &Limits) -> Result<(), Fault> {
    let Entry { kind, method, packed, size, .. } = *entry;
    match method {
        Method::Stored if size != packed => Err(Fault::Size { found: packed, declared: size }),
        Method::Deflate if size > packed.saturating_mul(limits.ratio) => {
            let what = "times that its contents are larger than their packed form";
            Err(Fault::Limit { what, found: size / packed.max(1), allowed: limits.ratio })
        }
        _ if kind == Kind::Link && size == 0 => Err(Fault::Link { rule: "is empty" }),
        _ if kind == Kind::Link && size > LONGEST_TARGET => {
            let what = "bytes in its link target";
            Err(Fault::Limit { what, found: size, allowed: LONGEST_TARGET })
        }
        _ => Ok(()),
    }
}

/// The name of a compression method (APPNOTE 4.4.5), for messages.
const fn method_name(code: u16) -> &'static str {
    match code {
        1 => " (shrink)",
        2..=5 => " (reduce)",
        6 => " (implode)",
        9 => " (deflate64)",
        12 => " (bzip2)",
        14 => " (lzma)",
        20 | 93 => " (zstd)",
        95 => " (xz)",
        98 => " (ppmd)",
        _ => "",
    }
}

/// Checks that no two of `entries`, sorted by offset, share bytes, and that all end before the
/// directory does begin. Returns the end of the space that each one has.
pub(super) fn extents(entries: &[&Entry], bytes: &[u8], start: u64) -> Result<Vec<u64>, Refusal> {
    let nexts = entries.iter().skip(1).map(|next| next.offset).chain([start]);
    let mut ends = Vec::with_capacity(entries.len());
    for (entry, end) in entries.iter().zip(nexts) {
        if entry.offset.checked_add(entry.least_extent()).is_none_or(|least| least > end) {
            let other = if end == start { "the central directory" } else { "the next entry" };
            let fault = Fault::Overlap { other: other.to_owned() };
            return Err(Refusal::of(entry.name(bytes), fault));
        }
        ends.push(end);
    }
    Ok(ends)
}

/// The bytes of the directory that `end` announces, if they may be held in memory.
pub(super) fn room(end: &End, limits: &Limits) -> Result<Vec<u8>, Fault> {
    let (found, allowed) = (end.length, limits.directory_bytes);
    if found > allowed {
        return Err(Fault::Limit { what: "bytes in the central directory", found, allowed });
    }
    Ok(vec![0; index(found)])
}

#[cfg(test)]
mod tests {
    use super::{Entry, Method, extents, parse};
    use crate::unpack::attributes::Kind;
    use crate::unpack::end::End;
    use crate::unpack::error::{Fault, Refusal};
    use crate::unpack::limits::Limits;
    use crate::unpack::zip::{Member, extra, file, link, zip};

    /// The directory of a package, and what it says.
    fn read(members: &[Member]) -> (Vec<u8>, Result<Vec<Entry>, Refusal>) {
        let package = zip(members);
        let end = End::find(&package, package.len() as u64).unwrap();
        let [start, length] = [end.start, end.length].map(|at| usize::try_from(at).unwrap());
        let bytes = package[start..][..length].to_vec();
        let entries = parse(&bytes, &end, &Limits::default());
        (bytes, entries)
    }

    fn fault(member: Member) -> Fault {
        read(&[member]).1.unwrap_err().fault
    }

    #[test]
    fn an_entry_is_all_that_its_header_says() {
        let members = [file("a/b", "xyz").deflated(), link("l", "a")];
        let (bytes, entries) = read(&members);
        let [first, second] = &entries.unwrap()[..] else { panic!() };
        assert_eq!(first.path.as_bytes(), b"a/b");
        assert_eq!(first.name(&bytes), b"a/b");
        assert_eq!((first.kind, first.mode, first.method), (Kind::File, 0o644, Method::Deflate));
        assert_eq!((first.size, first.crc), (3, crc32fast::hash(b"xyz")));
        assert_eq!((first.offset, first.modified), (0, 1_735_689_600));
        assert_eq!((second.kind, second.offset), (Kind::Link, first.least_extent()));
    }

    #[test]
    fn large_sizes_come_from_the_zip64_field() {
        let wide = extra(1, &[7_u64.to_le_bytes(), 7_u64.to_le_bytes()].concat());
        let large = file("a", "").both(|facts| {
            (facts.size, facts.packed) = (u32::MAX, u32::MAX);
            facts.extra.clone_from(&wide);
        });
        let entry = &read(std::slice::from_ref(&large)).1.unwrap()[0];
        assert_eq!((entry.size, entry.packed), (7, 7));
        let short = large.both(|facts| facts.extra.truncate(4));
        assert!(matches!(fault(short), Fault::Structure { .. }));
    }

    #[test]
    fn what_cannot_be_true_is_refused_unseen() {
        let stored = file("a", "123").both(|facts| facts.size = 4);
        assert_eq!(fault(stored), Fault::Size { found: 3, declared: 4 });
        let bomb = file("a", "").deflated().both(|facts| facts.size = 2065);
        assert!(matches!(fault(bomb), Fault::Limit { allowed: 1_032, .. }));
        for flags in [1, 1 << 5, 1 << 6, 1 << 13] {
            let coded = file("a", "1").both(|facts| facts.flags = flags);
            assert!(matches!(fault(coded), Fault::Unsupported { .. }));
        }
    }

    #[test]
    fn the_refusal_names_the_entry() {
        let (_, entries) = read(&[file("good", "1"), file("../bad", "1")]);
        assert_eq!(entries.unwrap_err().entry.as_deref(), Some(r#""../bad""#));
    }

    #[test]
    fn the_directory_is_entries_and_nothing_else() {
        let package = zip(&[file("a", "1"), file("b", "2")]);
        let end = End::find(&package, package.len() as u64).unwrap();
        let bytes = read(&[file("a", "1"), file("b", "2")]).0;
        for wrong in [&bytes[..bytes.len() - 1], &bytes[..bytes.len() / 2], &bytes[1..]] {
            assert!(parse(wrong, &end, &Limits::default()).is_err());
        }
        assert!(parse(&[&bytes[..], &bytes[..]].concat(), &end, &Limits::default()).is_err());
    }

    #[test]
    fn every_entry_ends_before_the_next_one() {
        let (bytes, entries) = read(&[file("a", "123"), file("b", "")]);
        let entries = entries.unwrap();
        let [first, second] = &entries[..] else { panic!() };
        assert_eq!(extents(&[first, second], &bytes, 65).unwrap(), [34, 65]);
        assert!(extents(&[first, second], &bytes, 64).is_err());
        assert!(extents(&[first, first], &bytes, 65).is_err());
        let far = Entry { offset: u64::MAX, ..first.clone() };
        assert!(extents(&[first, &far], &bytes, u64::MAX).is_err());
    }
}
