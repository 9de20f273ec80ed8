//! One entry of a tar, put together from its header and what stood before it. Pure.

use crate::unpack::Fault;
use crate::unpack::error::{Refusal, quoted};

use super::header::{Header, Kind};
use super::pax::{Attribute, Extended, Time};
use super::sparse::{Map, Old, listed};

/// The largest size that fits into a header's octal digits. Below it, header and records must agree.
const LARGEST: u64 = 0o77_777_777_777;

/// An entry.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// As it is in the archive.
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    /// The target of a link.
    pub(super) link: Vec<u8>,
    /// Bytes in the archive.
    pub(super) stored: u64,
    /// Bytes of the file, with holes.
    pub(super) size: u64,
    /// Where holes are.
    pub(super) map: Option<Map>,
    pub(super) mode: u32,
    /// User and group; an error where they are no numbers, which matters to image layers only.
    pub(super) owner: Result<(u32, u32), Fault>,
    pub(super) modified: Time,
    pub(super) attributes: Vec<Attribute>,
}

/// What is known about the next entry before its header comes.
#[derive(Debug, Default)]
pub(super) struct Pending {
    extended: Option<Extended>,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Pending {
    /// Nothing may be known where no entry follows.
    pub(super) fn none(&self) -> Result<(), Fault> {
        if self.extended.is_none() && self.name.is_none() && self.link.is_none() {
            return Ok(());
        }
        Err(Fault::Structure {
            expected: "an entry behind the records that describe it",
            found: "the end, or global records".to_owned(),
        })
    }

    /// PAX records.
    pub(super) fn extend(&mut self, extended: Extended) -> Result<(), Fault> {
        once(&mut self.extended, extended)
    }

    /// GNU's long name.
    pub(super) fn name(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        once(&mut self.name, text(bytes)?)
    }

    /// GNU's long link target.
    pub(super) fn link(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        once(&mut self.link, text(bytes)?)
    }

    /// The entry, and its size with holes if their list stands before its contents.
    pub(super) fn entry(
        self,
        header: Header<'_>,
        kind: Kind,
        old: &Old,
        global: &Extended,
    ) -> Result<(Entry, Option<u64>), Refusal> {
        let extended = self.extended.unwrap_or_default();
        let named = one(self.name, extended.path.clone());
        let name = named.map_err(Refusal::from)?.unwrap_or_else(|| header.name());
        let name = extended.sparse.name.clone().unwrap_or(name);
        let about = |fault| Refusal::of(&name, fault);
        let link = one(self.link, extended.link.clone()).map_err(about)?;
        let stored = size(header, kind, &extended).map_err(about)?;
        let map = map(kind, old, &extended, stored).map_err(about)?;
        let lines = lines(&extended).map_err(about)?;
        let owner = owner(header, &extended, global);
        let modified = extended
            .modified
            .or(global.modified)
            .map_or_else(|| header.modified().map(|time| (time, 0)), Ok);
        let entry = Entry {
            kind: if kind == Kind::Sparse { Kind::File } else { kind },
            link: link.unwrap_or_else(|| header.link()),
            stored,
            size: map.as_ref().map_or(stored, |map| map.size),
            map,
            mode: header.mode().map_err(about)?,
            owner,
            modified: modified.map_err(about)?,
            attributes: extended.attributes,
            name,
        };
        fits(&entry, lines.is_some()).map_err(|fault| Refusal::of(&entry.name, fault))?;
        Ok((entry, lines))
    }
}

/// Bytes in the archive: the records' word counts, as long as the header does not say another one
/// that it could have said right.
fn size(header: Header<'_>, kind: Kind, extended: &Extended) -> Result<u64, Fault> {
    let plain = header.size()?;
    let Some(size) = extended.size else { return Ok(plain) };
    if plain != 0 && plain != size && size <= LARGEST || kind == Kind::Sparse {
        let found = format!("{plain} in its header and {size} in its PAX records");
        return Err(Fault::Structure { expected: "one size", found });
    }
    Ok(size)
}

fn map(kind: Kind, old: &Old, extended: &Extended, stored: u64) -> Result<Option<Map>, Fault> {
    if kind == Kind::Sparse { old.map(stored).map(Some) } else { listed(&extended.sparse, stored) }
}

/// The size with holes of a file in version 1.0.
fn lines(extended: &Extended) -> Result<Option<u64>, Fault> {
    let sparse = &extended.sparse;
    match (sparse.major, sparse.minor, sparse.size) {
        (None | Some(0), ..) => Ok(None),
        (Some(1), Some(0), Some(size)) => Ok(Some(size)),
        (major, minor, _) => {
            let found = format!("{major:?}.{minor:?}");
            Err(Fault::Structure { expected: "a sparse file of version 0.0, 0.1 or 1.0", found })
        }
    }
}

/// Only files have contents, and only directories' names end in a slash.
fn fits(entry: &Entry, lines: bool) -> Result<(), Fault> {
    let file = entry.kind == Kind::File;
    let what = if !file && entry.stored != 0 {
        "a link, directory or device with contents"
    } else if !file && (entry.map.is_some() || lines) {
        "a link, directory or device with holes"
    } else if entry.map.is_some() && lines {
        "a file with two lists of holes"
    } else if entry.kind != Kind::Directory && entry.name.ends_with(b"/") {
        "something whose name ends in '/' and that is no directory"
    } else {
        return Ok(());
    };
    Err(Fault::Foreign { what: what.to_owned() })
}

fn owner(header: Header<'_>, extended: &Extended, global: &Extended) -> Result<(u32, u32), Fault> {
    let user = extended.user.or(global.user).map_or_else(|| header.user(), Ok)?;
    let group = extended.group.or(global.group).map_or_else(|| header.group(), Ok)?;
    // The system calls take the highest number for "as it is".
    if user == u32::MAX || group == u32::MAX {
        let found = format!("{user}:{group}");
        return Err(Fault::Structure { expected: "user and group below 4294967295", found });
    }
    Ok((user, group))
}

/// A long name without the NUL at its end.
fn text(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let text = &bytes[..end];
    if text.is_empty() || text.contains(&0) {
        return Err(Fault::Structure { expected: "a long name, without NUL", found: quoted(text) });
    }
    Ok(text.to_vec())
}

fn once<T>(field: &mut Option<T>, value: T) -> Result<(), Fault> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::Structure {
            expected: "records of one kind once before an entry",
            found: "them twice".to_owned(),
        }),
    }
}

/// GNU's and PAX's word on one thing, which must be the same.
fn one(gnu: Option<Vec<u8>>, pax: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Fault> {
    match (gnu, pax) {
        (Some(gnu), Some(pax)) if gnu != pax => Err(Fault::Structure {
            expected: "one name",
            found: format!("{} and {}", quoted(&gnu), quoted(&pax)),
        }),
        (gnu, pax) => Ok(pax.or(gnu)),
    }
}
