//! Links of a layer. Symbolic ones are only remembered; hard ones are made at once where their target is
//! in the same layer.

use nix::fcntl::AtFlags;
use nix::unistd::linkat;

use crate::unpack::Fault;
use crate::unpack::error::Refusal;
use crate::unpack::path::MemberPath;

use super::entry::Entry;
use super::layer::{Stop, Unpacking};
use super::name;
use super::tree::What;

impl Unpacking<'_> {
    /// A symbolic link, to wherever it says.
    pub(super) fn link(&self, entry: &mut Entry) -> Result<What, Stop> {
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
    pub(super) fn hard_link(&self, path: &MemberPath, entry: &Entry) -> Result<What, Stop> {
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

    /// The path of a hard link's target.
    pub(super) fn target(&self, entry: &Entry) -> Result<MemberPath, Refusal> {
        let path = name::path(&entry.link, self.handling, &self.budget.limits);
        path.map_err(|fault| {
            let rule = match fault {
                Fault::Name { rule } => rule,
                _ => "is too long",
            };
            Refusal::of(&entry.name, Fault::Link { rule })
        })
    }
}
