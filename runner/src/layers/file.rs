//! A regular file of a layer: made, filled, with or without holes, and given its attributes.

use std::fs::File;
use std::io::{self, BufRead, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use crate::unpack::UnpackError;
use crate::unpack::error::Refusal;

use super::archive::Archive;
use super::attributes::Attributes;
use super::entry::Entry;
use super::layer::{Stop, Unpacking};
use super::stage::DIRECTORY;
use super::tree::{Id, What};

const FRESH: OFlag = OFlag::O_WRONLY
    .union(OFlag::O_CREAT)
    .union(OFlag::O_EXCL)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

impl Unpacking<'_> {
    /// Makes a file that is not there.
    pub(super) fn file<R: BufRead>(
        &mut self,
        parent: Id,
        name: &[u8],
        entry: &mut Entry,
        archive: &mut Archive<'_, R>,
    ) -> Result<What, Stop> {
        let charged = self.budget.contents(entry.size);
        charged.map_err(|fault| Refusal::of(&entry.name, fault))?;
        let attributes = Attributes::of(entry, self.handling);
        let attributes = attributes.map_err(|fault| Refusal::of(&entry.name, fault))?;
        let directory = match self.last.take() {
            Some((at, directory)) if at == parent => directory,
            _ => self.open(parent).map_err(Stop::Write)?,
        };
        let made = openat(&directory, name, FRESH, attributes.first());
        let mut file = self.stage.done(&entry.name, made).map(File::from).map_err(Stop::Write)?;
        self.last = Some((parent, directory));
        self.write(entry, &mut file, archive)?;
        let finished = self.stage.hands.file(&file, &attributes);
        self.stage.done(&entry.name, finished).map_err(Stop::Write)?;
        Ok(What::File(entry.size))
    }

    fn write<R: BufRead>(
        &self,
        entry: &Entry,
        file: &mut File,
        archive: &mut Archive<'_, R>,
    ) -> Result<(), Stop> {
        let failed = |error: io::Error| Stop::Write(self.stage.failed(&entry.name, error));
        let Some(map) = &entry.map else {
            return archive.contents(u64::MAX, |bytes| file.write_all(bytes).map_err(failed));
        };
        for piece in &map.pieces {
            file.seek(SeekFrom::Start(piece.offset)).map_err(failed)?;
            archive.contents(piece.length, |bytes| file.write_all(bytes).map_err(failed))?;
        }
        file.set_len(map.size).map_err(failed)
    }

    /// A handle for making files in a directory.
    fn open(&self, directory: Id) -> Result<OwnedFd, UnpackError> {
        let path = self.contents.tree.path(directory);
        let flags = DIRECTORY | OFlag::O_PATH;
        let opened = openat(&self.contents.directory, path.as_slice(), flags, Mode::empty());
        self.stage.done(&path, opened)
    }
}
