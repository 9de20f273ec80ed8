//! What is in a layer, or in several laid over each other: directories and what they hold. In memory
//! only. Nothing here is recursive, however deep a tree is.

use std::collections::BTreeMap;

use super::attributes::Attributes;
use crate::unpack::path::MemberPath;

/// A place in the tree.
pub(super) type Id = usize;

/// The directory that all paths start from.
pub(super) const ROOT: Id = 0;

/// What is at a path.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// None of the attributes for a directory that is only a part of names.
    Directory(Option<Box<Attributes>>),
    /// A regular file, with its size; it is on disk and complete.
    File(u64),
    /// A symbolic link, which is not on disk yet.
    Link(Box<[u8]>, Box<Attributes>),
    /// A named pipe, which is not on disk yet.
    Pipe(Box<Attributes>),
    /// A hard link to something in a lower layer, which is not on disk yet.
    Lower(MemberPath),
    /// Something that is not made, but hides what lower layers have there.
    Nothing,
}

impl What {
    /// Whether it is on disk while layers are being unpacked.
    pub(super) const fn on_disk(&self) -> bool {
        matches!(self, Self::Directory(_) | Self::File(_))
    }

    /// Whether it can hold others.
    pub(super) const fn is_directory(&self) -> bool {
        matches!(self, Self::Directory(_))
    }
}

#[derive(Debug)]
struct Node {
    parent: Id,
    name: Box<[u8]>,
    what: What,
    children: BTreeMap<Box<[u8]>, Id>,
}

/// A tree with its root.
#[derive(Debug)]
pub(super) struct Tree(Vec<Node>);

impl Tree {
    /// An empty root.
    pub(super) fn new() -> Self {
        let (name, children) = (Box::default(), BTreeMap::new());
        Self(vec![Node { parent: ROOT, name, what: What::Directory(None), children }])
    }

    /// What is there.
    pub(super) fn what(&self, id: Id) -> &What {
        &self.0[id].what
    }

    /// What is there, to be changed, but not from a directory to something else.
    pub(super) fn what_mut(&mut self, id: Id) -> &mut What {
        &mut self.0[id].what
    }

    /// The directory in which it lies.
    pub(super) fn parent(&self, id: Id) -> Id {
        self.0[id].parent
    }

    /// Its name in that directory.
    pub(super) fn name(&self, id: Id) -> &[u8] {
        &self.0[id].name
    }

    /// One of the children.
    pub(super) fn child(&self, id: Id, name: &[u8]) -> Option<Id> {
        self.0[id].children.get(name).copied()
    }

    /// All children, by name.
    pub(super) fn children(&self, id: Id) -> Vec<Id> {
        self.0[id].children.values().copied().collect()
    }

    /// What is at a path; links on the way are not followed.
    pub(super) fn find(&self, path: &[u8]) -> Option<Id> {
        components(path).try_fold(ROOT, |at, name| self.child(at, name))
    }

    /// The path of something, `.` for the root.
    pub(super) fn path(&self, id: Id) -> Vec<u8> {
        if id == ROOT {
            return b".".to_vec();
        }
        let mut names = Vec::new();
        let mut next = id;
        while next != ROOT {
            names.push(&*self.0[next].name);
            next = self.0[next].parent;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// Adds something that is not there yet.
    pub(super) fn add(&mut self, parent: Id, name: &[u8], what: What) -> Id {
        let id = self.0.len();
        self.0[parent].children.insert(name.into(), id);
        self.0.push(Node { parent, name: name.into(), what, children: BTreeMap::new() });
        id
    }

    /// Everything from `id` down, directories before what they hold.
    pub(super) fn below(&self, id: Id) -> Vec<Id> {
        let mut found = vec![id];
        let mut next = 0;
        while let Some(at) = found.get(next) {
            found.extend(self.0[*at].children.values());
            next += 1;
        }
        found
    }

    /// Takes something out, with all that it holds.
    pub(super) fn remove(&mut self, id: Id) {
        let Node { parent, name, .. } = &self.0[id];
        let (parent, name) = (*parent, name.clone());
        self.0[parent].children.remove(&name);
        for gone in self.below(id) {
            self.0[gone].children.clear();
        }
    }

    /// Moves something out of another tree into a directory of this one, with all that it holds.
    pub(super) fn graft(&mut self, parent: Id, from: &mut Self, id: Id) {
        let mut moved = vec![(parent, id)];
        while let Some((parent, id)) = moved.pop() {
            let node = &mut from.0[id];
            let children = std::mem::take(&mut node.children);
            let what = std::mem::replace(&mut node.what, What::Nothing);
            let here = self.add(parent, &std::mem::take(&mut node.name), what);
            moved.extend(children.into_values().map(|child| (here, child)));
        }
    }
}

/// The names that a path consists of.
pub(super) fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{ROOT, Tree, What};

    #[test]
    fn trees_are_found_removed_and_moved_by_path() {
        let mut tree = Tree::new();
        let a = tree.add(ROOT, b"a", What::Directory(None));
        let b = tree.add(a, b"b", What::Directory(None));
        let c = tree.add(b, b"c", What::File(1));
        assert_eq!((tree.path(c), tree.path(ROOT)), (b"a/b/c".to_vec(), b".".to_vec()));
        assert_eq!(
            (tree.find(b"a/b/c"), tree.find(b""), tree.find(b"a/c")),
            (Some(c), Some(ROOT), None)
        );
        assert_eq!(tree.below(a), [a, b, c]);
        let mut other = Tree::new();
        other.graft(ROOT, &mut tree, b);
        assert!(matches!(other.find(b"b/c").map(|id| other.what(id)), Some(What::File(1))));
        other.remove(other.find(b"b").unwrap());
        assert_eq!(other.below(ROOT), [ROOT]);
    }

    #[test]
    fn a_deep_tree_does_not_overflow_the_stack() {
        let (mut tree, mut other) = (Tree::new(), Tree::new());
        let deep = (0..1_000_000).fold(ROOT, |at, _| tree.add(at, b"d", What::Directory(None)));
        assert_eq!(tree.path(deep).len(), 1_999_999);
        other.graft(ROOT, &mut tree, 1);
        assert_eq!(other.below(ROOT).len(), 1_000_001);
        other.remove(1);
    }
}
