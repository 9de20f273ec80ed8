//! One layer: its entries → `contents`, with `file` and `link`.
//!
//! Links are not made here but at the end of everything: while files are written there is no link on
//! disk, so that no path leads anywhere else. Names have been checked, and what has a path already is
//! taken away before something else gets it.

use std::io::BufRead;
use std::os::fd::OwnedFd;

use nix::sys::stat::mkdirat;

use crate::unpack::error::{Refusal, quoted};
use crate::unpack::path::{MemberPath, split};
use crate::unpack::root::{OPEN, mode};
use crate::unpack::{Fault, UnpackError};

use super::Handling;
use super::archive::{Archive, Trouble};
use super::attributes::Attributes;
use super::budget::Budget;
use super::contents::Contents;
use super::entry::Entry;
use super::header::Kind;
use super::name::{self, Place};
use super::stage::Stage;
use super::tree::{Id, ROOT, What, components};

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

    /// The attributes of what is not on disk yet, or will get them at the end.
    pub(super) fn attributes(&self, entry: &mut Entry) -> Result<Box<Attributes>, Refusal> {
        let attributes = Attributes::of(entry, self.handling);
        let attributes = attributes.map_err(|fault| Refusal::of(&entry.name, fault))?;
        let held = self.budget.held(attributes.bytes());
        held.map_err(|fault| Refusal::of(&entry.name, fault))?;
        Ok(Box::new(attributes))
    }
}
