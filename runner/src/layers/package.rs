//! A file with a package in it, of whichever kind its first bytes say.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::unpack::error::quoted;
use crate::unpack::{self, Fault, Limits, Stats, UnpackError};

use super::header::{BLOCK, Block, Header};
use super::inflate::Compression;
use super::{Handling, Layer};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Zip,
    Tar(Compression),
}

impl Format {
    /// By its magic number, or for a tar by its checksum. A zip may begin with a line for the shell.
    fn of(head: &[u8]) -> Option<Self> {
        match (Compression::of(head), head) {
            (Compression::None, [b'P', b'K', ..] | [b'#', b'!', ..]) => Some(Self::Zip),
            (Compression::None, head) => tar(head).then_some(Self::Tar(Compression::None)),
            (packed, _) => Some(Self::Tar(packed)),
        }
    }
}

fn tar(head: &[u8]) -> bool {
    let block: Option<&Block> = head.first_chunk();
    block.is_some_and(|block| *block == [0; BLOCK] || Header::new(block).is_ok())
}

/// Unpacks a zip, a tar, or a tar that is packed with gzip or zstd.
pub fn path(source: &Path, root: &Path, limits: &Limits) -> Result<Stats, UnpackError> {
    let name = source.display().to_string();
    let opened = File::open(source).and_then(|file| head(&file).map(|head| (file, head)));
    let opened = opened.map_err(|source| UnpackError::Open { archive: name.clone(), source });
    let (file, head) = opened?;
    match Format::of(&head) {
        Some(Format::Zip) => unpack::path(source, root, limits),
        Some(Format::Tar(compression)) => {
            let layer = Layer { name, compression, diff_id: None, bytes: Box::new(file) };
            super::unpack(vec![layer], root, limits, Handling::Package)
        }
        None => {
            let found = format!("a file that begins with {}", quoted(&head[..head.len().min(16)]));
            let fault = Fault::Structure { expected: "a zip, tar, tar.gz or tar.zst file", found };
            Err(UnpackError::Archive { archive: name, fault })
        }
    }
}

/// The first block, as far as it is there; the file is left at its beginning.
fn head(mut file: &File) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(BLOCK);
    file.take(BLOCK as u64).read_to_end(&mut head)?;
    io::Seek::rewind(&mut file)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::{Format, path};
    use crate::layers::Compression;
    use crate::layers::tar::header;
    use crate::unpack::{Limits, UnpackError};

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        let cases: [(&[u8], Option<Format>); 8] = [
            (b"PK\x03\x04", Some(Format::Zip)),
            (b"#!/bin/sh\n", Some(Format::Zip)),
            (b"\x1f\x8b\x08\0", Some(Format::Tar(Compression::Gzip))),
            (b"\x28\xb5\x2f\xfd", Some(Format::Tar(Compression::Zstd))),
            (&[0; 512], Some(Format::Tar(Compression::None))),
            (&header("a", b'0', 0), Some(Format::Tar(Compression::None))),
            (&[0; 511], None),
            (b"hello", None),
        ];
        for (head, format) in cases {
            assert_eq!(Format::of(head), format, "{head:?}");
        }
    }

    #[test]
    fn a_file_that_is_neither_is_refused_by_name() {
        let parent = tempfile::tempdir().unwrap();
        let (file, root) = (parent.path().join("x.txt"), parent.path().join("root"));
        std::fs::write(&file, "hello").unwrap();
        let error = path(&file, &root, &Limits::default()).unwrap_err();
        assert!(error.is_refusal() && !root.exists());
        let message = error.to_string();
        assert!(message.contains("x.txt") && message.contains("\"hello\""), "{message}");
        assert!(matches!(path(&root, &file, &Limits::default()), Err(UnpackError::Open { .. })));
    }
}
