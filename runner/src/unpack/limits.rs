//! How much a package may ask for. The defaults are Lambda's where Lambda has one, else those of the
//! file system, else far above what any real package needs.

/// What one call of `unpack` may use, over all its archives together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of contents after unpacking. Lambda: 250 MiB for the function and its layers.
    pub unpacked_bytes: u64,
    /// Entries, and directories that exist only as parts of names.
    pub entries: u64,
    /// Bytes of the central directory of one archive; they are held in memory.
    pub directory_bytes: u64,
    /// Bytes of one path.
    pub path_bytes: u64,
    /// Bytes of one component of a path.
    pub name_bytes: u64,
    /// Components of one path.
    pub depth: u64,
    /// Bytes of the targets of all symbolic links; they are held in memory.
    pub link_bytes: u64,
    /// How many times larger than its packed form one entry may be. Deflate cannot exceed 1,032.
    pub ratio: u64,
}

impl Limits {
    /// For container images. Lambda: 10 GiB, all layers together.
    pub fn image() -> Self {
        let (unpacked_bytes, entries, link_bytes) = (10 << 30, 1 << 20, 64 << 20);
        Self { unpacked_bytes, entries, link_bytes, ..Self::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unpacked_bytes: 250 * 1024 * 1024,
            entries: 1 << 18,
            directory_bytes: 32 * 1024 * 1024,
            path_bytes: 4_095,
            name_bytes: 255,
            depth: 256,
            link_bytes: 4 * 1024 * 1024,
            ratio: 1_032,
        }
    }
}
