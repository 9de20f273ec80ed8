//! A package from front to back, for those who read streams.

use std::io::{self, Read};

use super::Readable;

/// Reads a package once. Its end is there only when all of it has come and is right.
#[derive(Debug)]
pub struct Reading {
    source: Readable,
    at: u64,
}

impl Reading {
    /// From the first byte on.
    pub fn new(source: Readable) -> Self {
        Self { source, at: 0 }
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let source = self.source.as_source();
        let left = usize::try_from(source.len() - self.at).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        if count == 0 {
            return if left == 0 { source.finish().map(|()| 0) } else { Ok(0) };
        }
        source.read_at(self.at, &mut buffer[..count])?;
        self.at += count as u64;
        source.done_before(self.at);
        Ok(count)
    }
}

/// Others need not wait for somebody who has stopped reading.
impl Drop for Reading {
    fn drop(&mut self) {
        let source = self.source.as_source();
        if self.at < source.len() {
            source.abort();
        }
    }
}
