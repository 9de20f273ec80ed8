//! The header before an entry's data, held against the central directory: two headers that say
//! different things are a way to show two readers two contents. Pure. Source: APPNOTE 4.3.7.

use super::bytes::Fields;
use super::directory::{ENCRYPTED, Entry, UTF8};
use super::error::Fault;
use super::extra::{Extra, SATURATED};

const DATA_DESCRIPTOR: u16 = 1 << 3;
/// Flags that decide what an entry is: encryption, and the spelling of its name.
const DECIDING: u16 = ENCRYPTED | UTF8;

/// Lengths of name and extra field, from a header's fixed part.
pub(super) fn lengths(fixed: &[u8]) -> Option<(u16, u16)> {
    let mut fields = Fields::new(fixed.strip_prefix(b"PK\x03\x04")?);
    fields.take(22)?;
    Some((fields.u16()?, fields.u16()?))
}

/// Checks a whole header: the fixed part, and name and extra field behind it.
pub(super) fn check(entry: &Entry, fixed: &[u8], name: &[u8], extra: &[u8]) -> Result<(), Fault> {
    let short =
        || Fault::Structure { expected: "a local header", found: "something else".to_owned() };
    let mut fields = Fields::new(fixed);
    fields.take(6).ok_or_else(short)?;
    let (flags, method) = (fields.u16().ok_or_else(short)?, fields.u16().ok_or_else(short)?);
    fields.take(4).ok_or_else(short)?;
    let crc = fields.u32().ok_or_else(short)?;
    let (packed, size) = (fields.u32().ok_or_else(short)?, fields.u32().ok_or_else(short)?);
    if name != &*entry.raw {
        return Err(Fault::Name { rule: "is another one in the local header" });
    }
    agree("method", method.into(), entry.method as u64 * 8)?;
    agree("flags", (flags & DECIDING).into(), (entry.flags & DECIDING).into())?;
    let extra = Extra::parse(extra)?;
    let [size, packed] = match (size, packed, extra.zip64) {
        (SATURATED, _, Some(_)) | (_, SATURATED, Some(_)) => extra.widen([size, packed])?,
        _ => [size.into(), packed.into()],
    };
    // With a data descriptor the header comes before the facts are known and may hold zeros.
    let later = flags & DATA_DESCRIPTOR != 0;
    let fact = |field, local: u64, central: u64| {
        if later && local == 0 { Ok(()) } else { agree(field, local, central) }
    };
    fact("CRC-32", crc.into(), entry.crc.into())?;
    fact("packed size", packed, entry.packed)?;
    fact("size", size, entry.size)
}

/// What may stand between an entry's data and whatever is next: nothing, or a data descriptor with or
/// without signature, with 32-bit or 64-bit sizes (APPNOTE 4.3.9).
const DESCRIPTORS: [usize; 5] = [0, 12, 16, 20, 24];
/// As much of a gap as has to be looked at.
pub(super) const GAP: u64 = 28;

/// Refuses a local header in the gap behind an entry: an entry that the central directory does not
/// have. Padding is nobody's entry.
pub(super) fn gap(bytes: &[u8]) -> Result<(), Fault> {
    let hidden =
        |start: &usize| bytes.get(*start..).is_some_and(|rest| rest.starts_with(b"PK\x03\x04"));
    match DESCRIPTORS.iter().find(|start| hidden(start)) {
        None => Ok(()),
        Some(_) => Err(Fault::Structure {
            expected: "no more entries than the central directory has",
            found: "another one behind this".to_owned(),
        }),
    }
}

fn agree(field: &'static str, local: u64, central: u64) -> Result<(), Fault> {
    if local == central { Ok(()) } else { Err(Fault::Disagreement { field, local, central }) }
}
