//! Packed bytes of a layer → its tar. Tells apart a source that fails and data that are damaged.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use crate::unpack::error::quoted;
use crate::unpack::{Fault, UnpackError};

use super::pipe::Inlet;

/// Packed bytes that are read at once.
const BUFFER: usize = 128 << 10;
/// The largest zstd window, as a power of two: what the `zstd` command takes without being asked for
/// more, and all its levels make.
const WINDOW: u32 = 27;

/// How a layer is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// In gzip members, one behind the other.
    Gzip,
    /// In zstd frames, one behind the other.
    Zstd,
    /// As its first bytes say.
    Detect,
}

impl Compression {
    /// What the first four bytes say: a magic number, or nothing.
    pub(super) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// Sends the tar of the layer called `name` through the pipe, or why that did not work.
pub(super) fn inflate(
    name: &str,
    compression: Compression,
    bytes: Box<dyn Read + Send>,
    inlet: &Inlet,
) {
    let mut source = Source { bytes, read: 0, failed: None };
    if let Err(error) = run(compression, &mut source, inlet) {
        let archive = name.to_owned();
        inlet.fail(match (source.failed, error) {
            (Some(source_error), _) => {
                UnpackError::Read { archive, offset: source.read, source: source_error }
            }
            (None, fault) => UnpackError::Archive { archive, fault },
        });
    }
}

fn run(compression: Compression, source: &mut Source, inlet: &Inlet) -> Result<(), Fault> {
    let mut head = [0; 4];
    let length = source.begin(&mut head);
    let head = head.get(..length).unwrap_or_default();
    let compression = match compression {
        Compression::Detect => Compression::of(head),
        said => said,
    };
    let bytes = BufReader::with_capacity(BUFFER, head.chain(source));
    match compression {
        Compression::None | Compression::Detect => inlet.fill(bytes),
        Compression::Gzip => gzip(bytes, inlet),
        Compression::Zstd => zstd(bytes, inlet),
    }
    .map_err(|error| fault(&error, head))
}

fn gzip(bytes: impl io::BufRead, inlet: &Inlet) -> io::Result<()> {
    inlet.fill(MultiGzDecoder::new(bytes))
}

fn zstd(mut bytes: impl io::BufRead, inlet: &Inlet) -> io::Result<()> {
    // An empty file has no frames; zstd's reader takes it for a tar of no bytes.
    if bytes.fill_buf()?.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut decoder = zstd::Decoder::with_buffer(bytes)?;
    decoder.window_log_max(WINDOW)?;
    inlet.fill(decoder)
}

fn fault(error: &io::Error, head: &[u8]) -> Fault {
    if Compression::of(head) == Compression::None {
        let expected = "data that are packed with gzip or zstd";
        return Fault::Structure { expected, found: quoted(head) };
    }
    let early = error.kind() == io::ErrorKind::UnexpectedEof;
    Fault::Data { what: if early { "end too early" } else { "are damaged" } }
}

/// The packed bytes. Remembers what went wrong with them, which decoders do not tell apart.
struct Source {
    bytes: Box<dyn Read + Send>,
    read: u64,
    failed: Option<io::Error>,
}

impl Source {
    /// The first bytes, as many as there are; an error comes up again when the rest is read.
    fn begin(&mut self, head: &mut [u8]) -> usize {
        let mut length = 0;
        while length < head.len() {
            match self.read(&mut head[length..]) {
                Ok(0) | Err(_) => break,
                Ok(more) => length += more,
            }
        }
        length
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failed.is_some() {
            return Err(io::Error::other("the source has failed"));
        }
        loop {
            match self.bytes.read(buffer) {
                Ok(length) => {
                    self.read += length as u64;
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = Some(error);
                    return Err(io::Error::other("the source has failed"));
                }
            }
        }
    }
}
