//! Makes tars for tests, entry by entry and byte by byte. Only tests see it.

use std::io::Write as _;

use sha2::{Digest as _, Sha256};

use super::header::{BLOCK, Block};

/// A header with a right checksum.
pub(super) fn header(name: &str, kind: u8, size: u64) -> Block {
    let mut block = [0; BLOCK];
    block[..name.len()].copy_from_slice(name.as_bytes());
    for (at, value, digits) in
        [(100, 0o644, 7), (108, 0, 7), (116, 0, 7), (124, size, 11), (136, 7, 11)]
    {
        block[at..at + digits].copy_from_slice(format!("{value:0digits$o}").as_bytes());
    }
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    sum(&mut block);
    block
}

/// Corrects the checksum.
pub(super) fn sum(block: &mut Block) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// PAX records.
pub(super) fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let record = |(key, value): &(&str, &str)| {
        let plain = key.len() + value.len() + 3;
        let fits = |length: &usize| length.to_string().len() + plain == *length;
        let length = (plain..plain + 20).find(fits).unwrap();
        format!("{length} {key}={value}\n").into_bytes()
    };
    records.iter().flat_map(record).collect()
}

/// An entry, with all that belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Member(pub(super) Vec<u8>);

/// Any entry.
pub(super) fn member(name: &str, kind: u8, contents: &[u8]) -> Member {
    let mut bytes = header(name, kind, contents.len() as u64).to_vec();
    bytes.extend_from_slice(contents);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    Member(bytes)
}

/// A regular file.
pub(super) fn file(name: &str, contents: &str) -> Member {
    member(name, b'0', contents.as_bytes())
}

/// A directory.
pub(super) fn directory(name: &str) -> Member {
    member(name, b'5', b"").mode(0o755)
}

/// A symbolic link.
pub(super) fn link(name: &str, target: &str) -> Member {
    member(name, b'2', b"").target(target)
}

/// A hard link.
pub(super) fn hard(name: &str, target: &str) -> Member {
    member(name, b'1', b"").target(target)
}

impl Member {
    /// Changes its header, and corrects the checksum.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Block)) -> Self {
        let block: &mut Block = (&mut self.0[..BLOCK]).try_into().unwrap();
        change(block);
        sum(block);
        self
    }

    pub(super) fn target(self, target: &str) -> Self {
        self.with(|block| block[157..157 + target.len()].copy_from_slice(target.as_bytes()))
    }

    pub(super) fn mode(self, mode: u32) -> Self {
        self.with(|block| block[100..107].copy_from_slice(format!("{mode:07o}").as_bytes()))
    }

    pub(super) fn owner(self, user: u32, group: u32) -> Self {
        let both = format!("{user:07o}\0{group:07o}\0");
        self.with(|block| block[108..124].copy_from_slice(both.as_bytes()))
    }

    /// PAX records before it.
    pub(super) fn pax(self, records: &[(&str, &str)]) -> Self {
        Self([member("PaxHeaders/x", b'x', &pax(records)).0, self.0].concat())
    }
}

/// A tar with its end.
pub(super) fn tar(members: &[Member]) -> Vec<u8> {
    let mut bytes: Vec<u8> = members.iter().flat_map(|member| member.0.clone()).collect();
    bytes.extend_from_slice(&[0; 2 * BLOCK]);
    bytes
}

/// Packs with gzip.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A digest.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
