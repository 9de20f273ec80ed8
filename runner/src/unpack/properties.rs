//! What holds for any package, hostile or honest: nothing outside the directory is touched, no more is
//! read or written than is allowed, and what is written is what the entries say.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::tests::unpack;
use super::zip::{Member, directory, extra, file, link, zip};
use super::{Archive, Limits, Source, Stats, UnpackError, end, reader};

/// An archive in memory that allows no reads but those that are promised.
struct Strict<'a>(&'a [u8]);

impl Source for Strict<'_> {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let most = (end::LONGEST.max(small().directory_bytes)).max(reader::BUFFER as u64);
        assert!(buffer.len() as u64 <= most, "{} bytes at once", buffer.len());
        assert!(offset + buffer.len() as u64 <= self.len(), "read behind the end");
        self.0.read_at(offset, buffer)
    }
}

fn small() -> Limits {
    Limits { unpacked_bytes: 3000, entries: 12, depth: 6, link_bytes: 90, ..Limits::default() }
}

/// What shows that a file was touched.
#[derive(Debug, PartialEq)]
struct Seen(u32, u64, [i64; 4], Vec<u8>);

/// All that is below a directory but the root of the package, without following links.
fn seen(directory: &Path, root: &Path, into: &mut BTreeMap<PathBuf, Seen>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let found = fs::symlink_metadata(&path).unwrap();
        if path == root {
            continue;
        }
        if found.is_dir() {
            seen(&path, root, into);
        }
        let contents = if found.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
        into.insert(path, Seen(found.mode(), found.ino(), times, contents));
    }
}

/// A directory in which everything is a canary but the directory to unpack into.
struct Sandbox {
    directory: tempfile::TempDir,
    before: BTreeMap<PathBuf, Seen>,
}

impl Sandbox {
    fn new(ready: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir_all(path("canaries/d")).unwrap();
        fs::write(path("canaries/file"), "sings").unwrap();
        fs::write(path("canaries/d/file"), "sings").unwrap();
        symlink("file", path("canaries/link")).unwrap();
        if ready {
            fs::create_dir(path("root")).unwrap();
        }
        let mut before = BTreeMap::new();
        seen(directory.path(), &path("root"), &mut before);
        Self { directory, before }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// Unpacks, and looks at everything.
    fn unpack(&self, packages: &[Vec<u8>]) -> Result<Stats, UnpackError> {
        let ready = self.root().exists();
        let sources: Vec<_> = packages.iter().map(|package| Strict(package)).collect();
        let archives: Vec<_> =
            sources.iter().map(|source| Archive { name: "zip", source }).collect();
        let result = unpack(&archives, &self.root(), &small());
        let mut after = BTreeMap::new();
        seen(self.directory.path(), &self.root(), &mut after);
        assert_eq!(after, self.before, "{result:?}");
        match &result {
            Ok(stats) => assert_eq!(*stats, count(&self.root())),
            Err(error) => {
                assert!(error.is_refusal(), "{error}");
                assert_eq!(self.root().exists(), ready, "{error}");
                assert!(!ready || fs::read_dir(self.root()).unwrap().next().is_none(), "{error}");
            }
        }
        result
    }
}

/// Counts what was unpacked.
fn count(root: &Path) -> Stats {
    let mut below = BTreeMap::new();
    seen(root, root, &mut below);
    let mut stats = Stats { files: 0, directories: 0, links: 0, bytes: 0 };
    for path in below.keys() {
        let found = fs::symlink_metadata(path).unwrap();
        let (number, bytes) = match () {
            () if found.is_dir() => (&mut stats.directories, 0),
            () if found.is_symlink() => (&mut stats.links, found.len()),
            () => (&mut stats.files, found.len()),
        };
        *number += 1;
        stats.bytes += bytes;
    }
    stats
}

/// Names and targets that try to get out, and some that do not.
#[derive(Clone, Debug)]
struct Hostile {
    name: String,
    target: &'static str,
    mode: u32,
    host: u8,
}

impl Hostile {
    fn any() -> impl Strategy<Value = Self> {
        let usual = ["a", "b", "l"].repeat(7);
        let odd = vec!["..", ".", "", "canaries", "file", r"\", r"a\.."];
        let parts = [usual, odd].concat();
        let name = prop::collection::vec(select(parts), 1..4);
        let targets = ["..", ".", "/", "../canaries", "../canaries/file", "a", "l", "", ABSOLUTE];
        let modes = [0o100_644, 0o120_777, 0o120_777, 0o040_755, 0o106_777, 0];
        let target = select(targets.to_vec());
        let rest = (select(modes.to_vec()), select(vec![3, 3, 3, 0, 10, 19]));
        (name.prop_map(|parts| parts.join("/")), target, rest)
            .prop_map(|(name, target, (mode, host))| Self { name, target, mode, host })
    }

    fn member(&self, sandbox: &Sandbox) -> Member {
        let canaries = sandbox.directory.path().join("canaries").display().to_string();
        let target = self.target.replace(ABSOLUTE, &canaries);
        let member = match self.mode {
            0o040_755 => directory(&format!("{}/", self.name)),
            _ => file(&self.name, target),
        };
        member.mode(self.mode).host(self.host)
    }
}

/// Stands for the canaries' absolute path, which is not known yet.
const ABSOLUTE: &str = "(absolute)";

/// An entry as any tool could write it.
#[derive(Clone, Debug)]
struct Honest {
    contents: Vec<u8>,
    mode: u32,
    seconds: Option<i32>,
    deflated: bool,
    streamed: Option<(bool, bool)>,
}

impl Honest {
    fn any() -> impl Strategy<Value = Self> {
        let contents = prop_oneof![Just(Vec::new()), prop::collection::vec(1..=u8::MAX, 1..200)];
        let mode = select(vec![0o100_644, 0o100_755, 0o100_600, 0o104_755, 0o100_444]);
        (contents, mode, any::<Option<i32>>(), any::<bool>(), any::<Option<(bool, bool)>>())
            .prop_map(|(contents, mode, seconds, deflated, streamed)| Self {
                contents,
                mode,
                seconds,
                deflated,
                streamed,
            })
    }

    fn member(&self, name: &str) -> Member {
        let plain = file(name, &self.contents).mode(self.mode).both(|facts| {
            let times = self.seconds.map(|seconds| [&[1], &seconds.to_le_bytes()[..]].concat());
            facts.extra = times.map_or(Vec::new(), |times| extra(0x5455, &times));
        });
        let packed = if self.deflated { plain.deflated() } else { plain };
        match self.streamed {
            Some((signature, wide)) => packed.streamed(signature, wide),
            None => packed,
        }
    }

    fn is_at(&self, path: &Path) -> bool {
        let found = fs::symlink_metadata(path).unwrap();
        let readable = if self.mode & 0o111 == 0 { 0o444 } else { 0o555 };
        found.mode() & 0o7777 == self.mode & 0o755 | readable
            && found.mtime() == self.seconds.map_or(BUILT, i64::from)
            && fs::read(path).unwrap() == self.contents
    }
}

/// When the builder's entries were modified: 2025-01-01.
const BUILT: i64 = 1_735_689_600;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn hostile_layers_touch_nothing_outside(
        layers in prop::collection::vec(prop::collection::vec(Hostile::any(), 1..5), 1..4), ready: bool
    ) {
        let sandbox = Sandbox::new(ready);
        let package = |members: &Vec<Hostile>| {
            zip(&members.iter().map(|member| member.member(&sandbox)).collect::<Vec<_>>())
        };
        let packages: Vec<_> = layers.iter().map(package).collect();
        let _ = sandbox.unpack(&packages);
    }

    #[test]
    fn honest_packages_come_out_as_they_are(entries in prop::collection::vec(Honest::any(), 0..8)) {
        let sandbox = Sandbox::new(false);
        let name = |number: usize| format!("{}f{number}", "d/".repeat(number % 3));
        let members: Vec<Member> =
            entries.iter().enumerate().map(|(number, entry)| entry.member(&name(number))).collect();
        let stats = sandbox.unpack(&[zip(&members)]).unwrap();
        prop_assert_eq!(stats.files, entries.len());
        for (number, entry) in entries.iter().enumerate() {
            prop_assert!(entry.is_at(&sandbox.root().join(name(number))), "{entry:?}");
        }
    }

    #[test]
    fn damaged_packages_touch_nothing_outside_and_read_no_more_than_is_allowed(
        entries in prop::collection::vec(Honest::any(), 1..4),
        hostile in prop::collection::vec(Hostile::any(), 0..3),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.1, any::<Index>()),
        tail in prop_oneof![9 => Just(vec![]), 1 => prop::collection::vec(any::<u8>(), 1..9)],
    ) {
        let sandbox = Sandbox::new(true);
        let honest = entries.iter().enumerate().map(|(at, entry)| entry.member(&format!("a/f{at}")));
        let members: Vec<_> = honest.chain(hostile.iter().map(|entry| entry.member(&sandbox))).collect();
        let mut package = zip(&members);
        for (place, value) in damage {
            let place = place.index(package.len());
            package[place] ^= value;
        }
        let length = cut.map_or(package.len(), |cut| cut.index(package.len()));
        package.truncate(length);
        let _ = sandbox.unpack(&[[package, tail].concat()]);
    }

    #[test]
    fn what_is_more_than_allowed_is_refused_and_nothing_else(
        sizes in prop::collection::vec(0..1500_usize, 0..16), targets in prop::collection::vec(1..60_usize, 0..4)
    ) {
        let files = sizes.iter().enumerate().map(|(at, size)| file(format!("f{at}"), vec![1; *size]));
        let links = targets.iter().enumerate().map(|(at, size)| link(&format!("l{at}"), "x".repeat(*size)));
        let members: Vec<_> = files.chain(links).collect();
        let (bytes, limits) = (sizes.iter().chain(&targets).sum::<usize>() as u64, small());
        let linked = targets.iter().sum::<usize>() as u64;
        let allowed = bytes <= limits.unpacked_bytes
            && linked <= limits.link_bytes
            && members.len() as u64 <= limits.entries;
        prop_assert_eq!(Sandbox::new(false).unpack(&[zip(&members)]).is_ok(), allowed);
    }
}
