//! Whole packages, made here byte by byte, into real directories.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use proptest::prelude::*;

use super::{Archive, Fault, Limits, Stats, UnpackError, unpack};

/// An entry as a tool would write it.
#[derive(Clone, Debug)]
struct Member {
    name: &'static str,
    contents: &'static [u8],
    mode: u32,
    /// What the headers say instead of the truth.
    declared: Option<u32>,
}

const fn file(name: &'static str, contents: &'static [u8]) -> Member {
    Member { name, contents, mode: 0o100_644, declared: None }
}

const fn link(name: &'static str, target: &'static [u8]) -> Member {
    Member { name, contents: target, mode: 0o120_777, declared: None }
}

fn header(member: &Member) -> Vec<u8> {
    let length = u32::try_from(member.contents.len()).unwrap();
    let size = member.declared.unwrap_or(length);
    let name = u16::try_from(member.name.len()).unwrap();
    let (date, time) = (0x5a21_u16, 0_u16);
    let numbers = [crc32fast::hash(member.contents), length, size].map(u32::to_le_bytes).concat();
    let start =
        [20, 0, if size == length { 0 } else { 8 }, time, date].map(u16::to_le_bytes).concat();
    [start, numbers, [name, 0].map(u16::to_le_bytes).concat()].concat()
}

/// A zip file of stored entries.
fn zip(members: &[Member]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let (header, offset) = (header(member), u32::try_from(bytes.len()).unwrap());
        let tail =
            [&[0; 6][..], &(member.mode << 16).to_le_bytes(), &offset.to_le_bytes()].concat();
        directory
            .extend([b"PK\x01\x02\x14\x03", &header[..], &tail, member.name.as_bytes()].concat());
        bytes
            .extend([b"PK\x03\x04", &header[..], member.name.as_bytes(), member.contents].concat());
    }
    let count = u16::try_from(members.len()).unwrap();
    let place =
        [directory.len(), bytes.len()].map(|number| u32::try_from(number).unwrap().to_le_bytes());
    let end = [&[0; 4][..], &count.to_le_bytes(), &count.to_le_bytes(), &place.concat(), &[0; 2]]
        .concat();
    [bytes, directory, b"PK\x05\x06".to_vec(), end].concat()
}

fn unpacked(archives: &[Vec<u8>], root: &Path) -> Result<Stats, UnpackError> {
    let sources: Vec<&[u8]> = archives.iter().map(Vec::as_slice).collect();
    let archives: Vec<Archive<'_>> =
        sources.iter().map(|source| Archive { name: "zip", source }).collect();
    unpack(&archives, root, &Limits::default())
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

/// The refusal of a package, after which nothing may be left.
fn refusal(members: &[Member]) -> UnpackError {
    let root = tempfile::tempdir().unwrap();
    let error = unpacked(&[zip(members)], root.path()).unwrap_err();
    assert!(tree(root.path()).is_empty(), "{error} left something behind");
    error
}

#[test]
fn a_package_has_its_files_links_modes_and_times() {
    let root = tempfile::tempdir().unwrap();
    let run = Member { mode: 0o100_700, ..file("bin/run", b"#!") };
    let stats =
        unpacked(&[zip(&[run, link("bin/again", b"run"), file("a", b"x")])], root.path()).unwrap();
    assert_eq!(stats, Stats { files: 2, directories: 1, links: 1, bytes: 6 });
    let expected = names(&[("a", "x"), ("bin/", ""), ("bin/again", "-> run"), ("bin/run", "#!")]);
    assert_eq!(tree(root.path()), expected);
    let run = fs::metadata(root.path().join("bin/run")).unwrap();
    assert_eq!(run.permissions().mode() & 0o7777, 0o755);
    assert_eq!(run.mtime(), 1_735_689_600, "2025-01-01 in MS-DOS time");
}

#[test]
fn a_directory_that_does_not_exist_is_made_and_one_that_is_full_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("deep/er");
    unpacked(&[zip(&[file("a", b"x")])], &root).unwrap();
    assert!(matches!(unpacked(&[zip(&[])], &root), Err(UnpackError::Occupied { .. })));
    assert_eq!(tree(&root), names(&[("a", "x")]));
}

#[test]
fn later_archives_win_file_by_file_and_kind_by_kind() {
    let root = tempfile::tempdir().unwrap();
    let first = zip(&[file("a", b"1"), file("d/x", b"1"), file("f", b"1"), file("m/1", b"1")]);
    let second = zip(&[file("a", b"2"), file("d", b"2"), file("f/y", b"2"), file("m/2", b"2")]);
    unpacked(&[first, second], root.path()).unwrap();
    let expected =
        [("a", "2"), ("d", "2"), ("f/", ""), ("f/y", "2"), ("m/", ""), ("m/1", "1"), ("m/2", "2")];
    assert_eq!(tree(root.path()), names(&expected));
}

#[test]
fn names_that_leave_the_directory_are_refused() {
    for name in ["../a", "/a", "a/../../b", "a\0b"] {
        let error = refusal(&[file("good", b"x"), file(name, b"x")]);
        assert!(
            matches!(error, UnpackError::Entry { fault: Fault::Name { .. }, .. }),
            "{name:?}: {error}"
        );
        assert!(error.is_refusal());
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let outside = tempfile::tempdir().unwrap();
    let target: &'static [u8] =
        Box::leak(outside.path().to_str().unwrap().to_owned().into_boxed_str()).as_bytes();
    let error = refusal(&[link("out", target), file("out/file", b"x")]);
    assert!(matches!(error, UnpackError::Entry { fault: Fault::Conflict { .. }, .. }), "{error}");
    assert!(tree(outside.path()).is_empty());
}

#[test]
fn links_are_kept_as_they_are_dangling_and_absolute_ones_too() {
    let root = tempfile::tempdir().unwrap();
    unpacked(&[zip(&[link("a", b"/nowhere"), link("b", b"../../up")])], root.path()).unwrap();
    assert_eq!(tree(root.path()), names(&[("a", "-> /nowhere"), ("b", "-> ../../up")]));
}

#[test]
fn contradictions_within_a_package_are_refused() {
    assert!(matches!(
        refusal(&[file("a", b"1"), file("a", b"2")]),
        UnpackError::Entry { fault: Fault::Duplicate, .. }
    ));
    assert!(matches!(
        refusal(&[file("a", b"1"), file("a/b", b"2")]),
        UnpackError::Entry { fault: Fault::Conflict { .. }, .. }
    ));
}

#[test]
fn what_is_found_late_leaves_nothing_either() {
    // Declared as deflated, and it is not.
    let lie = Member { declared: Some(9), ..file("z", b"\xff\xff\xff") };
    let error = refusal(&[file("a", b"1"), file("b/c", b"2"), lie]);
    assert!(matches!(error, UnpackError::Entry { fault: Fault::Data { .. }, .. }), "{error}");
    let mut bytes = zip(&[file("a", b"123")]);
    let contents = bytes.windows(3).position(|three| three == b"123").unwrap();
    bytes[contents] = b'x';
    let root = tempfile::tempdir().unwrap();
    let error = unpacked(&[bytes], root.path()).unwrap_err();
    assert!(matches!(error, UnpackError::Entry { fault: Fault::Checksum { .. }, .. }), "{error}");
    assert!(tree(root.path()).is_empty());
}

#[test]
fn more_than_allowed_is_refused_before_anything_is_written() {
    let (parent, archive) = (tempfile::tempdir().unwrap(), zip(&[file("a", b"12345")]));
    let root = parent.path().join("root");
    let limits = Limits { unpacked_bytes: 4, ..Limits::default() };
    let archive = Archive { name: "zip", source: &&archive[..] };
    let error = unpack(&[archive], &root, &limits).unwrap_err();
    assert!(error.to_string().contains("5 found, 4 allowed"), "{error}");
    assert!(!root.exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// One changed byte anywhere: a tree or a clear error and nothing, but nothing outside the target.
    #[test]
    fn a_damaged_package_never_reaches_beyond_its_directory(place in 0_usize..1000, value: u8) {
        let mut bytes = zip(&[file("a/b", b"1"), link("l", b"a"), file("c", b"22")]);
        let place = place % bytes.len();
        bytes[place] = value;
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("canary"), "x").unwrap();
        let root = parent.path().join("root");
        let result = unpacked(&[bytes], &root);
        let left: Vec<_> = fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        prop_assert!(left.iter().all(|name| name == "canary" || name == "root"), "{left:?}");
        prop_assert!(result.is_ok() || !root.exists(), "{result:?} left something behind");
    }

    #[test]
    fn what_is_no_package_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let root = tempfile::tempdir().unwrap();
        prop_assert!(unpacked(&[bytes], root.path()).is_err());
    }
}
