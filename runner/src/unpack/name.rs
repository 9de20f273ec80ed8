//! The spelling of entry names: which bytes of a header become which bytes of a file name. Pure.
//! Sources: APPNOTE 4.4.4 (bit 11), appendix D (CP437, Unicode path extra field 0x7075), 4.4.17.

use std::borrow::Cow;

use super::{bytes::Fields, error::Fault};

/// Hosts (APPNOTE 4.4.2) on which a backslash separates directories: FAT, HPFS, NTFS (both numbers
/// that are in use), VFAT.
const BACKSLASH_HOSTS: [u8; 5] = [0, 6, 10, 11, 14];

/// What a header says about an entry's name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelling<'a> {
    /// The name's bytes as they are in the header.
    pub(super) raw: &'a [u8],
    /// Flag bit 11: they are UTF-8.
    pub(super) utf8: bool,
    /// The upper byte of "version made by".
    pub(super) host: u8,
    /// The contents of the Unicode path extra field.
    pub(super) unicode: Option<&'a [u8]>,
}

/// The name for the file system, slashes between directories.
pub(super) fn decode<'a>(spelling: &Spelling<'a>) -> Result<Cow<'a, [u8]>, Fault> {
    let name = match overriding(spelling)? {
        Some(name) => Cow::Borrowed(name),
        None => plain(spelling)?,
    };
    let backslashes = BACKSLASH_HOSTS.contains(&spelling.host) && name.contains(&b'\\');
    Ok(if backslashes { Cow::Owned(slashed(&name)) } else { name })
}

/// The header's own name: UTF-8 where it says so or happens to be (macOS does not set bit 11),
/// else the IBM PC character set.
fn plain<'a>(spelling: &Spelling<'a>) -> Result<Cow<'a, [u8]>, Fault> {
    match (std::str::from_utf8(spelling.raw), spelling.utf8) {
        (Ok(_), _) => Ok(Cow::Borrowed(spelling.raw)),
        (Err(_), true) => Err(Fault::Name { rule: "is marked as UTF-8 and is not" }),
        (Err(_), false) => Ok(Cow::Owned(from_cp437(spelling.raw))),
    }
}

/// The name of the Unicode path extra field, if it counts: it belongs to these very bytes (its
/// CRC-32 says so) and differs from them. A name that could have been said in the header is a way
/// to show two readers two names.
fn overriding<'a>(spelling: &Spelling<'a>) -> Result<Option<&'a [u8]>, Fault> {
    let Some((1, crc, name)) = spelling.unicode.and_then(unicode_path) else { return Ok(None) };
    if crc != crc32fast::hash(spelling.raw) || name == spelling.raw {
        return Ok(None);
    }
    if spelling.utf8 || name.is_ascii() {
        return Err(Fault::Name { rule: "is another one in its Unicode path field" });
    }
    match std::str::from_utf8(name) {
        Ok(_) => Ok(Some(name)),
        Err(_) => Err(Fault::Name { rule: "has a Unicode path field that is not UTF-8" }),
    }
}

/// Version, CRC-32 of the header's name, name.
fn unicode_path(field: &[u8]) -> Option<(u8, u32, &[u8])> {
    let (version, rest) = field.split_first()?;
    let mut fields = Fields::new(rest);
    Some((*version, fields.u32()?, fields.rest()))
}

fn slashed(name: &[u8]) -> Vec<u8> {
    name.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
}

/// The upper half of code page 437.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

fn from_cp437(raw: &[u8]) -> Vec<u8> {
    let upper: Vec<char> = CP437.chars().collect();
    let decode = |byte: &u8| match byte.checked_sub(128) {
        Some(high) => upper[usize::from(high)],
        None => char::from(*byte),
    };
    raw.iter().map(decode).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{CP437, Spelling, decode};
    use crate::unpack::error::Fault;

    const UNIX: u8 = 3;

    fn unicode(original: &[u8], name: &str) -> Vec<u8> {
        let crc = crc32fast::hash(original).to_le_bytes();
        [&[1], &crc[..], name.as_bytes()].concat()
    }

    fn spelled(raw: &[u8], utf8: bool, host: u8, field: Option<&[u8]>) -> Result<Vec<u8>, Fault> {
        decode(&Spelling { raw, utf8, host, unicode: field }).map(std::borrow::Cow::into_owned)
    }

    #[test]
    fn the_code_page_is_complete() {
        assert_eq!(CP437.chars().count(), 128);
    }

    #[test]
    fn utf8_is_kept_with_and_without_its_mark() {
        for utf8 in [true, false] {
            assert_eq!(spelled("世界".as_bytes(), utf8, UNIX, None).unwrap(), "世界".as_bytes());
        }
        assert!(spelled(b"\xff", true, UNIX, None).is_err());
    }

    #[test]
    fn other_bytes_are_code_page_437() {
        assert_eq!(spelled(b"caf\x82", false, 0, None).unwrap(), "café".as_bytes());
    }

    #[test]
    fn backslashes_separate_where_the_host_had_them() {
        assert_eq!(spelled(br"a\b", false, 0, None).unwrap(), b"a/b");
        assert_eq!(spelled(br"a\b", false, UNIX, None).unwrap(), br"a\b");
    }

    #[test]
    fn the_unicode_path_counts_if_it_belongs_to_the_name() {
        let field = unicode(b"#U4e16", "世");
        assert_eq!(spelled(b"#U4e16", false, UNIX, Some(&field)).unwrap(), "世".as_bytes());
        assert_eq!(spelled(b"other", false, UNIX, Some(&field)).unwrap(), b"other");
        assert_eq!(spelled(b"#U4e16", false, UNIX, Some(&field[..4])).unwrap(), b"#U4e16");
    }

    #[test]
    fn one_entry_has_one_name() {
        let ascii = unicode(b"a", "b");
        assert!(spelled(b"a", false, UNIX, Some(&ascii)).is_err());
        let contradiction = unicode(b"a", "世");
        assert!(spelled(b"a", true, UNIX, Some(&contradiction)).is_err());
    }
}
