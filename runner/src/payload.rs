//! An event or a function's answer while we hold it: small ones in memory, large ones in an unnamed file,
//! never both. Knows nothing of what it says; whoever receives it fills it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

/// Up to this many bytes stay in memory.
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
    Spooled(Arc<File>),
}

/// An event's or an answer's bytes on their way out, as often as they are wanted.
#[derive(Clone)]
pub enum Pieces {
    /// All of them.
    Memory(Bytes),
    /// What is left of a file: reading it may block.
    Spooled(Spool),
}

/// A file and how many of its bytes are still to come.
#[derive(Debug, Clone)]
pub struct Spool {
    file: Arc<File>,
    at: u64,
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

impl fmt::Debug for Pieces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pieces([redacted])")
    }
}

impl<T: Into<Bytes>> From<T> for Pieces {
    fn from(bytes: T) -> Self {
        Self::Memory(bytes.into())
    }
}

impl Default for Payload {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl Payload {
    /// All that can be read. Reading and keeping it may block.
    pub fn of(mut from: impl Read) -> io::Result<Self> {
        let (mut payload, mut piece) = (Self::default(), vec![0; PIECE]);
        loop {
            match from.read(&mut piece) {
                Ok(0) => return Ok(payload),
                Ok(count) => payload.push(&piece[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// With the kind of error that it is.
    pub(crate) fn labelled(self, error_type: Option<String>) -> Self {
        Self { error_type, ..self }
    }

    /// Copies the bytes out, without ever holding a spooled answer in memory.
    pub fn write_to(self, out: &mut impl Write) -> io::Result<u64> {
        match self.body {
            Body::Memory(bytes) => out.write_all(&bytes).map(|()| bytes.len() as u64),
            Body::Spooled(file) => {
                let mut file = &*file;
                file.seek(SeekFrom::Start(0))?;
                io::copy(&mut file, out)
            }
        }
    }

    /// The bytes, to be passed on without ever being in memory all at once.
    pub fn into_pieces(self) -> io::Result<Pieces> {
        Ok(match self.body {
            Body::Memory(bytes) => Pieces::Memory(bytes.into()),
            Body::Spooled(file) => Pieces::Spooled(Spool::new(file)?),
        })
    }

    /// The same, for those who may want them again.
    pub fn pieces(&self) -> io::Result<Pieces> {
        Ok(match &self.body {
            Body::Memory(bytes) => Pieces::Memory(Bytes::copy_from_slice(bytes)),
            Body::Spooled(file) => Pieces::Spooled(Spool::new(Arc::clone(file))?),
        })
    }

    /// The bytes, if they are no more than this many.
    pub fn small(&self, most: usize) -> Option<&[u8]> {
        match &self.body {
            Body::Memory(bytes) if bytes.len() <= most => Some(bytes),
            Body::Memory(_) | Body::Spooled(_) => None,
        }
    }

    /// Rewrites a payload that is in memory and says what it is now; larger ones stay as they are.
    pub(crate) fn map_small(self, map: impl FnOnce(&[u8]) -> (Vec<u8>, &'static str)) -> Self {
        let Body::Memory(bytes) = &self.body else { return self };
        let (bytes, content_type) = map(bytes);
        let content_type = Some(content_type.to_owned());
        Self { content_type, error_type: self.error_type, ..bytes.into() }
    }

    /// Takes more of it.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.body {
            Body::Memory(held) if held.len() + bytes.len() <= IN_MEMORY => {
                held.extend_from_slice(bytes);
            }
            Body::Memory(held) => {
                let mut file = tempfile::tempfile()?;
                file.write_all(held)?;
                file.write_all(bytes)?;
                self.body = Body::Spooled(file.into());
            }
            Body::Spooled(file) => file.as_ref().write_all(bytes)?,
        }
        self.length += bytes.len() as u64;
        Ok(())
    }
}

impl Pieces {
    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Spooled(spool) => spool.left,
        }
    }

    /// The bytes, if all of them are in memory.
    pub fn at_hand(&self) -> Option<&Bytes> {
        match self {
            Self::Memory(bytes) => Some(bytes),
            Self::Spooled(_) => None,
        }
    }

    /// All the bytes in memory, if they are no more than this many.
    pub async fn small(&self, most: usize) -> io::Result<Option<Bytes>> {
        if self.length() > most as u64 {
            return Ok(None);
        }
        if let Self::Memory(bytes) = self {
            return Ok(Some(bytes.clone()));
        }
        let pieces: Vec<Bytes> = self.clone().stream().try_collect().await?;
        Ok(Some(pieces.concat().into()))
    }

    /// The bytes, bit by bit. A disk may take its time, and others are to be served meanwhile.
    pub fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        match self {
            Self::Memory(bytes) => stream::iter([Ok(bytes)]).left_stream(),
            Self::Spooled(spool) => spool.stream().right_stream(),
        }
    }
}

impl Spool {
    fn new(file: Arc<File>) -> io::Result<Self> {
        let left = file.metadata()?.len();
        Ok(Self { file, at: 0, left })
    }

    fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream::try_unfold(self, |mut spool| async move {
            if spool.left == 0 {
                return Ok(None);
            }
            let read = tokio::task::spawn_blocking(move || (spool.read(), spool));
            let (piece, spool) = read.await.map_err(io::Error::other)?;
            Ok(Some((piece?, spool)))
        })
    }

    /// Reads the next piece; an empty one is the end.
    pub fn read(&mut self) -> io::Result<Bytes> {
        let wanted = usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE));
        let mut piece = vec![0; wanted];
        self.file.read_exact_at(&mut piece, self.at)?;
        self.at += wanted as u64;
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
        assert_eq!(payload.length, 1_500_000);
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
