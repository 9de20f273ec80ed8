//! Where the bytes of an archive are read from. The trait belongs to its consumer, this room; other
//! rooms implement it for bytes that are still arriving.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::Path,
};

/// Random access to an archive that may still be arriving.
pub trait Source: Send + Sync {
    /// The length of the whole archive in bytes, known from the start.
    fn len(&self) -> u64;

    /// Whether the archive has no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` with the bytes from `offset` on, waiting until they are there. Only ranges
    /// within [`Source::len`] are asked for. The end is read first (the central directory), then
    /// everything from front to back, several readers side by side.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Like [`Source::read_at`], for what is read before everything else: it must not wait until all
    /// that lies before it has been read.
    fn read_early(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_at(offset, buffer)
    }

    /// Nothing before `offset` will be read again, so that a bounded window may be released. Calls
    /// come from several threads: the largest offset counts.
    fn done_before(&self, _offset: u64) {}

    /// Waits until the whole archive has been received and found to be the right one. What was
    /// unpacked is not shown to anybody before.
    fn finish(&self) -> io::Result<()> {
        Ok(())
    }

    /// Nothing will be read again, because unpacking has failed: readers that wait are to wake up
    /// with an error.
    fn abort(&self) {}
}

/// An archive in memory.
impl Source for &[u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.get(start..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// An archive in a file of this machine.
#[derive(Debug)]
pub struct LocalFile {
    file: File,
    length: u64,
}

impl LocalFile {
    /// Opens `path`, which must be a regular file and must not change while it is unpacked.
    pub fn open(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        Self::new(File::open(path)?)
    }

    /// Takes an open file.
    pub fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }
}

impl Source for LocalFile {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::{LocalFile, Source};

    #[test]
    fn reads_are_exact_or_fail() {
        let bytes: &[u8] = b"0123456789";
        let mut buffer = [0; 4];
        bytes.read_at(6, &mut buffer).unwrap();
        assert_eq!(&buffer, b"6789");
        assert!(bytes.read_at(7, &mut buffer).is_err());
        assert!(bytes.read_at(u64::MAX, &mut buffer).is_err());
    }

    #[test]
    fn a_directory_is_not_an_archive() {
        assert!(LocalFile::open(std::path::Path::new("/")).is_err());
    }
}
