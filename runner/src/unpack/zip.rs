//! Makes small zip files for tests, true ones and lying ones. Source: APPNOTE 4.3.

use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};

/// What a header says about its entry.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) packed: u32,
    pub(crate) size: u32,
    pub(crate) name: Vec<u8>,
    pub(crate) extra: Vec<u8>,
}

/// An entry: two headers that may contradict each other, and the bytes between them.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) local: Facts,
    pub(crate) central: Facts,
    /// Unix mode with its format bits.
    pub(crate) mode: u32,
    /// The upper byte of "version made by".
    pub(crate) host: u8,
    /// MS-DOS time and date.
    pub(crate) modified: [u16; 2],
    pub(crate) data: Vec<u8>,
    /// Between the data and the next entry.
    pub(crate) behind: Vec<u8>,
}

fn length<T: TryFrom<usize, Error: std::fmt::Debug>>(bytes: &[u8]) -> T {
    T::try_from(bytes.len()).unwrap()
}

/// A stored file.
pub(crate) fn file(name: impl AsRef<[u8]>, contents: impl AsRef<[u8]>) -> Member {
    let (name, data) = (name.as_ref().to_vec(), contents.as_ref().to_vec());
    let (crc, size) = (crc32fast::hash(&data), length(&data));
    let local = Facts { flags: 0, method: 0, crc, packed: size, size, name, extra: Vec::new() };
    let central = local.clone();
    let modified = [0, 0x5a21];
    Member { local, central, mode: 0o100_644, host: 3, modified, data, behind: Vec::new() }
}

/// A directory; its name should end in a slash.
pub(crate) fn directory(name: &str) -> Member {
    file(name, "").mode(0o040_755)
}

/// A symbolic link.
pub(crate) fn link(name: &str, target: impl AsRef<[u8]>) -> Member {
    file(name, target).mode(0o120_777)
}

impl Member {
    pub(crate) fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    pub(crate) fn host(self, host: u8) -> Self {
        Self { host, ..self }
    }

    /// Changes both headers alike.
    pub(crate) fn both(mut self, change: impl Fn(&mut Facts)) -> Self {
        change(&mut self.local);
        change(&mut self.central);
        self
    }

    pub(crate) fn local(mut self, change: impl Fn(&mut Facts)) -> Self {
        change(&mut self.local);
        self
    }

    pub(crate) fn behind(mut self, bytes: &[u8]) -> Self {
        self.behind.extend_from_slice(bytes);
        self
    }

    pub(crate) fn deflated(mut self) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&self.data).unwrap();
        self.data = encoder.finish().unwrap();
        let packed = length(&self.data);
        self.both(|facts| (facts.method, facts.packed) = (8, packed))
    }

    /// As tools write that cannot go back: the facts come behind the data, in this shape.
    pub(crate) fn streamed(self, signature: bool, wide: bool) -> Self {
        let descriptor = self.descriptor(signature, wide);
        let streamed = self.behind(&descriptor).both(|facts| facts.flags |= 8);
        streamed.local(|facts| (facts.crc, facts.packed, facts.size) = (0, 0, 0))
    }

    pub(crate) fn descriptor(&self, signature: bool, wide: bool) -> Vec<u8> {
        let Facts { crc, packed, size, .. } = self.central;
        let head = if signature { &b"PK\x07\x08"[..] } else { b"" };
        let sizes = if wide {
            [packed, size].map(|size| u64::from(size).to_le_bytes()).concat()
        } else {
            [packed, size].map(u32::to_le_bytes).concat()
        };
        [head, &crc.to_le_bytes(), &sizes].concat()
    }

    fn fixed(&self, facts: &Facts) -> Vec<u8> {
        let [time, date] = self.modified;
        let start = [20, facts.flags, facts.method, time, date].map(u16::to_le_bytes).concat();
        let numbers = [facts.crc, facts.packed, facts.size].map(u32::to_le_bytes).concat();
        let lengths = [length(&facts.name), length(&facts.extra)].map(u16::to_le_bytes).concat();
        [start, numbers, lengths].concat()
    }

    fn local_header(&self) -> Vec<u8> {
        let Facts { name, extra, .. } = &self.local;
        [b"PK\x03\x04", &self.fixed(&self.local)[..], name, extra].concat()
    }

    fn central_header(&self, offset: u32) -> Vec<u8> {
        let Facts { name, extra, .. } = &self.central;
        let place = [&[0; 6][..], &(self.mode << 16).to_le_bytes(), &offset.to_le_bytes()].concat();
        let made_by = [b'P', b'K', 1, 2, 20, self.host];
        [&made_by, &self.fixed(&self.central)[..], &place, name, extra].concat()
    }
}

/// A zip file.
pub(crate) fn zip(members: &[Member]) -> Vec<u8> {
    zip_behind(b"", members)
}

/// A zip file behind something else, with offsets that count from the very start.
pub(crate) fn zip_behind(prefix: &[u8], members: &[Member]) -> Vec<u8> {
    let (mut bytes, mut directory) = (prefix.to_vec(), Vec::new());
    for member in members {
        directory.extend(member.central_header(length(&bytes)));
        bytes.extend([&member.local_header(), &member.data[..], &member.behind].concat());
    }
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let place = [length(&directory), length(&bytes)].map(u32::to_le_bytes).concat();
    let end = [b"PK\x05\x06\0\0\0\0", &count[..], &count, &place, &[0; 2]].concat();
    [bytes, directory, end].concat()
}

/// An extra field.
pub(crate) fn extra(kind: u16, contents: &[u8]) -> Vec<u8> {
    let length: u16 = length(contents);
    [&kind.to_le_bytes(), &length.to_le_bytes(), contents].concat()
}
