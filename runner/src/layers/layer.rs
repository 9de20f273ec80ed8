//! One layer: its entries → a tree in memory, and its directories and files below one directory handle.
//!
//! Links are not made here but at the end of everything: while files are written there is no link on
//! disk, so that no path leads anywhere else. Names have been checked, and what has a path already is
//! taken away before something else gets it.

use std::fs::File;
use std::io::{self, BufRead, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;

use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

use crate::unpack::error::{Refusal, quoted};
use crate::unpack::path::{MemberPath, split};
use crate::unpack::root::{OPEN, mode};
use crate::unpack::{Fault, UnpackError};

use super::Handling;
use super::archive::{Archive, Trouble};
use super::attributes::Attributes;
use super::budget::Budget;
use super::entry::Entry;
use super::header::Kind;
use super::name::{self, Place};
use super::stage::{DIRECTORY, Stage};
use super::tree::{Id, ROOT, Tree, What, components};

const FRESH: OFlag = OFlag::O_WRONLY
    .union(OFlag::O_CREAT)
    .union(OFlag::O_EXCL)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// Why a layer was not unpacked.
#[derive(Debug)]
pub(super) enum Stop {
    /// The archive, or its bytes.
    Trouble(Trouble),
    /// The file system.
    Write(UnpackError),
}

impl<T: Into<Trouble>> From<T> for Stop {
    fn from(trouble: T) -> Self {
        Self::Trouble(trouble.into())
    }
}

/// What was in a layer.
#[derive(Debug)]
pub(super) struct Contents {
    /// What its caller calls it.
    pub(super) layer: String,
    /// Where it is on disk.
    pub(super) directory: OwnedFd,
    pub(super) tree: Tree,
    /// What is gone from lower layers.
    pub(super) whiteouts: Vec<MemberPath>,
    /// Directories that hold nothing of lower layers any more.
    pub(super) opaque: Vec<MemberPath>,
}

impl Contents {
    /// Nothing yet, in a fresh directory.
    pub(super) fn new(layer: String, directory: OwnedFd) -> Self {
        let (whiteouts, opaque) = (Vec::new(), Vec::new());
        Self { layer, directory, tree: Tree::new(), whiteouts, opaque }
    }

    /// Takes something away, with all that it holds.
    pub(super) fn remove(&mut self, id: Id, stage: &Stage) -> Result<(), UnpackError> {
        for gone in self.tree.below(id).into_iter().rev() {
            let what = self.tree.what(gone);
            let flag = if what.is_directory() {
                UnlinkatFlags::RemoveDir
            } else {
                UnlinkatFlags::NoRemoveDir
            };
            if what.on_disk() {
                let path = self.tree.path(gone);
                stage.done(&path, unlinkat(&self.directory, path.as_slice(), flag))?;
            }
        }
        self.tree.remove(id);
        Ok(())
    }
}

/// A layer that is being unpacked.
pub(super) struct Unpacking<'a> {
    pub(super) stage: &'a Stage,
    pub(super) budget: &'a Budget,
    pub(super) handling: Handling,
    /// Whether there is no layer below.
    pub(super) lowest: bool,
    pub(super) contents: Contents,
    /// The directory that was last written to.
    pub(super) last: Option<(Id, OwnedFd)>,
}

impl Unpacking<'_> {
    /// Unpacks all entries.
    pub(super) fn all<R: BufRead>(
        mut self,
        archive: &mut Archive<'_, R>,
    ) -> Result<Contents, Stop> {
        while let Some(entry) = archive.next()? {
            self.budget.entry().map_err(|fault| Refusal::of(&entry.name, fault))?;
            self.entry(entry, archive)?;
        }
        Ok(self.contents)
    }

    fn entry<R: BufRead>(
        &mut self,
        mut entry: Entry,
        archive: &mut Archive<'_, R>,
    ) -> Result<(), Stop> {
        let about = |fault| Refusal::of(&entry.name, fault);
        match name::place(&entry.name, self.handling, &self.budget.limits).map_err(about)? {
            Place::At(path) => return self.at(&path, &mut entry, archive),
            Place::Leftover => {}
            Place::Whiteout(path) => {
                self.budget.held(path.as_bytes().len()).map_err(about)?;
                self.contents.whiteouts.push(path);
            }
            Place::Opaque(path) => {
                self.budget.held(path.as_bytes().len()).map_err(about)?;
                self.contents.opaque.push(path);
            }
        }
        Ok(())
    }

    /// Something that belongs at a path.
    fn at<R: BufRead>(
        &mut self,
        path: &MemberPath,
        entry: &mut Entry,
        archive: &mut Archive<'_, R>,
    ) -> Result<(), Stop> {
        let (parent, name) = split(path.as_bytes());
        let parent = self.directory(parent.unwrap_or_default(), path.as_bytes())?;
        let tree = &self.contents.tree;
        let found = if name.is_empty() { Some(ROOT) } else { tree.child(parent, name) };
        let refused = |fault| Err(Refusal::of(&entry.name, fault).into());
        match found {
            _ if entry.kind == Kind::Directory => return self.describe(parent, name, found, entry),
            Some(ROOT) => return refused(Fault::Name { rule: "is that of the root" }),
            // Another name of itself.
            Some(_) if entry.kind == Kind::HardLink && self.target(entry)? == *path => {
                return Ok(());
            }
            Some(found) => self.clear(found)?,
            None => {}
        }
        let what = match (entry.kind, self.handling) {
            (Kind::HardLink, _) => self.hard_link(path, entry)?,
            (Kind::Link, _) => self.link(entry)?,
            (Kind::Pipe, Handling::Image) => What::Pipe(self.attributes(entry)?),
            // The machine's devices are no image's business; what is in the way of one is gone.
            (Kind::Device, Handling::Image) => What::Nothing,
            (Kind::Pipe | Kind::Device, Handling::Package) => {
                let what = "a device or pipe".to_owned();
                return Err(Refusal::of(&entry.name, Fault::Foreign { what }).into());
            }
            _ => self.file(parent, name, entry, archive)?,
        };
        self.contents.tree.add(parent, name, what);
        Ok(())
    }

    /// A directory on the way to an entry, made with those that it lies in.
    fn directory(&mut self, path: &[u8], below: &[u8]) -> Result<Id, Stop> {
        let mut at = ROOT;
        for name in components(path) {
            at = match self.contents.tree.child(at, name) {
                Some(found) if self.contents.tree.what(found).is_directory() => found,
                Some(found) => {
                    let fault = Fault::Conflict { other: quoted(below) };
                    return Err(Refusal::of(&self.contents.tree.path(found), fault).into());
                }
                None => {
                    self.budget.entry().map_err(|fault| Refusal::of(below, fault))?;
                    self.make(at, name, None)?
                }
            };
        }
        Ok(at)
    }

    /// A directory's own entry, which may come before or after what it holds, and again.
    fn describe(
        &mut self,
        parent: Id,
        name: &[u8],
        found: Option<Id>,
        entry: &mut Entry,
    ) -> Result<(), Stop> {
        let attributes = self.attributes(entry)?;
        match found {
            Some(found) if self.contents.tree.what(found).is_directory() => {
                *self.contents.tree.what_mut(found) = What::Directory(Some(attributes));
                return Ok(());
            }
            Some(found) => self.clear(found)?,
            None => {}
        }
        self.make(parent, name, Some(attributes)).map(drop)
    }

    fn make(
        &mut self,
        parent: Id,
        name: &[u8],
        attributes: Option<Box<Attributes>>,
    ) -> Result<Id, Stop> {
        let id = self.contents.tree.add(parent, name, What::Directory(attributes));
        let path = self.contents.tree.path(id);
        let made = mkdirat(&self.contents.directory, path.as_slice(), mode(OPEN));
        self.stage.done(&path, made).map_err(Stop::Write)?;
        Ok(id)
    }

    fn clear(&mut self, id: Id) -> Result<(), Stop> {
        self.last = None;
        self.contents.remove(id, self.stage).map_err(Stop::Write)
    }

    fn file<R: BufRead>(
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

    fn link(&self, entry: &mut Entry) -> Result<What, Stop> {
        let about = |fault| Refusal::of(&entry.name, fault);
        if entry.link.is_empty() {
            return Err(about(Fault::Link { rule: "is empty" }).into());
        }
        self.budget.held(entry.link.len()).map_err(about)?;
        let target = std::mem::take(&mut entry.link).into_boxed_slice();
        Ok(What::Link(target, self.attributes(entry)?))
    }

    /// Another name of something in this layer, or of something that is looked for in lower ones when
    /// they are there.
    fn hard_link(&self, path: &MemberPath, entry: &Entry) -> Result<What, Stop> {
        let target = self.target(entry)?;
        let tree = &self.contents.tree;
        let about = |rule| Stop::from(Refusal::of(&entry.name, Fault::Link { rule }));
        match tree.find(target.as_bytes()).map(|found| tree.what(found)) {
            Some(What::Directory(_)) => Err(about("is a directory")),
            Some(What::File(size)) => {
                let base = &self.contents.directory;
                let linked =
                    linkat(base, target.as_bytes(), base, path.as_bytes(), AtFlags::empty());
                self.stage.done(path.as_bytes(), linked).map_err(Stop::Write)?;
                Ok(What::File(*size))
            }
            Some(other) => Ok(other.clone()),
            None if self.lowest => Err(about("is not there, or lies behind a symbolic link")),
            None => {
                let held = self.budget.held(target.as_bytes().len());
                held.map_err(|fault| Refusal::of(&entry.name, fault))?;
                Ok(What::Lower(target))
            }
        }
    }

    fn target(&self, entry: &Entry) -> Result<MemberPath, Refusal> {
        let path = name::path(&entry.link, self.handling, &self.budget.limits);
        path.map_err(|fault| {
            let rule = match fault {
                Fault::Name { rule } => rule,
                _ => "is too long",
            };
            Refusal::of(&entry.name, Fault::Link { rule })
        })
    }

    /// The attributes of what is not on disk yet, or will get them at the end.
    fn attributes(&self, entry: &mut Entry) -> Result<Box<Attributes>, Refusal> {
        let attributes = Attributes::of(entry, self.handling);
        let attributes = attributes.map_err(|fault| Refusal::of(&entry.name, fault))?;
        let held = self.budget.held(attributes.bytes());
        held.map_err(|fault| Refusal::of(&entry.name, fault))?;
        Ok(Box::new(attributes))
    }
}
