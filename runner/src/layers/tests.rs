//! Whole layers, made byte by byte, into real directories: what is written, what is refused, and that
//! nothing else is ever touched.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use proptest::prelude::*;

use super::header::BLOCK;
use super::tar::{Member, directory, file, gzip, hard, link, member, pax, sha256, tar};
use super::{Compression, Handling, Layer, apply, unpack};
use crate::unpack::{Fault, Limits, Stats, UnpackError};

fn layer(bytes: Vec<u8>) -> Layer {
    let bytes = Box::new(io::Cursor::new(bytes));
    Layer { name: "layer".to_owned(), compression: Compression::Detect, diff_id: None, bytes }
}

fn layers(all: &[&[Member]]) -> Vec<Layer> {
    all.iter().map(|members| layer(tar(members))).collect()
}

/// What is below a directory: contents, link targets with an arrow, directories with a slash.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(directory) = open.pop() {
        // Some are made unreadable by what is in a layer.
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_symlink() {
                found.insert(name, format!("-> {}", fs::read_link(&path).unwrap().display()));
            } else if kind.is_dir() {
                found.insert(name + "/", String::new());
                open.push(path);
            } else if kind.is_fifo() {
                found.insert(name, "|".to_owned());
            } else {
                found.insert(name, String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned());
            }
        }
    }
    found
}

fn names(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, contents)| ((*name).to_owned(), (*contents).to_owned())).collect()
}

/// What layers laid over each other are.
fn applied(all: &[&[Member]]) -> BTreeMap<String, String> {
    let root = tempfile::tempdir().unwrap();
    apply(layers(all), root.path(), &Limits::default()).unwrap();
    tree(root.path())
}

/// The fault of layers, after which nothing may be left.
fn refused_by(layers: Vec<Layer>, handling: Handling, limits: &Limits) -> Fault {
    let parent = tempfile::tempdir().unwrap();
    fs::write(parent.path().join("canary"), "x").unwrap();
    let root = parent.path().join("deep/root");
    let error = unpack(layers, &root, limits, handling).unwrap_err();
    assert_eq!(tree(parent.path()), names(&[("canary", "x")]), "{error} left something behind");
    assert!(error.is_refusal(), "{error}");
    match error {
        UnpackError::Entry { fault, .. } | UnpackError::Archive { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

fn refused(all: &[&[Member]]) -> Fault {
    refused_by(layers(all), Handling::Image, &Limits::default())
}

#[test]
fn an_image_without_layers_is_an_empty_directory() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("root");
    apply(Vec::new(), &root, &Limits::default()).unwrap();
    assert_eq!(std::fs::read_dir(root).unwrap().count(), 0);
}

#[test]
fn a_layer_has_its_files_links_modes_and_times() {
    let root = tempfile::tempdir().unwrap();
    let dated = file("a", "x").pax(&[("mtime", "1000.5")]);
    let members = [
        directory("bin/").mode(0o1777),
        file("bin/run", "#!").mode(0o4711),
        link("bin/again", "/bin/run"),
        hard("bin/same", "bin/run"),
        dated,
        member("pipe", b'6', b""),
        member("dev/null", b'3', b""),
        hard("dev/zero", "dev/null"),
    ];
    let stats = apply(layers(&[&members]), root.path(), &Limits::default()).unwrap();
    assert_eq!(stats, Stats { files: 3, directories: 2, links: 1, bytes: 5 });
    let expected = [
        ("a", "x"),
        ("bin/", ""),
        ("bin/again", "-> /bin/run"),
        ("bin/run", "#!"),
        ("bin/same", "#!"),
        ("dev/", ""),
        ("pipe", "|"),
    ];
    assert_eq!(tree(root.path()), names(&expected));
    let seen = |name: &str| fs::symlink_metadata(root.path().join(name)).unwrap();
    let mode = |name: &str| seen(name).permissions().mode() & 0o7777;
    let suid = if nix::unistd::geteuid().is_root() { 0o4711 } else { 0o711 };
    assert_eq!((mode("bin"), mode("bin/run"), mode("dev")), (0o1777, suid, 0o755));
    assert_eq!(
        (seen("bin").mtime(), seen("bin/run").mtime(), seen("bin/again").mtime()),
        (7, 7, 7)
    );
    assert_eq!((seen("a").mtime(), seen("a").mtime_nsec()), (1000, 500_000_000));
    assert_eq!(seen("bin/run").ino(), seen("bin/same").ino());
}

#[test]
fn packages_have_nobodys_rights_and_no_devices() {
    let root = tempfile::tempdir().unwrap();
    let members =
        [file("a", "x").mode(0o6700).owner(1, 2), file(".wh.a", ""), directory("d/").mode(0)];
    let package =
        |members| unpack(layers(&[members]), root.path(), &Limits::default(), Handling::Package);
    package(&members).unwrap();
    assert_eq!(tree(root.path()), names(&[(".wh.a", ""), ("a", "x"), ("d/", "")]));
    let seen = fs::metadata(root.path().join("a")).unwrap();
    let me = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    assert_eq!((seen.mode() & 0o7777, (seen.uid(), seen.gid())), (0o755, me));
    for kind in *b"346" {
        let layers = layers(&[&[member("a", kind, b"")]]);
        let fault = refused_by(layers, Handling::Package, &Limits::default());
        assert!(matches!(fault, Fault::Foreign { .. }));
    }
}

#[test]
fn image_layers_have_owners_and_capabilities() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let capability = "\u{1}\0\0\u{2}\0\u{4}\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let records =
        [("SCHILY.xattr.security.capability", capability), ("SCHILY.xattr.trusted.x", "1")];
    let members = [
        file("ping", "x").mode(0o755).owner(7, 8).pax(&records),
        file("su", "x").mode(0o6755).owner(7, 8),
        directory("d").mode(0o2750).owner(9, 9),
        link("l", "ping").owner(5, 6),
        file("n", "").pax(&[("uid", "100000"), ("gid", "3000000")]),
    ];
    apply(layers(&[&members]), root.path(), &Limits::default()).unwrap();
    let seen = |name: &str| {
        let seen = fs::symlink_metadata(root.path().join(name)).unwrap();
        (seen.mode() & 0o7777, seen.uid(), seen.gid())
    };
    assert_eq!((seen("ping"), seen("su")), ((0o755, 7, 8), (0o6755, 7, 8)));
    assert_eq!(
        (seen("d"), seen("l"), seen("n")),
        ((0o2750, 9, 9), (0o777, 5, 6), (0o644, 100_000, 3_000_000))
    );
    let mut value = [0; 64];
    let ping = root.path().join("ping");
    let length = rustix::fs::getxattr(&ping, "security.capability", &mut value).unwrap();
    assert_eq!(&value[..length], capability.as_bytes());
    assert!(rustix::fs::getxattr(&ping, "trusted.x", &mut value).is_err());
}

#[test]
fn upper_layers_win_file_by_file_and_kind_by_kind() {
    let first =
        [file("a", "1"), file("d/x/y", "1"), file("f", "1"), file("m/1", "1"), link("l", "/etc")];
    let second =
        [file("a", "2"), file("d", "2"), file("f/y", "2"), file("m/2", "2"), file("l/passwd", "2")];
    let expected = [
        ("a", "2"),
        ("d", "2"),
        ("f/", ""),
        ("f/y", "2"),
        ("l/", ""),
        ("l/passwd", "2"),
        ("m/", ""),
        ("m/1", "1"),
        ("m/2", "2"),
    ];
    assert_eq!(applied(&[&first, &second]), names(&expected));
    let third = [link("m", "d"), member("a", b'3', b"")];
    let mut expected = names(&expected);
    expected.retain(|name, _| !name.starts_with('m') && name != "a");
    expected.insert("m".to_owned(), "-> d".to_owned());
    assert_eq!(applied(&[&first, &second, &third]), expected);
}

#[test]
fn directories_have_the_uppermost_entry_of_theirs() {
    let root = tempfile::tempdir().unwrap();
    let first = [directory("d").mode(0o700), directory("d/e").mode(0o500), file("d/e/x", "1")];
    let second = [file("d/e/y", "2"), directory("d").mode(0o711)];
    let third = [file("d/z", "3"), directory("./").mode(0o555)];
    apply(layers(&[&first, &second, &third]), root.path(), &Limits::default()).unwrap();
    let seen = |name: &str| {
        let seen = fs::metadata(root.path().join(name)).unwrap();
        (seen.mode() & 0o7777, seen.mtime())
    };
    assert_eq!((seen("d"), seen("d/e"), seen(".")), ((0o711, 7), (0o500, 7), (0o555, 7)));
    assert!(root.path().join("d/e/y").exists() && root.path().join("d/z").exists());
}

#[test]
fn a_whiteout_hides_what_is_below_and_not_what_its_own_layer_has() {
    let lower =
        [file("a", "1"), file("d/x", "1"), file("d/y", "1"), file("keep", "1"), link("l", "d")];
    let whiteouts =
        [file(".wh.a", ""), file(".wh.d", ""), file(".wh.l", ""), file("no/.wh.thing", "")];
    let own = [file("a", "2"), file("d/x", "2")];
    let expected = names(&[("a", "2"), ("d/", ""), ("d/x", "2"), ("keep", "1")]);
    let before = [&whiteouts[..], &own].concat();
    let after = [&own[..], &whiteouts].concat();
    assert_eq!(applied(&[&lower, &before]), expected);
    assert_eq!(applied(&[&lower, &after]), expected);
    assert_eq!(applied(&[&lower, &whiteouts]), names(&[("keep", "1")]));
    // A later layer has it again.
    let expected = names(&[("a", "2"), ("d/", ""), ("d/x", "2"), ("keep", "1")]);
    assert_eq!(applied(&[&lower, &whiteouts, &own]), expected);
}

#[test]
fn a_whiteout_never_goes_through_a_link() {
    let lower = [file("d/x", "1"), link("l", "d")];
    let upper = [file("l/.wh.x", ""), file("l/.wh..wh..opq", "")];
    assert_eq!(applied(&[&lower, &upper]), names(&[("d/", ""), ("d/x", "1"), ("l", "-> d")]));
}

#[test]
fn an_opaque_directory_holds_nothing_of_lower_layers() {
    let lower = [file("d/x", "1"), file("d/e/y", "1"), file("z", "1")];
    let opaque = file("d/.wh..wh..opq", "");
    let expected = names(&[("d/", ""), ("d/n", "2"), ("z", "1")]);
    assert_eq!(applied(&[&lower, &[opaque.clone(), file("d/n", "2")]]), expected);
    assert_eq!(applied(&[&lower, &[file("d/n", "2"), opaque.clone()]]), expected);
    assert_eq!(applied(&[&lower, &[opaque]]), names(&[("d/", ""), ("z", "1")]));
    assert_eq!(
        applied(&[&lower, &[file(".wh..wh..opq", ""), file("n", "2")]]),
        names(&[("n", "2")])
    );
}

#[test]
fn what_aufs_left_over_is_not_there() {
    let members = [
        directory(".wh..wh.plnk"),
        file(".wh..wh.plnk/1.2", "x"),
        file(".wh..wh.aufs", ""),
        file("a", "x"),
    ];
    assert_eq!(applied(&[&members]), names(&[("a", "x")]));
}

#[test]
fn hard_links_reach_lower_layers() {
    let root = tempfile::tempdir().unwrap();
    let lower = [file("d/a", "1"), link("l", "nowhere")];
    let upper = [hard("b", "/d/a"), hard("m", "./l"), file("d/.wh.a", "")];
    let third = [hard("c", "b"), file("b", "3")];
    apply(layers(&[&lower, &upper, &third]), root.path(), &Limits::default()).unwrap();
    let links = ("-> nowhere", "-> nowhere");
    let expected = [("b", "3"), ("c", "1"), ("d/", ""), ("l", links.0), ("m", links.1)];
    assert_eq!(tree(root.path()), names(&expected));
}

#[test]
fn hard_links_that_lead_nowhere_or_through_links_are_refused() {
    let base = [file("d/a", "1"), link("l", "d"), link("out", "/etc")];
    for target in ["l/a", "out/passwd", "gone", "d", "../a", "d/../../a", "", "/"] {
        let entry = [hard("b", target)];
        assert!(matches!(refused(&[&base, &entry]), Fault::Link { .. }), "{target}");
        let same = [&base[..], &entry].concat();
        assert!(matches!(refused(&[&same]), Fault::Link { .. }), "{target}");
    }
    // One that comes after it does not count.
    assert!(matches!(refused(&[&[hard("b", "a"), file("a", "1")]]), Fault::Link { .. }));
}

#[test]
fn in_one_layer_the_last_entry_of_a_path_counts() {
    let members = [
        file("a", "1"),
        hard("b", "a"),
        file("a", "2"),
        hard("a", "a"),
        file("d/x/y", "1"),
        file("d", "2"),
        file("e", "1"),
        directory("e"),
        file("e/x", "2"),
        link("l", "/etc"),
        directory("l/"),
        file("l/passwd", "2"),
    ];
    let expected = [
        ("a", "2"),
        ("b", "1"),
        ("d", "2"),
        ("e/", ""),
        ("e/x", "2"),
        ("l/", ""),
        ("l/passwd", "2"),
    ];
    assert_eq!(applied(&[&members]), names(&expected));
}

#[test]
fn nothing_is_written_through_a_link_or_a_file() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().display().to_string();
    for first in
        [link("l", &target), link("l", "."), link("l", "d"), file("l", ""), member("l", b'3', b"")]
    {
        let members = [directory("d"), first, file("l/x", "evil")];
        assert!(matches!(refused(&[&members]), Fault::Conflict { .. }));
    }
    assert!(tree(outside.path()).is_empty());
    // Over a link in a lower layer there is a directory, as in an overlay file system.
    let expected = names(&[("l/", ""), ("l/x", "mine")]);
    assert_eq!(applied(&[&[link("l", &target)], &[file("l/x", "mine")]]), expected);
    assert!(tree(outside.path()).is_empty());
}

#[test]
fn names_that_lead_out_are_refused() {
    for name in ["../a", "a/../../b", "a/..", "..", ""] {
        assert!(matches!(refused(&[&[file(name, "x")]]), Fault::Name { .. }), "{name}");
    }
    assert!(matches!(refused(&[&[file("./", "x")]]), Fault::Foreign { .. }));
    assert!(matches!(refused(&[&[file("x/..", "")]]), Fault::Name { .. }));
    let package = refused_by(layers(&[&[file("/a", "x")]]), Handling::Package, &Limits::default());
    assert!(matches!(package, Fault::Name { .. }));
    assert_eq!(applied(&[&[file("/a", "x")]]), names(&[("a", "x")]));
}

#[test]
fn long_names_are_gnus_or_pax() {
    let long = format!("{}x", "d/".repeat(200));
    let nul = long.clone() + "\0";
    let root = tempfile::tempdir().unwrap();
    let gnu = [member("././@LongLink", b'L', nul.as_bytes()), file("short", "gnu")];
    let pax = [file("short", "pax").pax(&[("path", &long)])];
    let target = [member("././@LongLink", b'K', nul.as_bytes()), link("l", "short")];
    for (members, contents) in [(&gnu[..], "gnu"), (&pax, "pax")] {
        let root = root.path().join(contents);
        apply(layers(&[members]), &root, &Limits::default()).unwrap();
        assert_eq!(fs::read_to_string(root.join(&long)).unwrap(), contents);
    }
    assert_eq!(applied(&[&target]), names(&[("l", &format!("-> {long}"))]));
    let pax = [link("l", "short").pax(&[("linkpath", &long)])];
    assert_eq!(applied(&[&pax]), names(&[("l", &format!("-> {long}"))]));
    let split = file("x", "1").with(|block| block[345..350].copy_from_slice(b"a/b/c"));
    let expected = names(&[("a/", ""), ("a/b/", ""), ("a/b/c/", ""), ("a/b/c/x", "1")]);
    assert_eq!(applied(&[&[split]]), expected);
}

/// CVE-2025-62518: the header says 0 bytes, the records the true size, and the contents are a tar.
#[test]
fn contents_are_never_taken_for_entries() {
    let mut inner = member("smuggled", b'0', b"evil").0;
    inner.truncate(2 * BLOCK);
    let size = inner.len().to_string();
    let outer = |declared: u64| {
        let contents = Member([&super::tar::header("outer", b'0', declared)[..], &inner].concat());
        [contents.pax(&[("size", &size)]), file("after", "x")]
    };
    let root = tempfile::tempdir().unwrap();
    apply(layers(&[&outer(0)]), root.path(), &Limits::default()).unwrap();
    assert_eq!(fs::read(root.path().join("outer")).unwrap(), inner);
    assert!(!root.path().join("smuggled").exists() && root.path().join("after").exists());
    // Two sizes that could both be meant are none.
    assert!(matches!(refused(&[&outer(512)]), Fault::Structure { .. }));
    for kind in *b"1256" {
        let hiding =
            Member([&super::tar::header("a", kind, 1024)[..], &inner].concat()).target("x");
        assert!(matches!(refused(&[&[hiding]]), Fault::Foreign { .. }));
    }
    // Records about the next entry do not change those that stand between.
    let between = [
        member("p", b'x', &pax(&[("size", "3")])),
        member("././@LongLink", b'L', b"name\0"),
        file("a", "123"),
    ];
    assert_eq!(applied(&[&between]), names(&[("name", "123")]));
}

#[test]
fn records_that_contradict_each_other_are_refused() {
    let x = |records: &[(&str, &str)]| member("x", b'x', &pax(records));
    let long = member("l", b'L', b"b\0");
    let cases: [&[Member]; 8] = [
        &[x(&[("path", "a")]), long.clone(), file("c", "")],
        &[x(&[("path", "a")]), x(&[("path", "a")]), file("c", "")],
        &[long.clone(), long.clone(), file("c", "")],
        &[x(&[("path", "a")])],
        &[x(&[("path", "a")]), member("g", b'g', &pax(&[("mtime", "1")])), file("c", "")],
        &[member("g", b'g', &pax(&[("path", "a")])), file("c", "")],
        &[member("l", b'L', b"a\0b\0"), file("c", "")],
        &[file("a/", "x")],
    ];
    for members in cases {
        assert!(matches!(refused(&[members]), Fault::Structure { .. } | Fault::Foreign { .. }));
    }
}

#[test]
fn files_with_holes_have_them() {
    let root = tempfile::tempdir().unwrap();
    let old = member("old", b'S', b"abcde").with(|block| {
        block[257..265].copy_from_slice(b"ustar  \0");
        for (at, value) in [(386, 1000), (398, 5), (483, 3000)] {
            block[at..at + 11].copy_from_slice(format!("{value:011o}").as_bytes());
        }
    });
    let mut contents = b"1\n1000\n5\n".to_vec();
    contents.resize(BLOCK, 0);
    contents.extend(b"abcde");
    let common = [
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", "new"),
        ("GNU.sparse.realsize", "3000"),
    ];
    let new = member("GNUSparseFile.0/new", b'0', &contents).pax(&common);
    let map =
        [("GNU.sparse.size", "3000"), ("GNU.sparse.numblocks", "1"), ("GNU.sparse.map", "1000,5")];
    let map = file("map", "abcde").pax(&map);
    let stats =
        apply(layers(&[&[old.clone(), new, map]]), root.path(), &Limits::default()).unwrap();
    assert_eq!(stats.bytes, 9000);
    let mut expected = vec![0; 3000];
    expected[1000..1005].copy_from_slice(b"abcde");
    for name in ["old", "new", "map"] {
        assert!(fs::read(root.path().join(name)).unwrap() == expected, "{name}");
    }
    let limits = Limits { unpacked_bytes: 2999, ..Limits::default() };
    let fault = refused_by(layers(&[&[old]]), Handling::Image, &limits);
    assert_eq!(fault, Fault::Limit { what: "bytes unpacked", found: 3000, allowed: 2999 });
}

#[test]
fn limits_hold_for_all_layers_together() {
    let limit = |limits: Limits, members: &[Member]| {
        let fault = refused_by(layers(&[members, members]), Handling::Image, &limits);
        let Fault::Limit { what, allowed, .. } = fault else { panic!("{fault}") };
        (what, allowed)
    };
    let limits = Limits::default;
    let files = [file("a", "12345"), file("b/c/d", "12345")];
    assert_eq!(limit(Limits { unpacked_bytes: 19, ..limits() }, &files), ("bytes unpacked", 19));
    assert_eq!(limit(Limits { entries: 7, ..limits() }, &files), ("entries and directories", 7));
    let root = tempfile::tempdir().unwrap();
    let enough = Limits { unpacked_bytes: 20, entries: 8, ..limits() };
    apply(layers(&[&files, &files]), root.path(), &enough).unwrap();
    assert_eq!(limit(Limits { depth: 2, ..limits() }, &files).0, "directory levels in its name");
    assert_eq!(
        limit(Limits { name_bytes: 0, ..limits() }, &files).0,
        "bytes in one component of its name"
    );
    let held = [link("l", "12345"), file(".wh.abcde", "")];
    let what = "bytes of link targets, whiteouts and extended attributes";
    assert_eq!(limit(Limits { link_bytes: 19, ..limits() }, &held), (what, 19));
    let records = file("a", "").pax(&[("comment", &"x".repeat(1 << 20))]);
    assert_eq!(limit(limits(), &[records]).0, "bytes of records about one entry");
}

#[test]
fn bombs_end_at_the_limit() {
    let limits = Limits { unpacked_bytes: 1 << 20, entries: 100, ..Limits::default() };
    let zeros = "\0".repeat(2 << 20);
    let one = |bytes: Vec<u8>| refused_by(vec![layer(bytes)], Handling::Image, &limits);
    let cases = [
        tar(&[file("a", &zeros)]),
        tar(&[file(".wh.a", &zeros)]),
        tar(&[file("a", "")]).into_iter().chain(zeros.bytes()).collect(),
    ];
    for bytes in cases {
        assert!(matches!(one(gzip(&bytes)), Fault::Limit { .. }));
        assert!(matches!(one(zstd::encode_all(bytes.as_slice(), 1).unwrap()), Fault::Limit { .. }));
    }
}

#[test]
fn a_deep_tree_is_unpacked_replaced_and_removed() {
    let deep = "d/".repeat(255) + "x";
    let member = file("short", "1").pax(&[("path", &deep)]);
    let root = tempfile::tempdir().unwrap();
    apply(layers(&[std::slice::from_ref(&member)]), root.path(), &Limits::default()).unwrap();
    assert!(root.path().join(&deep).exists());
    let upper = [file("d", "2")];
    assert_eq!(applied(&[std::slice::from_ref(&member), &upper]), names(&[("d", "2")]));
    assert!(matches!(refused(&[&[member, file("..", "")]]), Fault::Name { .. }));
}

#[test]
fn layers_are_packed_in_three_ways() {
    let plain = tar(&[file("a", &"x".repeat(600_000))]);
    let (half, rest) = plain.split_at(1000);
    let frame = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let skipped = [&b"\x50\x2a\x4d\x18\x04\0\0\0skip"[..]].concat();
    let packed = [
        plain.clone(),
        gzip(&plain),
        [gzip(half), gzip(rest)].concat(),
        frame(&plain),
        [frame(half), skipped.clone(), frame(rest)].concat(),
        [skipped, frame(&plain)].concat(),
    ];
    for bytes in packed {
        let root = tempfile::tempdir().unwrap();
        let layer = Layer { diff_id: Some(sha256(&plain)), ..layer(bytes) };
        let stats = apply(vec![layer], root.path(), &Limits::default()).unwrap();
        assert_eq!(stats.bytes, 600_000);
    }
}

#[test]
fn packed_data_that_are_cut_damaged_or_something_else_are_refused() {
    let plain = tar(&[file("a", &"hello".repeat(1000))]);
    for packed in [gzip(&plain), zstd::encode_all(plain.as_slice(), 1).unwrap()] {
        let cut = packed[..packed.len() - 1].to_vec();
        let mut damaged = packed.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let behind = [&packed[..], b"something"].concat();
        for bytes in [cut, damaged, behind] {
            // A zstd frame need not have a checksum.
            if bytes.len() == packed.len() && packed[0] == 0x28 {
                continue;
            }
            refused_by(vec![layer(bytes)], Handling::Image, &Limits::default());
        }
    }
    for compression in [Compression::Gzip, Compression::Zstd] {
        for bytes in [plain.clone(), Vec::new()] {
            let layer = Layer { compression, ..layer(bytes) };
            let fault = refused_by(vec![layer], Handling::Image, &Limits::default());
            assert!(matches!(fault, Fault::Structure { .. }), "{fault}");
        }
    }
}

#[test]
fn a_tar_that_is_cut_or_goes_on_is_refused() {
    let whole = tar(&[file("a", "x"), file("b", "y")]);
    for length in [0, 1, 511, 513, 1024, 1535, 2048] {
        let bytes = whole[..length].to_vec();
        let fault = refused_by(vec![layer(bytes)], Handling::Image, &Limits::default());
        assert!(matches!(fault, Fault::Structure { .. }), "{length}: {fault}");
    }
    let more = [&whole[..], &whole].concat();
    refused_by(vec![layer(more)], Handling::Image, &Limits::default());
    // Some tools leave the end away; where there is a digest, that is all right.
    let root = tempfile::tempdir().unwrap();
    let bytes = whole[..2048].to_vec();
    let layer = Layer { diff_id: Some(sha256(&bytes)), ..layer(bytes) };
    apply(vec![layer], root.path(), &Limits::default()).unwrap();
}

#[test]
fn a_wrong_digest_of_any_layer_leaves_nothing() {
    let good = || layers(&[&[file("a", "1")], &[file("b", "2")]]);
    for wrong in 0..2 {
        let mut layers = good();
        layers[wrong].diff_id = Some([7; 32]);
        let fault = refused_by(layers, Handling::Image, &Limits::default());
        assert!(matches!(fault, Fault::Digest { declared, .. } if declared == "07".repeat(32)));
    }
}

/// Ends with an error, as a source does that finds a wrong digest.
struct Wrong(io::Cursor<Vec<u8>>);

impl Read for Wrong {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("wrong digest")),
            length => Ok(length),
        }
    }
}

#[test]
fn an_error_at_the_end_of_the_bytes_leaves_nothing() {
    let plain = tar(&[file("a", "1")]);
    for bytes in
        [plain.clone(), gzip(&plain), zstd::encode_all(plain.as_slice(), 1).unwrap(), Vec::new()]
    {
        let length = bytes.len() as u64;
        let bytes = Box::new(Wrong(io::Cursor::new(bytes)));
        let root = tempfile::tempdir().unwrap();
        let all = vec![Layer { bytes, ..layer(Vec::new()) }, layer(tar(&[file("b", "1")]))];
        let error = apply(all, root.path(), &Limits::default()).unwrap_err();
        let UnpackError::Read { offset, source, .. } = error else { panic!("{error}") };
        assert_eq!((offset, source.to_string().as_str()), (length, "wrong digest"));
        assert!(tree(root.path()).is_empty());
    }
}

#[test]
fn messages_name_layer_entry_found_and_allowed() {
    let limits = Limits { unpacked_bytes: 1, ..Limits::default() };
    let root = tempfile::tempdir().unwrap();
    let error = apply(layers(&[&[file("d/a", "12")]]), root.path(), &limits).unwrap_err();
    assert_eq!(error.to_string(), r#"layer: entry "d/a": bytes unpacked: 2 found, 1 allowed"#);
}

#[test]
fn only_a_new_or_an_empty_directory_is_filled() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("deep/er");
    apply(Vec::new(), &root, &Limits::default()).unwrap();
    apply(layers(&[&[file("a", "x")]]), &root, &Limits::default()).unwrap();
    let error = apply(Vec::new(), &root, &Limits::default()).unwrap_err();
    assert!(matches!(error, UnpackError::Occupied { .. }));
    assert_eq!(tree(&root), names(&[("a", "x")]));
}

#[test]
fn many_layers_are_laid_in_their_order() {
    let all: Vec<Vec<Member>> = (0..40)
        .map(|at| {
            vec![
                file("same", &at.to_string()),
                file(&format!("d/{at}"), "x"),
                file(&format!("d/.wh.{}", at - 1), ""),
            ]
        })
        .collect();
    let all: Vec<&[Member]> = all.iter().map(Vec::as_slice).collect();
    assert_eq!(applied(&all), names(&[("d/", ""), ("d/39", "x"), ("same", "39")]));
}

fn any_layer() -> impl Strategy<Value = Vec<Member>> {
    let name = prop::sample::select(vec![
        "a",
        "b",
        "a/b",
        "a/b/c",
        "b/a",
        "./a/",
        "a/.wh.b",
        ".wh.a",
        "a/.wh..wh..opq",
        "../x",
        "/a",
        "l/x",
        "l",
    ]);
    let target =
        prop::sample::select(vec!["a", "a/b", "b", "l", "/etc", "..", "../canary", "l/x", "."]);
    let kind = prop::sample::select(b"0012255".to_vec());
    let member = (name, target, kind).prop_map(|(name, target, kind)| match kind {
        b'0' => file(name, "contents"),
        kind => member(name, kind, b"").target(if kind == b'5' { "" } else { target }),
    });
    prop::collection::vec(member, 0..12)
}

proptest! {
    /// Whatever is in layers: what is beside the root stays as it is, and an error leaves nothing.
    #[test]
    fn nothing_outside_is_touched_and_errors_leave_nothing(
        all in prop::collection::vec(any_layer(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        mended in any::<bool>(),
    ) {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("in/root");
        fs::create_dir_all(&root).unwrap();
        fs::write(parent.path().join("canary"), "x").unwrap();
        fs::write(parent.path().join("in/canary"), "x").unwrap();
        let mut tars: Vec<Vec<u8>> = all.iter().map(|members| tar(members)).collect();
        for (at, byte) in changes {
            change(&mut tars[0], at, byte, mended);
        }
        let layers = tars.into_iter().map(layer).collect();
        let done = apply(layers, &root, &Limits { unpacked_bytes: 1 << 20, ..Limits::default() });
        let mut outside = tree(parent.path());
        outside.retain(|name, _| !name.starts_with("in/root/"));
        prop_assert_eq!(outside, names(&[("canary", "x"), ("in/", ""), ("in/canary", "x")]));
        let inside = tree(&root);
        prop_assert!(done.is_ok() || inside.is_empty(), "{:?} {:?}", done, inside);
        prop_assert!(!inside.keys().any(|name| name.contains(".unpacking")));
    }
}

/// Changes a byte, and corrects the checksum of its block, so that more than checksums is tried.
fn change(bytes: &mut [u8], at: prop::sample::Index, byte: u8, mended: bool) {
    let at = at.index(bytes.len());
    bytes[at] = byte;
    let block = &mut bytes[at / BLOCK * BLOCK..][..BLOCK];
    if mended && block.iter().any(|byte| *byte != 0) {
        super::tar::sum(block.try_into().unwrap());
    }
}
