//! One header block of a tar: its checksum, its fields, what kind of entry it begins. Pure.
//! Sources: pax(1), "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".

use crate::unpack::Fault;
use crate::unpack::error::quoted;

/// Bytes of one block. Headers are one block, contents are padded to whole ones.
pub(super) const BLOCK: usize = 512;

/// A block.
pub(super) type Block = [u8; BLOCK];

/// What an entry is, or what it says about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file.
    File,
    /// A regular file with holes, which follow in GNU's old way.
    Sparse,
    /// Another name of an earlier file.
    HardLink,
    /// A symbolic link.
    Link,
    /// A directory.
    Directory,
    /// A named pipe.
    Pipe,
    /// A character or block device.
    Device,
    /// PAX records for the next entry.
    Extended,
    /// PAX records for all following entries.
    Global,
    /// The name of the next entry, GNU's way.
    LongName,
    /// The link target of the next entry, GNU's way.
    LongLink,
}

/// A header whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a>(&'a Block);

impl<'a> Header<'a> {
    /// Checks the checksum, which some old tars made of signed bytes.
    pub(super) fn new(block: &'a Block) -> Result<Self, Fault> {
        let declared = number(&block[148..156]);
        let byte = |at: usize| if (148..156).contains(&at) { b' ' } else { block[at] };
        let unsigned: i64 = (0..BLOCK).map(|at| i64::from(byte(at))).sum();
        let signed: i64 = (0..BLOCK).map(|at| i64::from(byte(at).cast_signed())).sum();
        if declared.is_some_and(|declared| declared == unsigned || declared == signed) {
            return Ok(Self(block));
        }
        let found = declared.map_or_else(|| "no number".to_owned(), |sum| format!("{sum:#o}"));
        let expected = "a tar header with the checksum of its bytes";
        Err(Fault::Structure { expected, found: format!("one whose checksum is {found}") })
    }

    /// What the header begins. `slash` says whether the name ends in one, which makes a directory of
    /// a file in tars from before there was a kind for it.
    pub(super) fn kind(self, slash: bool) -> Result<Kind, Fault> {
        Ok(match self.0[156] {
            0 if slash => Kind::Directory,
            0 | b'0' | b'7' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Link,
            b'3' | b'4' => Kind::Device,
            b'5' => Kind::Directory,
            b'6' => Kind::Pipe,
            b'x' => Kind::Extended,
            b'g' => Kind::Global,
            b'L' => Kind::LongName,
            b'K' => Kind::LongLink,
            b'S' => Kind::Sparse,
            other => return Err(Fault::Foreign { what: format!("of type {}", quoted(&[other])) }),
        })
    }

    /// The name, with its first part where the format has one.
    pub(super) fn name(self) -> Vec<u8> {
        let (name, prefix) = (text(&self.0[..100]), text(&self.0[345..500]));
        if &self.0[257..263] != b"ustar\0" || prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    /// The target of a link.
    pub(super) fn link(self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    /// Bytes that follow.
    pub(super) fn size(self) -> Result<u64, Fault> {
        self.field("size", 124..136)
    }

    /// Permissions.
    pub(super) fn mode(self) -> Result<u32, Fault> {
        let mode: u64 = self.field("mode", 100..108)?;
        Ok(u32::try_from(mode & 0o7777).unwrap_or_default())
    }

    /// Number of the user that owns it.
    pub(super) fn user(self) -> Result<u32, Fault> {
        self.field("uid", 108..116)
    }

    /// Number of the group that owns it.
    pub(super) fn group(self) -> Result<u32, Fault> {
        self.field("gid", 116..124)
    }

    /// Seconds since the epoch.
    pub(super) fn modified(self) -> Result<i64, Fault> {
        self.field("mtime", 136..148)
    }

    fn field<T: TryFrom<i64>>(
        self,
        name: &'static str,
        range: std::ops::Range<usize>,
    ) -> Result<T, Fault> {
        let bytes = &self.0[range];
        let value = number(bytes).and_then(|value| T::try_from(value).ok());
        value.ok_or_else(|| Fault::Structure {
            expected: "a number in each field of its header",
            found: format!("{} in {name}", quoted(bytes)),
        })
    }
}

/// A field up to its NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A numeric field: octal digits, or GNU's base-256 where the first bit is set. Blank is 0.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    if field.first().is_some_and(|byte| byte & 0x80 != 0) { binary(field) } else { octal(field) }
}

/// Two's complement; the first bit of all is the mark, the second one the sign.
fn binary(field: &[u8]) -> Option<i64> {
    let negative = field[0] & 0x40 != 0;
    let first = if negative { field[0] } else { field[0] & 0x7f };
    let bytes = std::iter::once(first).chain(field[1..].iter().copied());
    bytes.into_iter().try_fold(if negative { -1 } else { 0 }, |value: i64, byte| {
        value.checked_mul(256)?.checked_add(i64::from(byte))
    })
}

fn octal(field: &[u8]) -> Option<i64> {
    let spaces = field.iter().take_while(|byte| **byte == b' ').count();
    let field = &field[spaces..];
    let digits = field.iter().take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let (digits, rest) = field.split_at(digits);
    let blank = rest.iter().all(|byte| matches!(byte, 0 | b' '));
    let value = |value: i64, digit: &u8| value.checked_mul(8)?.checked_add(i64::from(digit - b'0'));
    blank.then(|| digits.iter().try_fold(0, value)).flatten()
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Header, Kind, number};
    use crate::layers::tar::header;

    #[test]
    fn numbers_are_octal_or_base_256() {
        let cases: [(&[u8], Option<i64>); 12] = [
            (b"0000644\0", Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"77777777", Some(0o77_777_777)),
            (b"\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"644x\0", None),
            (b"\x00644", None),
            (b"-1\0\0", None),
            (b"0x10\0", None),
            (b"\x80\0\0\0\0\0\0\0\0\0\x01\0", Some(256)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
        ];
        for (field, value) in cases {
            assert_eq!(number(field), value, "{field:?}");
        }
    }

    #[test]
    fn a_header_is_what_its_checksum_says() {
        let good = header("a/b", b'0', 5);
        let read = Header::new(&good).unwrap();
        assert_eq!((read.name(), read.size().unwrap()), (b"a/b".to_vec(), 5));
        assert_eq!((read.kind(false).unwrap(), read.mode().unwrap()), (Kind::File, 0o644));
        for at in 0..BLOCK {
            let mut bad = good;
            bad[at] ^= 1;
            assert!(Header::new(&bad).is_err(), "{at}");
        }
    }

    #[test]
    fn only_old_tars_have_directories_without_their_kind() {
        assert_eq!(Header(&header("a/", 0, 0)).kind(true).unwrap(), Kind::Directory);
        assert_eq!(Header(&header("a/", b'0', 0)).kind(true).unwrap(), Kind::File);
        for kind in *b"VMDNAX89" {
            assert!(Header(&header("a", kind, 0)).kind(false).is_err());
        }
    }
}
