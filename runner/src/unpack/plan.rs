//! What is to be written: the entries of all archives as one tree, and the order in which their bytes
//! are read. Pure. Everything that the central directories can tell is checked here, before the first
//! write.

use std::ops::Range;

use super::Stats;
use super::attributes::Kind;
use super::directory::{Entry, extents};
use super::error::{Fault, Refusal};
use super::limits::Limits;
use super::tree::{Node, Tree};

/// The most bytes of an archive that one job reads at once.
pub(super) const BATCH: u64 = 256 << 10;
/// The most entries of one job: small enough that the last jobs end at about the same time.
const BATCH_ENTRIES: usize = 128;

/// The central directory of one archive.
#[derive(Debug)]
pub(super) struct Catalog {
    /// Its bytes, which hold the names as they are in headers.
    pub(super) bytes: Vec<u8>,
    /// Where it begins, in bytes from the start of the archive.
    pub(super) start: u64,
    /// What it holds.
    pub(super) entries: Vec<Entry>,
}

/// An entry's place in its archive, and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    /// Index of the archive.
    pub(super) archive: usize,
    pub(super) entry: &'a Entry,
    /// Where the next entry, or the central directory, begins.
    pub(super) end: u64,
    /// Index of the node that it becomes; none if something else took its place.
    pub(super) node: Option<usize>,
}

/// Neighbours in one archive that one worker takes together: several small ones or one of any size.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// Index of the archive.
    pub(super) archive: usize,
    /// Where the first one begins.
    pub(super) start: u64,
    /// Indices of the items.
    pub(super) items: Range<usize>,
}

/// A checked tree, and the work to be done for it.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// What it was made of.
    pub(super) catalogs: &'a [Catalog],
    /// Parents before children.
    pub(super) nodes: Vec<Node<'a>>,
    /// All entries, archive by archive, in the order of their bytes.
    pub(super) items: Vec<Item<'a>>,
    /// All items, in the same order.
    pub(super) jobs: Vec<Job>,
}

/// A refusal and the index of the archive that it is about.
pub(super) type At = (usize, Refusal);

impl<'a> Plan<'a> {
    /// Lays later archives over earlier ones. Contradictions within one archive are refused even
    /// where another one covers them.
    pub(super) fn new(catalogs: &'a [Catalog], limits: &Limits) -> Result<Self, At> {
        let mut tree: Option<Tree<'a>> = None;
        for (archive, catalog) in catalogs.iter().enumerate().rev() {
            let at = |refusal| (archive, refusal);
            let own = Tree::of(archive, catalog, limits.entries).map_err(at)?;
            tree = Some(match tree {
                None => own,
                Some(upper) => upper.over(&own).map_err(|fault| at(fault.into()))?,
            });
        }
        let nodes = tree.map(Tree::into_nodes).unwrap_or_default();
        let (items, jobs) = work(catalogs, &nodes)?;
        Ok(Self { catalogs, nodes, items, jobs })
    }

    /// What each archive will come to.
    pub(super) fn stats(&self) -> Vec<Stats> {
        let mut stats = vec![Stats::default(); self.catalogs.len()];
        let last = self.catalogs.len().saturating_sub(1);
        for node in &self.nodes {
            let of = &mut stats[node.origin.map_or(last, |origin| origin.archive)];
            match node.kind {
                Kind::File => of.files += 1,
                Kind::Directory => of.directories += 1,
                Kind::Link => of.links += 1,
            }
            of.bytes += node.entry.map_or(0, |entry| entry.size);
        }
        stats
    }
}

/// Checks what all archives ask for together, what is covered by later ones included.
pub(super) fn sums(catalogs: &[Catalog], limits: &Limits) -> Result<(), At> {
    let (mut bytes, mut links, mut entries) = (0_u64, 0_u64, 0_u64);
    for (archive, catalog) in catalogs.iter().enumerate() {
        for entry in &catalog.entries {
            entries += 1;
            bytes = bytes.saturating_add(entry.size);
            links = links.saturating_add(if entry.kind == Kind::Link { entry.size } else { 0 });
        }
        let at = |fault: Fault| (archive, fault.into());
        within("bytes when unpacked", bytes, limits.unpacked_bytes).map_err(at)?;
        within("bytes of link targets", links, limits.link_bytes).map_err(at)?;
        within("entries", entries, limits.entries).map_err(at)?;
    }
    Ok(())
}

/// Refuses a number above a limit.
pub(super) const fn within(what: &'static str, found: u64, allowed: u64) -> Result<(), Fault> {
    if found > allowed { Err(Fault::Limit { what, found, allowed }) } else { Ok(()) }
}

/// The items in the order of their bytes, and the jobs that they make.
fn work<'a>(catalogs: &'a [Catalog], nodes: &[Node<'a>]) -> Result<(Vec<Item<'a>>, Vec<Job>), At> {
    let mut items = Vec::with_capacity(catalogs.iter().map(|catalog| catalog.entries.len()).sum());
    let mut jobs = Vec::new();
    let winners = winners(catalogs, nodes);
    for (archive, (catalog, winners)) in catalogs.iter().zip(winners).enumerate() {
        let first = items.len();
        let mut order: Vec<usize> = (0..catalog.entries.len()).collect();
        order.sort_by_key(|index| catalog.entries[*index].offset);
        let entries: Vec<&Entry> = order.iter().map(|index| &catalog.entries[*index]).collect();
        let ends = extents(&entries, &catalog.bytes, catalog.start);
        let ends = ends.map_err(|refusal| (archive, refusal))?;
        let own = order.iter().zip(entries).zip(ends);
        items.extend(own.map(|((index, entry), end)| Item {
            archive,
            entry,
            end,
            node: winners[*index],
        }));
        batch(archive, &items, first, &mut jobs);
    }
    Ok((items, jobs))
}

/// For each entry of each archive the node that it becomes.
fn winners(catalogs: &[Catalog], nodes: &[Node<'_>]) -> Vec<Vec<Option<usize>>> {
    let none = |catalog: &Catalog| vec![None; catalog.entries.len()];
    let mut winners: Vec<_> = catalogs.iter().map(none).collect();
    for (node, origin) in nodes.iter().enumerate().filter_map(|(at, node)| Some((at, node.origin?)))
    {
        winners[origin.archive][origin.entry] = Some(node);
    }
    winners
}

/// Makes jobs of the items from `first` on.
fn batch(archive: usize, items: &[Item<'_>], first: usize, jobs: &mut Vec<Job>) {
    let mut from = first;
    while let Some(item) = items.get(from) {
        let start = item.entry.offset;
        let fits = |item: &&Item<'_>| item.end - start <= BATCH;
        let more = items[from..].iter().take(BATCH_ENTRIES).take_while(fits).count().max(1);
        jobs.push(Job { archive, start, items: from..from + more });
        from += more;
    }
}

#[cfg(test)]
mod tests {
    use super::{BATCH_ENTRIES, Catalog, Plan};
    use crate::unpack::attributes::Kind;
    use crate::unpack::limits::Limits;
    use crate::unpack::zip::{Member, directory, file, zip};
    use crate::unpack::{Archive, UnpackError};

    fn catalogs(packages: &[Vec<Member>]) -> Vec<Catalog> {
        let read = |members: &Vec<Member>| -> Result<Catalog, UnpackError> {
            let bytes = zip(members);
            Catalog::read(&Archive { name: "zip", source: &&bytes[..] }, &Limits::default())
        };
        packages.iter().map(|members| read(members).unwrap()).collect()
    }

    #[test]
    fn parents_come_before_children_and_are_their_parents() {
        let upper = vec![file("x/y/z", "1"), file("a/b/c", "1"), directory("a/")];
        let lower = vec![file("a/b/d/e", "1"), file("q", "1"), file("x/y/w", "1")];
        let catalogs = catalogs(&[lower, upper]);
        let plan = Plan::new(&catalogs, &Limits::default()).unwrap();
        assert_eq!(plan.nodes.len(), 10);
        for (at, node) in plan.nodes.iter().enumerate() {
            let Some(parent) = node.parent else { continue };
            assert!(parent < at && plan.nodes[parent].kind == Kind::Directory);
            assert!(node.path.starts_with(plan.nodes[parent].path));
        }
    }

    #[test]
    fn each_node_is_made_by_one_item() {
        let lower = vec![file("a", "1"), file("b/c", "1"), file("d", "1")];
        let upper = vec![file("a", "2"), file("b", "2"), file("b", "2")];
        let catalogs = catalogs(&[lower, upper]);
        let plan = Plan::new(&catalogs, &Limits::default()).unwrap();
        let made: Vec<_> = plan
            .items
            .iter()
            .filter_map(|item| Some((item.archive, plan.nodes[item.node?].path)))
            .collect();
        assert_eq!(made, [(0, &b"d"[..]), (1, b"a"), (1, b"b")]);
        assert_eq!(plan.stats().iter().map(|stats| stats.files).sum::<usize>(), 3);
    }

    #[test]
    fn jobs_are_neighbours_in_order_and_large_ones_are_alone() {
        let small = |at: usize| file(format!("s{at}"), "x");
        let large = file("large", vec![0; 1 << 20]);
        let members: Vec<_> =
            (0..200).map(small).chain([large]).chain((200..210).map(small)).collect();
        let catalogs = catalogs(&[members.clone(), members]);
        let plan = Plan::new(&catalogs, &Limits::default()).unwrap();
        let lengths: Vec<_> = plan.jobs.iter().map(|job| (job.archive, job.items.len())).collect();
        let own = [BATCH_ENTRIES, 200 - BATCH_ENTRIES, 1, 10];
        let expected: Vec<_> =
            [0, 1].iter().flat_map(|at| own.map(|length| (*at, length))).collect();
        assert_eq!(lengths, expected);
        assert!(plan.jobs.is_sorted_by_key(|job| (job.archive, job.start)));
    }
}
