//! PAX records: what they say about an entry that a header cannot say. Pure. Strict, because two
//! readers that understand them differently see two different archives.
//! Source: pax(1), "pax Extended Header"; GNU tar manual, "Storing Sparse Files".

use crate::unpack::Fault;
use crate::unpack::error::quoted;

/// Seconds since the epoch, and nanoseconds after them.
pub(super) type Time = (i64, u32);

/// A name of an extended attribute and its value.
pub(super) type Attribute = (Vec<u8>, Vec<u8>);

/// What the records of one entry say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) user: Option<u32>,
    pub(super) group: Option<u32>,
    pub(super) modified: Option<Time>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) sparse: Sparse,
}

/// What the records say about holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sparse {
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    pub(super) name: Option<Vec<u8>>,
    /// With holes.
    pub(super) size: Option<u64>,
    /// Offsets and lengths by turns, as version 0.0 and 0.1 list them.
    pub(super) map: Vec<u64>,
    /// How many pairs.
    pub(super) count: Option<u64>,
}

impl Extended {
    /// Reads the records of one entry.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let mut read = Self::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (key, value, behind) = record(rest)?;
            read.take(key, value)?;
            rest = behind;
        }
        Ok(read)
    }

    /// Reads records for all entries, which must not say where an entry is or ends.
    pub(super) fn global(bytes: &[u8]) -> Result<Self, Fault> {
        let read = Self::read(bytes)?;
        let Self { path, link, size, sparse, attributes, .. } = &read;
        let single = path.is_some() || link.is_some() || size.is_some() || !attributes.is_empty();
        if single || *sparse != Sparse::default() {
            let expected = "global PAX records without path, linkpath, size, attributes and sparse";
            return Err(Fault::Structure { expected, found: "one of them".to_owned() });
        }
        Ok(read)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        let sparse = &mut self.sparse;
        match key {
            b"path" => set(&mut self.path, key, text(key, value)?),
            b"linkpath" => set(&mut self.link, key, text(key, value)?),
            b"size" => set(&mut self.size, key, decimal(key, value)?),
            b"uid" => set(&mut self.user, key, decimal(key, value)?),
            b"gid" => set(&mut self.group, key, decimal(key, value)?),
            b"mtime" => set(&mut self.modified, key, time(key, value)?),
            b"hdrcharset" => charset(value),
            b"GNU.sparse.major" => set(&mut sparse.major, key, decimal(key, value)?),
            b"GNU.sparse.minor" => set(&mut sparse.minor, key, decimal(key, value)?),
            b"GNU.sparse.name" => set(&mut sparse.name, key, text(key, value)?),
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => {
                set(&mut sparse.size, key, decimal(key, value)?)
            }
            b"GNU.sparse.numblocks" => set(&mut sparse.count, key, decimal(key, value)?),
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                let offset = key == b"GNU.sparse.offset";
                sparse.turn(offset, decimal(key, value)?)
            }
            b"GNU.sparse.map" => sparse.list(key, value),
            _ => self.attribute(key, value),
        }
    }

    /// Extended attributes; whatever else there is (access times, names of users) does not matter.
    fn attribute(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            if self.attributes.iter().any(|(known, _)| known == name) {
                return Err(wrong("each record once", key));
            }
            self.attributes.push((name.to_vec(), value.to_vec()));
        }
        Ok(())
    }
}

impl Sparse {
    /// One number of version 0.0.
    fn turn(&mut self, offset: bool, value: u64) -> Result<(), Fault> {
        if offset != self.map.len().is_multiple_of(2) {
            return Err(wrong("offsets and lengths of a sparse file by turns", b"two of one kind"));
        }
        self.map.push(value);
        Ok(())
    }

    /// All numbers of version 0.1.
    fn list(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        if !self.map.is_empty() {
            return Err(wrong("each record once", key));
        }
        self.map = value
            .split(|byte| *byte == b',')
            .map(|part| decimal(key, part))
            .collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// Key, value, and what follows them.
type Record<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// Key and value of the first record, and what follows it. The length counts itself and the newline.
fn record(bytes: &[u8]) -> Result<Record<'_>, Fault> {
    let bad = || wrong("PAX records of the form 'length key=value'", &bytes[..bytes.len().min(40)]);
    let digits = bytes.iter().position(|byte| *byte == b' ').ok_or_else(bad)?;
    let plain = bytes[0] != b'0' && bytes[..digits].iter().all(u8::is_ascii_digit);
    let length = std::str::from_utf8(&bytes[..digits]).ok().filter(|_| plain);
    let length: usize = length.and_then(|length| length.parse().ok()).ok_or_else(bad)?;
    let (record, behind) = bytes.split_at_checked(length).ok_or_else(bad)?;
    let record = record.get(digits + 1..).and_then(|record| record.strip_suffix(b"\n"));
    let record = record.ok_or_else(bad)?;
    let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
    let (key, value) = (&record[..equals], &record[equals + 1..]);
    let named = !key.is_empty() && !key.iter().any(|byte| matches!(byte, 0 | b'\n'));
    if named { Ok((key, value, behind)) } else { Err(bad()) }
}

/// The same thing may be said twice, two things may not.
fn set<T: PartialEq>(field: &mut Option<T>, key: &[u8], value: T) -> Result<(), Fault> {
    match field.replace(value) {
        Some(old) if field.as_ref() != Some(&old) => Err(wrong("each record once", key)),
        _ => Ok(()),
    }
}

fn text(key: &[u8], value: &[u8]) -> Result<Vec<u8>, Fault> {
    if value.is_empty() || value.contains(&0) {
        return Err(wrong("a path, without NUL, in a PAX record", key));
    }
    Ok(value.to_vec())
}

fn decimal<T: std::str::FromStr>(key: &[u8], value: &[u8]) -> Result<T, Fault> {
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value);
    let number = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    number.ok_or_else(|| wrong("a decimal number in a PAX record", &[key, b"=", value].concat()))
}

/// Seconds with any number of decimals; what is below a nanosecond is cut off.
fn time(key: &[u8], value: &[u8]) -> Result<Time, Fault> {
    let (negative, digits) = match value {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut parts = digits.splitn(2, |byte| *byte == b'.');
    let seconds: i64 = decimal(key, parts.next().unwrap_or_default())?;
    let mut nanos = parts.next().unwrap_or_default().to_vec();
    let digits = nanos.iter().all(u8::is_ascii_digit);
    nanos.resize(9, b'0');
    let nanos = if digits { &nanos[..] } else { b"" };
    let nanos: u32 = decimal(key, nanos)?;
    Ok(match (negative, nanos) {
        (false, _) => (seconds, nanos),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanos),
    })
}

fn charset(value: &[u8]) -> Result<(), Fault> {
    match value {
        b"BINARY" | b"ISO-IR 10646 2000 UTF-8" => Ok(()),
        other => Err(wrong("names in UTF-8 or as they are", other)),
    }
}

fn wrong(expected: &'static str, found: &[u8]) -> Fault {
    Fault::Structure { expected, found: quoted(found) }
}

#[cfg(test)]
mod tests {
    use super::{Extended, time};
    use crate::layers::tar::pax;

    fn read(records: &[(&str, &str)]) -> Extended {
        Extended::read(&pax(records)).unwrap()
    }

    #[test]
    fn records_say_what_a_header_cannot() {
        let records = [("path", "a\nb=c"), ("size", "9"), ("uid", "7"), ("comment", "\0")];
        let read = read(&records);
        assert_eq!(read.path.unwrap(), b"a\nb=c");
        assert_eq!((read.size, read.user, read.group), (Some(9), Some(7), None));
    }

    #[test]
    fn a_record_that_is_not_one_is_refused() {
        let bad: [&[u8]; 12] = [
            b"6 a=b",
            b"7 a=b\n",
            b"06 a=b\n",
            b"6a=b\n\n",
            b"5 ab\n",
            b"5 =b\n",
            b"0 ",
            b" a=b\n",
            b"9999999999999999999999 a=b\n",
            b"3 \n",
            b"1 ",
            b"7 a\0=b\n",
        ];
        for bytes in bad {
            assert!(Extended::read(bytes).is_err(), "{bytes:?}");
        }
        for (key, value) in [
            ("size", ""),
            ("size", "-1"),
            ("size", "+1"),
            ("path", ""),
            ("path", "a\0b"),
            ("hdrcharset", "UTF-16"),
        ] {
            assert!(Extended::read(&pax(&[(key, value)])).is_err(), "{key}={value}");
        }
    }

    #[test]
    fn one_entry_has_one_path() {
        assert!(Extended::read(&pax(&[("path", "a"), ("path", "b")])).is_err());
        assert!(Extended::read(&pax(&[("path", "a"), ("path", "a")])).is_ok());
    }

    #[test]
    fn global_records_say_nothing_about_single_entries() {
        assert!(Extended::global(&pax(&[("mtime", "0"), ("comment", "x")])).is_ok());
        for key in ["path", "linkpath", "size", "GNU.sparse.name", "SCHILY.xattr.user.a"] {
            assert!(Extended::global(&pax(&[(key, "1")])).is_err(), "{key}");
        }
    }

    #[test]
    fn times_have_decimals_and_a_sign() {
        let cases = [
            ("1", (1, 0)),
            ("1.5", (1, 500_000_000)),
            ("1.0000000019", (1, 1)),
            ("-1", (-1, 0)),
            ("-1.25", (-2, 750_000_000)),
            ("0.", (0, 0)),
        ];
        for (text, expected) in cases {
            assert_eq!(time(b"mtime", text.as_bytes()).unwrap(), expected, "{text}");
        }
        for text in ["", "-", "1e9", "1.x", "1.00000000000x", "9223372036854775808"] {
            assert!(time(b"mtime", text.as_bytes()).is_err(), "{text}");
        }
    }
}
