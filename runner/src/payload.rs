//! A function's answer while we hold it: small ones in memory, large ones in an unnamed file, never
//! both. Knows nothing of what it says; `api::receive` fills it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};

use bytes::Bytes;

/// Answers up to this many bytes stay in memory.
const IN_MEMORY: usize = 1 << 20;
/// Larger ones are read back in pieces of this many.
const PIECE: usize = 256 << 10;

/// A function's answer.
pub struct Payload {
    body: Body,
    /// `Lambda-Runtime-Function-Error-Type`, normalised, where the runtime sent one.
    pub error_type: Option<String>,
    /// `Content-Type`, where the runtime sent one.
    pub content_type: Option<String>,
    /// How many bytes there are, or were where they were passed on as they came.
    pub length: u64,
}

/// The bytes of an answer.
enum Body {
    /// All of it.
    Memory(Vec<u8>),
    /// In a file without a name, which vanishes with this value.
    Spooled(File),
}

/// An answer's bytes on their way out.
#[derive(Debug)]
pub enum Pieces {
    /// All of them.
    Memory(Bytes),
    /// What is left of a file: reading it may block.
    Spooled(Spool),
}

/// A file and how many of its bytes are still to come.
#[derive(Debug)]
pub struct Spool {
    file: File,
    /// How many bytes are still to come.
    pub left: u64,
}

impl fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Payload([redacted])")
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        let length = bytes.len() as u64;
        Self { body: Body::Memory(bytes), error_type: None, content_type: None, length }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl Payload {
    /// With the kind of error that it is.
    pub(crate) fn labelled(self, error_type: Option<String>) -> Self {
        Self { error_type, ..self }
    }

    /// Copies the bytes out, without ever holding a spooled answer in memory.
    pub fn write_to(self, out: &mut impl Write) -> io::Result<u64> {
        match self.body {
            Body::Memory(bytes) => out.write_all(&bytes).map(|()| bytes.len() as u64),
            Body::Spooled(mut file) => {
                file.seek(SeekFrom::Start(0))?;
                io::copy(&mut file, out)
            }
        }
    }

    /// The bytes, to be passed on without ever being in memory all at once.
    pub fn into_pieces(self) -> io::Result<Pieces> {
        match self.body {
            Body::Memory(bytes) => Ok(Pieces::Memory(bytes.into())),
            Body::Spooled(mut file) => {
                let left = file.stream_position()?;
                file.seek(SeekFrom::Start(0))?;
                Ok(Pieces::Spooled(Spool { file, left }))
            }
        }
    }

    /// Rewrites a payload that is in memory and says what it is now; larger ones stay as they are.
    pub(crate) fn map_small(self, map: impl FnOnce(&[u8]) -> (Vec<u8>, &'static str)) -> Self {
        let Body::Memory(bytes) = &self.body else { return self };
        let (bytes, content_type) = map(bytes);
        let content_type = Some(content_type.to_owned());
        Self { content_type, error_type: self.error_type, ..bytes.into() }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.body {
            Body::Memory(held) if held.len() + bytes.len() <= IN_MEMORY => {
                held.extend_from_slice(bytes);
            }
            Body::Memory(held) => {
                let mut file = tempfile::tempfile()?;
                file.write_all(held)?;
                file.write_all(bytes)?;
                self.body = Body::Spooled(file);
            }
            Body::Spooled(file) => file.write_all(bytes)?,
        }
        Ok(())
    }
}

impl Spool {
    /// Reads the next piece; an empty one is the end.
    pub fn read(&mut self) -> io::Result<Bytes> {
        let wanted = usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE));
        let mut piece = vec![0; wanted];
        self.file.read_exact(&mut piece)?;
        self.left -= wanted as u64;
        Ok(piece.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(payload: Payload) -> Vec<u8> {
        let mut out = Vec::new();
        payload.write_to(&mut out).unwrap();
        out
    }

    #[test]
    fn a_large_answer_leaves_memory_and_comes_back_whole() {
        let mut payload = Payload::from(Vec::new());
        let piece: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        for _ in 0..5 {
            payload.push(&piece).unwrap();
        }
        assert!(matches!(payload.body, Body::Spooled(_)));
        assert_eq!(written(payload), piece.repeat(5));
    }

    #[test]
    fn a_large_answer_can_be_passed_on_in_pieces() {
        let bytes: Vec<u8> = (0..=255).cycle().take(IN_MEMORY + 1).collect();
        let mut payload = Payload::from(Vec::new());
        payload.push(&bytes).unwrap();
        let Pieces::Spooled(mut spool) = payload.into_pieces().unwrap() else {
            panic!("in memory");
        };
        assert_eq!(spool.left, bytes.len() as u64);
        let mut found = Vec::new();
        while spool.left > 0 {
            let piece = spool.read().unwrap();
            assert!(piece.len() <= PIECE);
            found.extend_from_slice(&piece);
        }
        assert!(found == bytes && spool.read().unwrap().is_empty());
    }

    #[test]
    fn a_small_answer_stays_in_memory() {
        let mut payload = Payload::from(Vec::new());
        payload.push(b"{}").unwrap();
        assert!(matches!(payload.body, Body::Memory(_)));
        assert_eq!(written(payload), b"{}");
    }

    #[test]
    fn an_answer_is_not_printed_by_debug() {
        assert!(!format!("{:?}", Payload::from(b"secret".to_vec())).contains("115"));
    }
}
