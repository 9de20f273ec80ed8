//! Paths as a tree: what lies in what, and which of several entries with one path counts. Pure.

use std::collections::HashMap;

use super::attributes::Kind;
use super::directory::Entry;
use super::error::{Fault, Refusal, quoted};
use super::path::split;
use super::plan::{Catalog, within};

/// Where a node comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Index of the archive.
    pub(super) archive: usize,
    /// Index of the entry in its central directory.
    pub(super) entry: usize,
}

/// A file, directory or link that is to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    /// Relative to the root.
    pub(super) path: &'a [u8],
    /// Index of the directory that it lies in; none for the root.
    pub(super) parent: Option<usize>,
    pub(super) kind: Kind,
    /// None for a directory that is only a part of names.
    pub(super) entry: Option<&'a Entry>,
    /// Of the entry.
    pub(super) origin: Option<Origin>,
}

/// A tree under construction.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    /// Parents before children.
    nodes: Vec<Node<'a>>,
    index: HashMap<&'a [u8], usize>,
    /// The most nodes that there may be.
    allowed: u64,
}

impl<'a> Tree<'a> {
    /// One archive's tree. What is there twice must be the same both times; the later one counts.
    pub(super) fn of(archive: usize, catalog: &'a Catalog, allowed: u64) -> Result<Self, Refusal> {
        let index = HashMap::with_capacity(catalog.entries.len());
        let nodes = Vec::with_capacity(catalog.entries.len());
        let mut tree = Self { nodes, index, allowed };
        for (at, entry) in catalog.entries.iter().enumerate() {
            let path = entry.path.as_bytes();
            if !path.is_empty() {
                let origin = Some(Origin { archive, entry: at });
                let node =
                    Node { path, parent: None, kind: entry.kind, entry: Some(entry), origin };
                tree.insert(node)?;
            }
        }
        Ok(tree)
    }

    /// This tree over an earlier archive's: directories are merged, anything else of this one hides
    /// what has its path, and everything below that.
    pub(super) fn over(mut self, lower: &Self) -> Result<Self, Fault> {
        let mut moved: Vec<Option<usize>> = Vec::with_capacity(lower.nodes.len());
        for node in &lower.nodes {
            let parent = node.parent.map(|parent| moved[parent]);
            let at = match (parent, self.index.get(node.path)) {
                (Some(None), _) => None,
                (_, Some(at)) => self.under(*at, node),
                (parent, None) => Some(self.push(Node { parent: parent.flatten(), ..*node })?),
            };
            moved.push(at);
        }
        Ok(self)
    }

    /// The nodes, parents before children.
    pub(super) fn into_nodes(self) -> Vec<Node<'a>> {
        self.nodes
    }

    /// A lower node with the path of the one `at`: shared by directories, else hidden.
    fn under(&mut self, at: usize, lower: &Node<'a>) -> Option<usize> {
        let upper = &mut self.nodes[at];
        if upper.kind != Kind::Directory || lower.kind != Kind::Directory {
            return None;
        }
        if upper.entry.is_none() {
            (upper.entry, upper.origin) = (lower.entry, lower.origin);
        }
        Some(at)
    }

    fn insert(&mut self, mut node: Node<'a>) -> Result<(), Refusal> {
        if let (Some(directory), _) = split(node.path) {
            node.parent = Some(self.directory(directory, node.path)?);
        }
        match self.index.get(node.path) {
            None => self.push(node).map(drop).map_err(|fault| Refusal::of(node.path, fault)),
            Some(at) => self.again(*at, node),
        }
    }

    /// The node of a directory that `below` needs, made if it is not there, with those it lies in.
    fn directory(&mut self, path: &'a [u8], below: &[u8]) -> Result<usize, Refusal> {
        let mut missing = Vec::new();
        let (mut next, mut parent) = (Some(path), None);
        while let Some(path) = next {
            parent = self.index.get(path).copied();
            if parent.is_some() {
                break;
            }
            missing.push(path);
            next = split(path).0;
        }
        if let Some(node) = parent.map(|at| &self.nodes[at]).filter(|at| at.kind != Kind::Directory)
        {
            return Err(Refusal::of(node.path, Fault::Conflict { other: quoted(below) }));
        }
        for path in missing.into_iter().rev() {
            let node = Node { path, parent, kind: Kind::Directory, entry: None, origin: None };
            parent = Some(self.push(node).map_err(|fault| Refusal::of(below, fault))?);
        }
        Ok(parent.unwrap_or_default())
    }

    /// A second entry with one path.
    fn again(&mut self, at: usize, node: Node<'a>) -> Result<(), Refusal> {
        let first = &mut self.nodes[at];
        let fault = match (first.kind, node.kind) {
            (Kind::Directory, Kind::Directory) => None,
            (Kind::Directory, _) => Some(Fault::Conflict { other: "another entry".to_owned() }),
            _ if first.entry.zip(node.entry).is_some_and(same) => None,
            _ => Some(Fault::Duplicate),
        };
        if let Some(fault) = fault {
            return Err(Refusal::of(node.path, fault));
        }
        (first.entry, first.origin) = (node.entry, node.origin);
        Ok(())
    }

    fn push(&mut self, node: Node<'a>) -> Result<usize, Fault> {
        let at = self.nodes.len();
        within("entries and directories", at as u64 + 1, self.allowed)?;
        self.index.insert(node.path, at);
        self.nodes.push(node);
        Ok(at)
    }
}

/// Whether two entries say that they have the same contents.
fn same((first, second): (&Entry, &Entry)) -> bool {
    let facts = |entry: &Entry| (entry.kind, entry.size, entry.crc);
    facts(first) == facts(second)
}
