//! What stands before and behind an entry's data, held against the central directory: headers that
//! contradict each other show different contents to different readers. Pure.
//! Source: APPNOTE 4.3.7 (local header), 4.3.9 (data descriptor).

use std::ops::Range;

use super::bytes::Fields;
use super::directory::{ENCRYPTED, Entry};
use super::error::{Fault, quoted};
use super::extra::{Extra, SATURATED};

/// A local header without its name and extra field, in bytes.
const FIXED: usize = 30;
/// The longest local header, in bytes.
pub(super) const LONGEST: usize = FIXED + 2 * 65_535;
/// As many bytes behind the data as have to be looked at: the longest descriptor and a signature.
pub(super) const BEHIND: u64 = 28;

const SIGNATURE: &[u8] = b"PK\x03\x04";
const DESCRIPTOR_SIGNATURE: &[u8] = b"PK\x07\x08";
/// Flag bit 3: sizes and CRC-32 follow the data.
const DEFERRED: u16 = 1 << 3;

/// A local header that agrees with the central directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Local {
    /// Where the data are, in bytes from the start of the archive.
    pub(super) data: Range<u64>,
    /// Whether it left something open that a data descriptor has to say.
    pub(super) deferred: bool,
}

/// Reads the header at the start of `bytes` and compares it with `entry`, whose name in the central
/// directory is `name`. `bytes` holds at least the header, if it is a valid one; `end` is where the
/// next entry begins.
pub(super) fn check(bytes: &[u8], entry: &Entry, name: &[u8], end: u64) -> Result<Local, Fault> {
    let header = Header::read(bytes).ok_or_else(|| Fault::Structure {
        expected: "a local header before its data",
        found: "something else".to_owned(),
    })?;
    if header.name != name {
        let expected = "its name in the local header as well";
        return Err(Fault::Structure { expected, found: quoted(header.name) });
    }
    same("compression method", header.method.into(), entry.method.code().into())?;
    same("encryption flags", (header.flags & ENCRYPTED).into(), 0)?;
    let deferred = header.facts(entry)?;
    let length = FIXED + header.name.len() + header.extra.len();
    let start = entry.offset + length as u64;
    match start.checked_add(entry.packed) {
        Some(stop) if stop <= end => Ok(Local { data: start..stop, deferred }),
        _ => Err(Fault::Overlap { other: "what follows it".to_owned() }),
    }
}

struct Header<'a> {
    flags: u16,
    method: u16,
    crc: u32,
    packed: u32,
    size: u32,
    name: &'a [u8],
    extra: &'a [u8],
}

impl<'a> Header<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes.strip_prefix(SIGNATURE)?);
        let _needed = fields.u16()?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        let _time = fields.u32()?;
        let (crc, packed, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name, extra) = (fields.u16()?, fields.u16()?);
        let (name, extra) = (fields.take(name.into())?, fields.take(extra.into())?);
        Some(Self { flags, method, crc, packed, size, name, extra })
    }

    /// Compares CRC-32 and sizes. With bit 3 each may be zero, to be said behind the data; some tools
    /// set the bit and say everything here all the same.
    fn facts(&self, entry: &Entry) -> Result<bool, Fault> {
        let [size, packed] = self.sizes()?;
        let facts = [
            ("CRC-32", u64::from(self.crc), u64::from(entry.crc)),
            ("compressed size", packed, entry.packed),
            ("size", size, entry.size),
        ];
        let deferrable = self.flags & DEFERRED != 0;
        let mut deferred = false;
        for (field, local, central) in facts {
            if local != central {
                if !deferrable || local != 0 {
                    return Err(Fault::Disagreement { field, local, central });
                }
                deferred = true;
            }
        }
        Ok(deferred)
    }

    fn sizes(&self) -> Result<[u64; 2], Fault> {
        if self.size != SATURATED && self.packed != SATURATED {
            return Ok([self.size.into(), self.packed.into()]);
        }
        Extra::parse(self.extra)?.widen([self.size, self.packed])
    }
}

fn same(field: &'static str, local: u64, central: u64) -> Result<(), Fault> {
    if local == central { Ok(()) } else { Err(Fault::Disagreement { field, local, central }) }
}

/// Checks the start of what lies between the data and the next entry (or the central directory):
/// the descriptor that was announced, and no entry that the central directory does not have. Other
/// bytes are nobody's: tools leave gaps where they replace or align entries.
pub(super) fn check_behind(gap: &[u8], entry: &Entry, deferred: bool) -> Result<(), Fault> {
    let descriptor = descriptor(gap, entry);
    if deferred && descriptor.is_none() {
        return Err(Fault::Structure {
            expected: "a data descriptor that says what the central directory says",
            found: "something else".to_owned(),
        });
    }
    let rest = gap.get(descriptor.unwrap_or(0)..).unwrap_or_default();
    if gap.starts_with(SIGNATURE) || rest.starts_with(SIGNATURE) {
        return Err(Fault::Structure {
            expected: "no entries but those of the central directory",
            found: "another one behind it".to_owned(),
        });
    }
    Ok(())
}

/// The length of the descriptor at the start of `gap`, if there is a true one in one of its four
/// shapes: with or without signature, sizes of 32 or 64 bits.
fn descriptor(gap: &[u8], entry: &Entry) -> Option<usize> {
    let signature =
        if gap.starts_with(DESCRIPTOR_SIGNATURE) { DESCRIPTOR_SIGNATURE.len() } else { 0 };
    [signature, 0].into_iter().find_map(|start| {
        let mut fields = Fields::new(gap.get(start..)?);
        (fields.u32()? == entry.crc).then_some(())?;
        let (mut narrow, mut wide) = (fields, fields);
        let facts = [entry.packed, entry.size];
        if [wide.u64(), wide.u64()] == facts.map(Some) {
            return Some(start + 20);
        }
        let sizes = [narrow.u32().map(u64::from), narrow.u32().map(u64::from)];
        (sizes == facts.map(Some)).then_some(start + 12)
    })
}
