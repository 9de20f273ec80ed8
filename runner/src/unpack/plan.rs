//! What is to be written: the entries of all archives as one tree, checked before the first write.
//! Pure. Later archives win, as Lambda's layers do; within one archive nothing may contradict.

use std::collections::BTreeMap;

use super::Stats;
use super::attributes::Kind;
use super::directory::{Entry, LOCAL};
use super::error::{Fault, Refusal, quoted};
use super::limits::Limits;
use super::path::split;

/// Something of one archive that is to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    /// Index of the archive.
    pub(super) archive: usize,
    pub(super) entry: &'a Entry,
}

/// A checked tree.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    /// Parents before children; none for directories that are only parts of names.
    pub(super) directories: Vec<(Vec<u8>, Option<&'a Entry>)>,
    /// Files and directories with headers of their own, in the order in which their bytes arrive.
    pub(super) headers: Vec<Item<'a>>,
    pub(super) links: Vec<Item<'a>>,
    /// Of all contents when unpacked.
    pub(super) bytes: u64,
}

impl Plan<'_> {
    /// What it will come to.
    pub(super) fn stats(&self) -> Stats {
        let files = self.headers.iter().filter(|item| item.entry.kind == Kind::File).count();
        Stats {
            files,
            directories: self.directories.len(),
            links: self.links.len(),
            bytes: self.bytes,
        }
    }
}

type Tree<'a> = BTreeMap<Vec<u8>, Option<Item<'a>>>;

/// Checks that no two of one archive's entries share bytes, and notes for each where the next thing
/// begins. Behind the last is the central directory, at `end`.
pub(super) fn check(entries: &mut [Entry], end: u64) -> Result<(), Refusal> {
    let mut order: Vec<&mut Entry> = entries.iter_mut().collect();
    order.sort_by_key(|entry| entry.offset);
    let mut next = (end, "the central directory".to_owned());
    for entry in order.into_iter().rev() {
        let least = LOCAL + entry.raw.len() as u64;
        let stop =
            entry.offset.checked_add(least).and_then(|start| start.checked_add(entry.packed));
        if stop.is_none_or(|stop| stop > next.0) {
            return Err(Refusal::of(&entry.raw, Fault::Overlap { other: next.1 }));
        }
        entry.next = next.0;
        next = (entry.offset, quoted(&entry.raw));
    }
    Ok(())
}

/// Puts all archives' entries together.
pub(super) fn plan<'a>(
    archives: &'a [Vec<Entry>],
    limits: &Limits,
) -> Result<Plan<'a>, (usize, Refusal)> {
    let mut tree = Tree::new();
    let (mut bytes, mut links) = (0_u64, 0_u64);
    for (archive, entries) in archives.iter().enumerate() {
        for entry in entries {
            bytes = bytes.saturating_add(entry.size);
            links = links.saturating_add(if entry.kind == Kind::Link { entry.size } else { 0 });
        }
        within("bytes when unpacked", bytes, limits.unpacked_bytes)
            .map_err(|fault| (archive, fault.into()))?;
        within("bytes of link targets", links, limits.link_bytes)
            .map_err(|fault| (archive, fault.into()))?;
        let own = own_tree(archive, entries).map_err(|refusal| (archive, refusal))?;
        merge(&mut tree, own);
        within("entries", tree.len() as u64, limits.entries)
            .map_err(|fault| (archive, fault.into()))?;
    }
    Ok(Plan { bytes, ..sorted(tree) })
}

fn within(what: &'static str, found: u64, allowed: u64) -> Result<(), Fault> {
    if found > allowed { Err(Fault::Limit { what, found, allowed }) } else { Ok(()) }
}

/// One archive's tree. The same path twice must be the same thing twice; what has something below
/// it must be a directory.
fn own_tree(archive: usize, entries: &[Entry]) -> Result<Tree<'_>, Refusal> {
    let mut tree = Tree::new();
    for entry in entries.iter().filter(|entry| !entry.path.as_bytes().is_empty()) {
        let refuse = |fault| Refusal::of(&entry.raw, fault);
        let item = Item { archive, entry };
        match tree.insert(entry.path.as_bytes().to_vec(), Some(item)) {
            Some(Some(first)) if !same(first.entry, entry) => return Err(refuse(Fault::Duplicate)),
            Some(_) | None => {}
        }
    }
    for entry in entries {
        let mut path = entry.path.as_bytes();
        while let (Some(parent), _) = split(path) {
            match tree.get(parent) {
                Some(Some(item)) if item.entry.kind != Kind::Directory => {
                    let other = quoted(&entry.raw);
                    return Err(Refusal::of(&item.entry.raw, Fault::Conflict { other }));
                }
                Some(_) => break,
                None => drop(tree.insert(parent.to_vec(), None)),
            }
            path = parent;
        }
    }
    Ok(tree)
}

fn same(first: &Entry, second: &Entry) -> bool {
    let facts = |entry: &Entry| (entry.kind, entry.size, entry.crc);
    facts(first) == facts(second)
}

/// Lays `own` over `tree`.
fn merge<'a>(tree: &mut Tree<'a>, own: Tree<'a>) {
    for (path, item) in own {
        let directory = item.is_none_or(|item| item.entry.kind == Kind::Directory);
        if !directory {
            remove_below(tree, &path);
        }
        match (tree.get(&path), item) {
            // A name's part says nothing about a directory that is already there.
            (Some(Some(there)), None) if there.entry.kind == Kind::Directory => {}
            _ => drop(tree.insert(path, item)),
        }
    }
}

fn remove_below(tree: &mut Tree<'_>, path: &[u8]) {
    let (first, last) = ([path, b"/"].concat(), [path, b"0"].concat());
    let below: Vec<Vec<u8>> = tree.range(first..last).map(|(path, _)| path.clone()).collect();
    for path in below {
        tree.remove(&path);
    }
}

fn sorted(tree: Tree<'_>) -> Plan<'_> {
    let mut plan = Plan::default();
    for (path, item) in tree {
        match item {
            None => plan.directories.push((path, None)),
            Some(item) if item.entry.kind == Kind::Link => plan.links.push(item),
            Some(item) => {
                plan.headers.push(item);
                if item.entry.kind == Kind::Directory {
                    plan.directories.push((path, Some(item.entry)));
                }
            }
        }
    }
    plan.headers.sort_by_key(|item| (item.archive, item.entry.offset));
    plan
}
