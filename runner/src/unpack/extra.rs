//! Extra fields of headers: 64-bit sizes, times, names. Pure. Source: APPNOTE 4.5.

use super::{bytes::Fields, error::Fault};

/// A 32-bit size or offset that says "see the zip64 field" (APPNOTE 4.4.8).
pub(super) const SATURATED: u32 = u32::MAX;

const ZIP64: u16 = 0x0001;
const TIMES: u16 = 0x5455;
const UNICODE_PATH: u16 = 0x7075;

/// The extra fields that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extra<'a> {
    /// Sizes and offset, for those that the header does not hold.
    pub(super) zip64: Option<&'a [u8]>,
    /// Seconds since the epoch of the last modification.
    pub(super) modified: Option<i64>,
    /// The Unicode path field.
    pub(super) unicode: Option<&'a [u8]>,
}

impl<'a> Extra<'a> {
    /// Takes the fields apart. Up to three bytes at the end are padding, as aligning tools write.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut extra = Self::default();
        let mut fields = Fields::new(bytes);
        while fields.rest().len() >= 4 {
            let (kind, contents) = field(&mut fields).ok_or_else(overrun)?;
            match kind {
                ZIP64 => once(&mut extra.zip64, contents)?,
                UNICODE_PATH => once(&mut extra.unicode, contents)?,
                TIMES => extra.modified = extra.modified.or_else(|| modified(contents)),
                _ => {}
            }
        }
        Ok(extra)
    }

    /// Replaces saturated `values` by those of the zip64 field, which holds them in this order.
    pub(super) fn widen<const N: usize>(&self, values: [u32; N]) -> Result<[u64; N], Fault> {
        let mut wide = Fields::new(self.zip64.unwrap_or_default());
        let mut result = [0; N];
        for (to, from) in result.iter_mut().zip(values) {
            *to = match from {
                SATURATED => wide.u64().ok_or_else(short)?,
                value => u64::from(value),
            };
        }
        Ok(result)
    }
}

fn field<'a>(fields: &mut Fields<'a>) -> Option<(u16, &'a [u8])> {
    let kind = fields.u16()?;
    let length = fields.u16()?;
    Some((kind, fields.take(usize::from(length))?))
}

/// A field that decides something must not be there twice: readers differ in which one they take.
fn once<'a>(slot: &mut Option<&'a [u8]>, contents: &'a [u8]) -> Result<(), Fault> {
    match slot.replace(contents) {
        None => Ok(()),
        Some(_) => Err(structure("each extra field once", "one of them twice")),
    }
}

/// Flags, then the times that they announce; the first is that of modification.
fn modified(contents: &[u8]) -> Option<i64> {
    let (flags, rest) = contents.split_first()?;
    let seconds = Fields::new(rest).u32()?.cast_signed();
    (flags & 1 == 1).then_some(i64::from(seconds))
}

fn overrun() -> Fault {
    structure("extra fields within their space", "one that is longer")
}

fn short() -> Fault {
    structure("a zip64 field with every size that is not in the header", "one that is too short")
}

fn structure(expected: &'static str, found: &str) -> Fault {
    Fault::Structure { expected, found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Extra, SATURATED};
    use crate::unpack::error::Fault;

    fn field(kind: u16, contents: &[u8]) -> Vec<u8> {
        let length = u16::try_from(contents.len()).unwrap();
        [&kind.to_le_bytes(), &length.to_le_bytes(), contents].concat()
    }

    #[test]
    fn known_fields_are_found_among_others() {
        let bytes = [field(0xcafe, b""), field(0x5455, &[1, 0, 0, 0, 0x80]), field(0x7075, b"x")];
        let bytes = bytes.concat();
        let extra = Extra::parse(&bytes).unwrap();
        assert_eq!(extra.modified, Some(i64::from(i32::MIN)));
        assert_eq!(extra.unicode, Some(&b"x"[..]));
        assert_eq!(extra.zip64, None);
    }

    #[test]
    fn damaged_times_are_no_times() {
        for contents in [&b""[..], &[1], &[1, 2, 3], &[2, 0, 0, 0, 0]] {
            assert_eq!(Extra::parse(&field(0x5455, contents)).unwrap().modified, None);
        }
    }

    #[test]
    fn padding_is_tolerated_and_overrun_is_not() {
        assert!(Extra::parse(&[0, 0, 0]).is_ok());
        assert!(Extra::parse(&[0; 8]).is_ok());
        assert!(Extra::parse(&[1, 0, 5, 0, 1]).is_err());
        assert!(Extra::parse(&[field(1, b""), field(1, b"")].concat()).is_err());
    }

    #[test]
    fn saturated_values_come_from_the_zip64_field_in_order() {
        let bytes = field(1, &[7_u64.to_le_bytes(), 9_u64.to_le_bytes()].concat());
        let extra = Extra::parse(&bytes).unwrap();
        assert_eq!(extra.widen([SATURATED, 5, SATURATED]).unwrap(), [7, 5, 9]);
        assert_eq!(extra.widen([1, 2, 3]).unwrap(), [1, 2, 3]);
        assert!(matches!(extra.widen([SATURATED; 3]), Err(Fault::Structure { .. })));
        assert!(Extra::default().widen([SATURATED]).is_err());
    }
}
