//! The framed log channel that runtimes find at `_LAMBDA_TELEMETRY_LOG_FD`: bytes → frames. Pure. A
//! frame is one record, whatever is in it. Bytes that are no frame are counted and passed over.

use crate::telemetry::level::Level;

/// A payload longer than this is passed on in pieces, so that memory stays bounded.
const LONGEST_TEXT: usize = 1 << 20;
/// A header that announces more than this is not a header.
const LONGEST_FRAME: u32 = 64 << 20;
/// Memory that is kept for what comes next.
const KEPT: usize = 64 << 10;
/// How every header begins; one more byte says what it is.
const MAGIC: [u8; 3] = [0xA5, 0x5A, 0x00];
/// Type and length.
const SHORT: usize = 8;
/// Type, length and timestamp.
const LONG: usize = 16;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The message, without a newline at its end.
    pub text: &'a [u8],
    /// Its form and importance.
    pub head: Head,
}

/// What a header says of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The message is JSON.
    pub json: bool,
    /// How important it is, where that is said.
    pub level: Option<Level>,
    /// Microseconds since the Unix epoch, where that is said.
    pub micros: Option<u64>,
}

/// What has come of a frame that is not complete, and how much was no frame.
#[derive(Debug, Default)]
pub struct Frames {
    held: Vec<u8>,
    /// Header of the frame whose payload is arriving, and how much of that is to come.
    current: Option<(Head, usize)>,
    garbage: u64,
}

impl Frames {
    /// Passes on the frames that are complete with these bytes.
    pub fn take(&mut self, bytes: &[u8], pass: &mut impl FnMut(Frame<'_>)) {
        self.held.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(next) = self.step(at, pass) {
            at = next;
        }
        self.held.drain(..at);
        if self.held.is_empty() {
            self.held.shrink_to(KEPT);
        }
    }

    /// Passes on what there is of a frame whose end will not come.
    pub fn end(&mut self, pass: &mut impl FnMut(Frame<'_>)) {
        match self.current.take() {
            Some((head, _)) if !self.held.is_empty() => pass(frame(head, &self.held)),
            Some(_) => {}
            None => self.garbage += self.held.len() as u64,
        }
        self.held = Vec::new();
    }

    /// How many bytes were no frame, since this was last asked.
    pub fn garbage(&mut self) -> u64 {
        std::mem::take(&mut self.garbage)
    }

    /// Deals with what begins at `at` and says where the next begins; none: more bytes are needed.
    fn step(&mut self, at: usize, pass: &mut impl FnMut(Frame<'_>)) -> Option<usize> {
        let rest = &self.held[at..];
        if let Some((head, left)) = self.current {
            let size = left.min(LONGEST_TEXT);
            pass(frame(head, rest.get(..size)?));
            self.current = (size < left).then_some((head, left - size));
            return Some(at + size);
        }
        match Header::read(rest) {
            Header::Frame(head, length, size) => {
                self.current = Some((head, length));
                Some(at + size)
            }
            Header::Unfinished => None,
            Header::Garbage(size) => {
                self.garbage += size as u64;
                Some(at + size)
            }
        }
    }
}

/// A newline at the end is of the writer's making.
fn frame(head: Head, text: &[u8]) -> Frame<'_> {
    Frame { text: text.strip_suffix(b"\n").unwrap_or(text), head }
}

enum Header {
    /// A frame with so long a payload, after so long a header.
    Frame(Head, usize, usize),
    /// It may become one.
    Unfinished,
    /// So many bytes are none.
    Garbage(usize),
}

impl Header {
    fn read(bytes: &[u8]) -> Self {
        let known = bytes.iter().zip(MAGIC).take_while(|(byte, magic)| **byte == *magic).count();
        if known < MAGIC.len() {
            return if known == bytes.len() { Self::Unfinished } else { Self::skip(bytes) };
        }
        let Some(kind) = bytes.get(MAGIC.len()) else { return Self::Unfinished };
        let Some(mut head) = head(*kind) else { return Self::skip(bytes) };
        let Some(length) = number(bytes, 4).map(u32::from_be_bytes) else {
            return Self::Unfinished;
        };
        if length > LONGEST_FRAME {
            return Self::skip(bytes);
        }
        if head.micros.is_none() {
            return Self::Frame(head, length as usize, SHORT);
        }
        head.micros = number(bytes, SHORT).map(u64::from_be_bytes);
        if head.micros.is_none() {
            return Self::Unfinished;
        }
        Self::Frame(head, length as usize, LONG)
    }

    /// Everything up to where a header may begin next.
    fn skip(bytes: &[u8]) -> Self {
        let next = bytes.iter().skip(1).position(|byte| *byte == MAGIC[0]);
        Self::Garbage(next.map_or(bytes.len(), |next| next + 1))
    }
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// The last byte of a type: text or JSON, whether there is a timestamp, and the level.
fn head(kind: u8) -> Option<Head> {
    let level = match kind >> 2 {
        0 => None,
        1 => Some(Level::Trace),
        2 => Some(Level::Debug),
        3 => Some(Level::Info),
        4 => Some(Level::Warn),
        5 => Some(Level::Error),
        6 => Some(Level::Fatal),
        _ => return None,
    };
    Some(Head { json: kind & 1 == 0, level, micros: (kind & 2 != 0).then_some(0) })
}

#[cfg(test)]
#[path = "frames/tests.rs"]
mod tests;
