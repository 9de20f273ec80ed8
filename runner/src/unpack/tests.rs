//! Whole packages, made byte by byte, into real directories: what is written, what is refused, and
//! that nothing else is ever touched.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::zip::{Member, directory, extra, file, link, zip, zip_behind};
use super::{Archive, Fault, Limits, Progress, Source, Stats, Target, UnpackError};

fn unpacked(archives: &[Vec<u8>], root: &Path) -> Result<Stats, UnpackError> {
    let sources: Vec<&[u8]> = archives.iter().map(Vec::as_slice).collect();
    let archives: Vec<Archive<'_>> =
        sources.iter().map(|source| Archive { name: "zip", source }).collect();
    unpack(&archives, root, &Limits::default())
}

/// All archives into one directory.
pub(super) fn unpack(
    archives: &[Archive<'_>],
    root: &Path,
    limits: &Limits,
) -> Result<Stats, UnpackError> {
    let stats = super::unpack(&[Target { root, archives }], limits, &Progress::default())?;
    Ok(stats.into_iter().fold(Stats::default(), |sum, of| Stats {
        files: sum.files + of.files,
        directories: sum.directories + of.directories,
        links: sum.links + of.links,
        bytes: sum.bytes + of.bytes,
    }))
}

/// What is below a directory: contents, link targets with an arrow, directories with a slash.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_symlink() {
                found.insert(name, format!("-> {}", fs::read_link(&path).unwrap().display()));
            } else if kind.is_dir() {
                found.insert(name + "/", String::new());
                open.push(path);
            } else {
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

fn names(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, contents)| ((*name).to_owned(), (*contents).to_owned())).collect()
}

/// The tree of packages laid over each other.
fn accepted(archives: &[Vec<u8>]) -> BTreeMap<String, String> {
    let root = tempfile::tempdir().unwrap();
    unpacked(archives, root.path()).unwrap();
    tree(root.path())
}

/// The fault of a package, after which nothing may be left.
fn refused(package: Vec<u8>) -> Fault {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("deep/root");
    let error = unpacked(&[package], &root).unwrap_err();
    assert!(tree(parent.path()).is_empty(), "{error} left something behind");
    assert!(error.is_refusal());
    match error {
        UnpackError::Entry { fault, .. } | UnpackError::Archive { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn a_package_has_its_files_links_modes_and_times() {
    let root = tempfile::tempdir().unwrap();
    let utc = extra(0x5455, &[1, 1, 2, 3, 4]);
    let run = file("bin/run", "#!").mode(0o100_700).deflated();
    let dated = file("a", "x").both(|facts| facts.extra.clone_from(&utc));
    let package = zip(&[run, link("bin/again", "run"), dated, directory("empty/").mode(0o040_500)]);
    let stats = unpacked(&[package], root.path()).unwrap();
    assert_eq!(stats, Stats { files: 2, directories: 2, links: 1, bytes: 6 });
    let expected =
        [("a", "x"), ("bin/", ""), ("bin/again", "-> run"), ("bin/run", "#!"), ("empty/", "")];
    assert_eq!(tree(root.path()), names(&expected));
    let seen = |name: &str| {
        let metadata = fs::symlink_metadata(root.path().join(name)).unwrap();
        (metadata.permissions().mode() & 0o7777, metadata.mtime())
    };
    // 2025-01-01 in MS-DOS time.
    assert_eq!(seen("bin/run"), (0o755, 1_735_689_600));
    assert_eq!(seen("bin/again").1, 1_735_689_600);
    assert_eq!(seen("empty"), (0o555, 1_735_689_600));
    assert_eq!(seen("a"), (0o644, 0x0403_0201));
}

#[test]
fn a_directory_that_does_not_exist_is_made_and_one_that_is_full_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("deep/er");
    unpacked(&[zip(&[file("a", "x")])], &root).unwrap();
    assert!(matches!(unpacked(&[zip(&[])], &root), Err(UnpackError::Occupied { .. })));
    assert_eq!(tree(&root), names(&[("a", "x")]));
}

#[test]
fn an_empty_package_is_an_empty_directory() {
    assert_eq!(accepted(&[zip(&[])]), names(&[]));
    assert_eq!(accepted(&[zip(&[directory("./")])]), names(&[]));
    assert_eq!(accepted(&[]), names(&[]));
}

#[test]
fn later_archives_win_file_by_file_and_kind_by_kind() {
    let first = zip(&[file("a", "1"), file("d/x/y", "1"), file("f", "1"), file("m/1", "1")]);
    let second = zip(&[file("a", "2"), file("d", "2"), file("f/y", "2"), file("m/2", "2")]);
    let expected =
        [("a", "2"), ("d", "2"), ("f/", ""), ("f/y", "2"), ("m/", ""), ("m/1", "1"), ("m/2", "2")];
    assert_eq!(accepted(&[first, second]), names(&expected));
}

#[test]
fn a_later_directory_replaces_an_earlier_link() {
    let first = zip(&[link("python", "/etc"), link("lib", "lib64")]);
    let second = zip(&[file("python/x", "2")]);
    let expected = [("lib", "-> lib64"), ("python/", ""), ("python/x", "2")];
    assert_eq!(accepted(&[first, second]), names(&expected));
}

#[test]
fn what_is_covered_must_be_right_by_itself() {
    let first = zip(&[file("a", "1"), file("a/b", "1")]);
    let parent = tempfile::tempdir().unwrap();
    let error = unpacked(&[first, zip(&[directory("a/")])], parent.path()).unwrap_err();
    assert!(matches!(error, UnpackError::Entry { fault: Fault::Conflict { .. }, .. }), "{error}");
}

#[test]
fn names_that_leave_the_directory_are_refused() {
    for name in ["../a", "/a", "a/../../b", "a\0b", ""] {
        let fault = refused(zip(&[file("good", "x"), file(name, "x")]));
        assert!(matches!(fault, Fault::Name { .. }), "{name:?}: {fault}");
    }
    let windows = file(r"..\a", "x").host(0);
    assert!(matches!(refused(zip(&[windows])), Fault::Name { .. }));
}

#[test]
fn nothing_is_written_through_a_link() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap().as_bytes();
    let fault = refused(zip(&[link("out", target), file("out/file", "x")]));
    assert!(matches!(fault, Fault::Conflict { .. }), "{fault}");
    let first = zip(&[link("out", target)]);
    assert_eq!(accepted(&[first, zip(&[file("out/file", "x")])]).len(), 2);
    assert!(tree(outside.path()).is_empty());
}

#[test]
fn links_are_kept_as_they_are_dangling_and_absolute_ones_too() {
    let expected = [("a", "-> /nowhere"), ("b", "-> ../../up"), ("c/", ""), ("c/d", "-> ../a")];
    let package = zip(&[link("a", "/nowhere"), link("b", "../../up"), link("c/d", "../a")]);
    assert_eq!(accepted(&[package]), names(&expected));
}

#[test]
fn link_targets_are_paths() {
    assert!(matches!(refused(zip(&[link("a", "")])), Fault::Link { .. }));
    assert!(matches!(refused(zip(&[link("a", "b\0c")])), Fault::Link { .. }));
    assert!(matches!(refused(zip(&[link("a", vec![b'x'; 4096])])), Fault::Limit { .. }));
}

#[test]
fn contradictions_within_a_package_are_refused() {
    assert_eq!(refused(zip(&[file("a", "1"), file("a", "2")])), Fault::Duplicate);
    assert_eq!(refused(zip(&[file("a", "1"), file("./a", "2")])), Fault::Duplicate);
    assert_eq!(refused(zip(&[file("a", "1"), link("a", "1")])), Fault::Duplicate);
    for members in [
        [file("a", "1"), file("a/b", "2")],
        [file("a/b", "2"), file("a", "1")],
        [link("a", "1"), file("a/b/c", "2")],
    ] {
        assert!(matches!(refused(zip(&members)), Fault::Conflict { .. }));
    }
}

#[test]
fn the_same_thing_twice_is_that_thing() {
    let package = zip(&[directory("d/"), file("d/a", "1"), file("d/a", "1"), directory("d/")]);
    assert_eq!(accepted(&[package]), names(&[("d/", ""), ("d/a", "1")]));
}

#[test]
fn data_descriptors_come_in_four_shapes() {
    for (signature, wide) in [(false, false), (false, true), (true, false), (true, true)] {
        let members = ["", "abc"].map(|contents| {
            let name = format!("f{}", contents.len());
            [file(&name, contents), file(name + "d", contents).deflated()]
        });
        let members = members.concat().into_iter().map(|member| member.streamed(signature, wide));
        let expected = [("f0", ""), ("f0d", ""), ("f3", "abc"), ("f3d", "abc")];
        assert_eq!(accepted(&[zip(&members.collect::<Vec<_>>())]), names(&expected));
    }
}

#[test]
fn a_descriptor_must_be_true() {
    let mut lie = file("a", "abc").streamed(true, false);
    lie.behind[4] ^= 1;
    assert!(matches!(refused(zip(&[lie])), Fault::Structure { .. }));
    let none = Member { behind: Vec::new(), ..file("a", "abc").streamed(true, false) };
    assert!(matches!(refused(zip(&[none])), Fault::Structure { .. }));
}

#[test]
fn the_local_header_must_agree() {
    let lies: [fn(Member) -> Member; 5] = [
        |member| member.local(|facts| facts.method = 8),
        |member| member.local(|facts| facts.flags = 1),
        |member| member.local(|facts| facts.crc ^= 1),
        |member| member.local(|facts| facts.size += 1),
        |member| member.local(|facts| facts.flags = 8).local(|facts| facts.packed += 1),
    ];
    for lie in lies {
        let fault = refused(zip(&[file("z", "1"), lie(file("a", "123"))]));
        assert!(matches!(fault, Fault::Disagreement { .. }), "{fault}");
    }
    let renamed = file("a", "1").local(|facts| facts.name = b"b".to_vec());
    assert!(refused(zip(&[renamed])).to_string().ends_with(r#"found "b""#));
}

#[test]
fn hidden_entries_are_refused_and_gaps_are_not() {
    let hidden = zip(&[file("hidden", "x")]);
    let package = |gap: &[u8]| zip(&[file("a", "1").behind(gap), file("b", "2")]);
    assert!(matches!(refused(package(&hidden)), Fault::Structure { .. }));
    assert_eq!(accepted(&[package(b"some padding")]).len(), 2);
}

#[test]
fn only_a_script_line_may_come_first() {
    let members = [file("__main__.py", "1")];
    assert_eq!(accepted(&[zip_behind(b"#!/usr/bin/python3\n", &members)]).len(), 1);
    for prefix in [&b"x"[..], b"junk", &zip(&members)] {
        assert!(matches!(refused(zip_behind(prefix, &members)), Fault::Structure { .. }));
    }
}

#[test]
fn what_is_found_late_leaves_nothing_either() {
    let package = |bad: Member| {
        let mut members: Vec<Member> =
            (0..300).map(|index| file(format!("d{}/f{index}", index % 7), "x")).collect();
        members.push(directory("closed/").mode(0o040_500));
        members.push(bad);
        zip(&members)
    };
    let bad = Member { data: b"xyz".to_vec(), ..file("a", "123") };
    assert!(matches!(refused(package(bad)), Fault::Checksum { .. }));
    let mut truncated = file("a", "1234567890".repeat(50)).deflated();
    let less = u32::try_from(truncated.data.len() - 1).unwrap();
    truncated.data.pop();
    let truncated = truncated.both(|facts| facts.packed = less);
    assert_eq!(refused(package(truncated)), Fault::Data { what: "end too early" });
    let longer = file("a", "123").deflated().both(|facts| facts.size = 2);
    assert!(matches!(refused(package(longer)), Fault::Size { .. }));
    let shorter = file("a", "123").deflated().both(|facts| facts.size = 4);
    assert!(matches!(refused(package(shorter)), Fault::Size { .. }));
    let mut more = file("a", "123").deflated().both(|facts| facts.packed += 1);
    more.data.push(0);
    assert_eq!(refused(package(more)), Fault::Data { what: "go on after their end" });
    let no_deflate = file("a", "\u{7}\u{7}\u{7}").both(|facts| facts.method = 8);
    assert_eq!(refused(package(no_deflate)), Fault::Data { what: "are damaged" });
}

#[test]
fn what_is_not_for_lambda_packages_is_refused_by_name() {
    let bzip2 = file("a", "1").both(|facts| facts.method = 12);
    let encrypted = file("a", "1").both(|facts| facts.flags = 1);
    let device = file("a", "").mode(0o020_644);
    for (member, what) in [(bzip2, "bzip2"), (encrypted, "encryption"), (device, "device")] {
        let Fault::Unsupported { what: found } = refused(zip(&[member])) else { panic!() };
        assert!(found.contains(what), "{found}");
    }
}

#[test]
fn shared_bytes_are_refused() {
    let overlong = file("a", "123").both(|facts| (facts.packed, facts.size) = (30, 30));
    assert!(matches!(refused(zip(&[overlong, file("b", "1")])), Fault::Overlap { .. }));
    // Only the local header tells that its extra field reaches into the next entry.
    let mut local = file("a", "123");
    local.local.extra = extra(0, &[0; 20]);
    let mut package = zip(&[local, file("b", "1")]);
    package[28] += 20;
    assert!(matches!(refused(package), Fault::Overlap { .. } | Fault::Structure { .. }));
}

type Change = fn(&mut Limits);

#[test]
fn more_than_allowed_is_refused_before_anything_is_written() {
    let members =
        [file("abcd/e", "12345"), link("l", "12345"), file("z", "0".repeat(500)).deflated()];
    let cases: [(Change, &str); 7] = [
        (|limits| limits.unpacked_bytes = 509, "bytes when unpacked: 510 found, 509 allowed"),
        (|limits| limits.entries = 3, "entries and directories: 4 found, 3 allowed"),
        (|limits| limits.directory_bytes = 100, "bytes in the central directory: "),
        (|limits| limits.path_bytes = 5, "bytes in its name: 6 found, 5 allowed"),
        (|limits| limits.name_bytes = 3, "bytes in one component of its name: 4 found, 3 allowed"),
        (|limits| limits.depth = 1, "directory levels in its name: 2 found, 1 allowed"),
        (|limits| limits.ratio = 10, "larger than their packed form: "),
    ];
    for (change, text) in cases {
        let (parent, archive) = (tempfile::tempdir().unwrap(), zip(&members));
        let root = parent.path().join("root");
        let mut limits = Limits::default();
        change(&mut limits);
        let archive = Archive { name: "zip", source: &&archive[..] };
        let error = unpack(&[archive], &root, &limits).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert!(!root.exists());
    }
}

#[test]
fn limits_hold_for_all_archives_together() {
    let (parent, archive) = (tempfile::tempdir().unwrap(), zip(&[file("a", "12345")]));
    let limits = Limits { unpacked_bytes: 9, ..Limits::default() };
    let source = &archive[..];
    let [first, second] = ["first", "second"].map(|name| Archive { name, source: &source });
    unpack(&[first], &parent.path().join("one"), &limits).unwrap();
    let error = unpack(&[first, second], &parent.path().join("two"), &limits).unwrap_err();
    assert_eq!(error.to_string(), "second: bytes when unpacked: 10 found, 9 allowed");
}

#[test]
fn names_that_are_only_directories_count_before_they_cost() {
    let deep = |index: usize| file(format!("{index}{}/f", "/d".repeat(250)), "");
    let members: Vec<Member> = (0..40).map(deep).collect();
    let limits = Limits { entries: 5_000, ..Limits::default() };
    let (parent, archive) = (tempfile::tempdir().unwrap(), zip(&members));
    let archive = Archive { name: "zip", source: &&archive[..] };
    let error = unpack(&[archive], &parent.path().join("root"), &limits).unwrap_err();
    assert!(error.to_string().contains("5001 found"), "{error}");
}

#[test]
fn the_deepest_tree_is_made_and_unmade() {
    let deep = file("d/".repeat(255) + "f", "1");
    assert_eq!(accepted(&[zip(std::slice::from_ref(&deep))]).len(), 256);
    let bad = Member { data: b"2".to_vec(), ..file("z", "1") };
    assert!(matches!(refused(zip(&[deep, bad])), Fault::Checksum { .. }));
}

/// A package that is still arriving: nothing may be read behind what was given up.
struct Arriving<'a> {
    bytes: &'a [u8],
    released: AtomicU64,
    /// Reads fail from here on.
    broken: u64,
}

impl Source for Arriving<'_> {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        assert!(offset >= self.released.load(Ordering::SeqCst), "read what was released");
        let directory = offset + 500 > self.len();
        if offset + buffer.len() as u64 > self.broken && !directory {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Source::read_at(&self.bytes, offset, buffer)
    }

    fn done_before(&self, offset: u64) {
        self.released.fetch_max(offset, Ordering::SeqCst);
    }
}

#[test]
fn bytes_are_read_in_order_and_released() {
    let noise: Vec<u8> =
        (0..700_000_u32).flat_map(|at| at.wrapping_mul(0x9e37_79b1).to_le_bytes()).collect();
    let members =
        [file("a", "1"), file("big", &noise), file("c", "3"), file("d", &noise).deflated()];
    let bytes = zip(&members);
    let source = Arriving { bytes: &bytes, released: AtomicU64::new(0), broken: u64::MAX };
    let root = tempfile::tempdir().unwrap();
    let limits = Limits::default();
    unpack(&[Archive { name: "zip", source: &source }], root.path(), &limits).unwrap();
    assert_eq!(source.released.into_inner(), bytes.len() as u64);
    assert_eq!(fs::read(root.path().join("d")).unwrap(), noise);
    assert_eq!(fs::read(root.path().join("big")).unwrap(), noise);
}

#[test]
fn a_source_that_breaks_off_is_no_fault_of_the_package() {
    let members = [file("a", "1"), file("big", vec![1; 1 << 20])];
    let bytes = zip(&members);
    let source = Arriving { bytes: &bytes, released: AtomicU64::new(0), broken: 1 << 19 };
    let parent = tempfile::tempdir().unwrap();
    let (root, limits) = (parent.path().join("root"), Limits::default());
    let archive = Archive { name: "zip", source: &source };
    let error = unpack(&[archive], &root, &limits).unwrap_err();
    assert!(matches!(error, UnpackError::Read { .. }) && !error.is_refusal(), "{error}");
    assert!(!root.exists());
}

/// A package with something of everything.
fn varied() -> Vec<u8> {
    zip(&[
        directory("a/"),
        file("a/b", "1"),
        link("l", "a"),
        file("c", "22").streamed(true, false),
        file("d/e", "3".repeat(40)).deflated(),
        file("f", "4".repeat(40)).deflated().streamed(false, true),
    ])
}

/// Whatever the bytes are: a tree or a clear error and nothing, and never anything elsewhere.
fn contained(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let parent = tempfile::tempdir().unwrap();
    fs::write(parent.path().join("canary"), "x").unwrap();
    let root = parent.path().join("root");
    let result = unpacked(&[bytes], &root);
    let left: Vec<_> =
        fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    prop_assert!(left.iter().all(|name| name == "canary" || name == "root"), "{left:?}");
    prop_assert_eq!(fs::read_to_string(parent.path().join("canary")).unwrap(), "x");
    prop_assert!(result.is_ok() || !root.exists(), "{:?} left something behind", result);
    let hidden = |name: &String| name.starts_with(".unpacking");
    prop_assert!(result.is_err() || !tree(&root).keys().any(hidden));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_damaged_package_never_reaches_beyond_its_directory(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
    ) {
        let mut bytes = varied();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        contained(bytes)?;
    }

    #[test]
    fn a_package_cut_or_spliced_never_reaches_beyond_its_directory(
        from: prop::sample::Index, to: prop::sample::Index, length in 0_usize..60
    ) {
        let bytes = varied();
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        let piece: Vec<u8> = bytes[from..].iter().copied().take(length).collect();
        contained([&bytes[..to], &piece, &bytes[to..]].concat())?;
        contained(bytes[..to].to_vec())?;
    }

    #[test]
    fn no_names_and_modes_reach_beyond_the_directory(
        members in proptest::collection::vec(("[./a\\\\]{0,6}", 0_u32..16, any::<u8>(), any::<bool>()), 1..5)
    ) {
        let member = |(name, format, host, dos): (String, u32, u8, bool)| {
            let host = if dos { host } else { 3 };
            file(name, "../canary").mode(format << 12 | 0o777).host(host)
        };
        let members: Vec<Member> = members.into_iter().map(member).collect();
        contained(zip(&members))?;
    }

    #[test]
    fn what_is_no_package_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let root = tempfile::tempdir().unwrap();
        prop_assert!(unpacked(&[bytes], root.path()).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn contents_survive_whatever_their_size(
        sizes in proptest::collection::vec(0_usize..600_000, 1..5), deflate: bool, seed: u16
    ) {
        let contents = |size: usize| -> Vec<u8> {
            (u32::from(seed)..).take(size).map(|at| at.wrapping_mul(0x9e37_79b1).to_le_bytes()[3]).collect()
        };
        let member = |(index, size): (usize, &usize)| {
            let member = file(format!("f{index}"), contents(*size));
            if deflate { member.deflated() } else { member }
        };
        let members: Vec<Member> = sizes.iter().enumerate().map(member).collect();
        let root = tempfile::tempdir().unwrap();
        unpacked(&[zip(&members)], root.path()).unwrap();
        for (index, size) in sizes.iter().enumerate() {
            prop_assert_eq!(fs::read(root.path().join(format!("f{index}"))).unwrap(), contents(*size));
        }
    }
}
