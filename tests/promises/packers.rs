//! `unpack` and the tools that people pack with: what comes out is what Info-ZIP's `unzip` makes of the
//! same archive, by contents, mode, time of modification and link target.

#![expect(clippy::print_stderr, reason = "a skipped tool is told")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use e2e::{Sandbox, cache, root, walk};

/// A tool, the program it needs, and the shell command that packs the working directory into `$OUT`.
struct Packer(&'static str, &'static str, &'static str);

/// Those that `tests/setup.sh` installs.
const PACKERS: [Packer; 16] = [
    Packer("zip", "zip", r#"zip -qry "$OUT" ."#),
    Packer("zip without extra fields", "zip", r#"zip -qryX "$OUT" ."#),
    Packer("zip without directories", "zip", r#"zip -qryD "$OUT" ."#),
    Packer("zip, stored", "zip", r#"zip -qry0 "$OUT" ."#),
    Packer("zip with 64-bit sizes", "zip", r#"zip -qry -fz "$OUT" ."#),
    Packer("zip with a comment", "zip", r#"echo 1.0 | zip -qryz "$OUT" ."#),
    // It cannot store to a pipe, and it stores links.
    Packer("zip to a pipe", "zip", r#"rm dangling && zip -qr - . | cat >"$OUT""#),
    Packer("zip from a pipe", "zip", r#"cat data | zip -q - - | cat >"$OUT""#),
    Packer(
        "zip, entries deleted",
        "zip",
        r#"zip -qry "$OUT" . && zip -qd "$OUT" data "private/*""#,
    ),
    Packer("zipfile", "python3", r#"python3 "$TOOLS/pack.py" deflated >"$OUT""#),
    Packer("zipfile to a pipe", "python3", r#"python3 "$TOOLS/pack.py" deflated | cat >"$OUT""#),
    Packer(
        "zipfile to a pipe, stored",
        "python3",
        r#"python3 "$TOOLS/pack.py" stored | cat >"$OUT""#,
    ),
    Packer("archiver", "node", r#"node "$TOOLS/pack.cjs" "$ARCHIVER" | cat >"$OUT""#),
    Packer("bsdtar", "bsdtar", r#"bsdtar --format zip -cf "$OUT" ."#),
    Packer("bsdtar to a pipe", "bsdtar", r#"bsdtar --format zip -cf - . | cat >"$OUT""#),
    Packer(
        "bsdtar to a pipe, stored",
        "bsdtar",
        r#"bsdtar --format zip --options zip:compression=store -cf - . | cat >"$OUT""#,
    ),
];

/// Those that are large, and tested where they happen to be.
const MORE_PACKERS: [Packer; 3] = [
    // Java says that it is FAT, whose UTF-8 `unzip` misspells.
    Packer("jar", "jar", r#"rm -r dangling ünï && jar --create --file "$OUT" ."#),
    Packer("java.util.zip", "javac", r#"rm -r ünï && java "$TOOLS/Pack.java" | cat >"$OUT""#),
    Packer("archive/zip", "go", r#"go run "$TOOLS/pack.go" | cat >"$OUT""#),
];

#[test]
fn what_any_tool_packed_comes_out_as_unzip_has_it() {
    let differences: Vec<String> = PACKERS.iter().flat_map(compare).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn what_larger_tools_packed_comes_out_as_unzip_has_it() {
    let (here, missing): (Vec<_>, Vec<_>) = MORE_PACKERS
        .iter()
        .partition(|Packer(_, program, _)| shell(&format!("command -v {program} >/dev/null"), &[]));
    for Packer(name, program, _) in missing {
        eprintln!("skipped: {name}, because there is no `{program}` here");
    }
    let differences: Vec<String> = here.into_iter().flat_map(compare).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Packs, unpacks in both ways, and tells what differs.
fn compare(Packer(name, _, command): &Packer) -> Vec<String> {
    let sandbox = Sandbox::new(&["unpack"]);
    let [source, archive, ours, theirs] =
        ["source", "made.zip", "ours", "theirs"].map(|name| sandbox.directory().join(name));
    package(&source);
    let tools = root().join("tests/archives");
    let archiver = cache().join("archiver@7.0.1/node_modules/archiver");
    let paths = [
        ("SOURCE", &source),
        ("OUT", &archive),
        ("TO", &theirs),
        ("TOOLS", &tools),
        ("ARCHIVER", &archiver),
    ];
    assert!(shell(&format!(r#"cd "$SOURCE" && {command}"#), &paths), "{name}: could not pack");
    // It ends with 1 where it has warned.
    assert!(shell(r#"unzip -q "$OUT" -d "$TO" || [ $? = 1 ]"#, &paths), "{name}: unzip failed");
    let sandbox = sandbox.arguments(&[&archive, &ours].map(|path| path.to_str().unwrap()));
    sandbox.run().ends_with(0).prints("");
    let [ours, theirs] = [seen(&ours, |mode| mode), seen(&theirs, ruled)];
    assert!(!ours.is_empty(), "{name} packed nothing");
    let paths: BTreeSet<&PathBuf> = ours.keys().chain(theirs.keys()).collect();
    let differ = paths.into_iter().filter(|path| ours.get(*path) != theirs.get(*path));
    let tell = |path: &PathBuf| {
        format!("{name}: {}: {:?}, unzip: {:?}", path.display(), ours.get(path), theirs.get(path))
    };
    differ.map(tell).collect()
}

/// Runs a line of shell as a packer would on a build machine, with these variables.
fn shell(line: &str, paths: &[(&str, &PathBuf)]) -> bool {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("umask 022; {line}"));
    command.envs(paths.iter().copied()).env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    command.status().unwrap().success()
}

/// A package with something of everything that a tool may treat in its own way.
fn package(root: &Path) {
    for directory in ["bin", "d/empty", "ünï/世界", "private"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let noise: Vec<u8> =
        (0..100_000_u32).flat_map(|at| at.wrapping_mul(0x9e37_79b1).to_le_bytes()).collect();
    file(root, "bin/run", b"#!/bin/sh\n", 0o755);
    file(root, "data", &b"0123456789".repeat(20_000), 0o644);
    file(root, "noise", &noise, 0o664);
    file(root, "d/empty.py", b"", 0o644);
    file(root, "ünï/世界/ñ.txt", "ñ".as_bytes(), 0o644);
    file(root, "private/key", b"key", 0o600);
    file(root, "private/tool", b"tool", 0o700);
    file(root, "d/read only, with $ and 'quotes'", b"x", 0o444);
    file(root, "d/set-user-id", b"x", 0o4755);
    symlink("bin/run", root.join("start")).unwrap();
    symlink("../d", root.join("bin/up")).unwrap();
    symlink("/nowhere/to be found", root.join("dangling")).unwrap();
    fs::set_permissions(root.join("private"), Permissions::from_mode(0o700)).unwrap();
    for (at, (name, _)) in walk(root).iter().filter(|(_, found)| !found.is_symlink()).enumerate() {
        // Even and odd seconds: MS-DOS has only even ones.
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890 + 7 * at as u64);
        File::open(root.join(name)).unwrap().set_modified(modified).unwrap();
    }
}

fn file(root: &Path, name: &str, contents: &[u8], mode: u32) {
    fs::write(root.join(name), contents).unwrap();
    fs::set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap();
}

/// What is seen of one file, directory or link: kind, mode, seconds, size, contents.
type Seen = (&'static str, u32, i64, Vec<u8>);

/// All that is below a directory.
fn seen(root: &Path, rule: fn(u32) -> u32) -> BTreeMap<PathBuf, Seen> {
    let one = |(name, metadata): (PathBuf, Metadata)| {
        let seen = look(&root.join(&name), &metadata, rule);
        (name, seen)
    };
    walk(root).into_iter().map(one).collect()
}

fn look(path: &Path, metadata: &Metadata, rule: fn(u32) -> u32) -> Seen {
    if metadata.is_symlink() {
        // `unzip` does not set its time.
        let target = fs::read_link(path).unwrap();
        return ("link", 0, 0, target.into_os_string().into_encoded_bytes());
    }
    let mode = rule(metadata.mode() & 0o7777);
    if metadata.is_dir() {
        return ("directory", mode, settled(metadata.mtime()), Vec::new());
    }
    ("file", mode, settled(metadata.mtime()), fs::read(path).unwrap())
}

/// What was made just now, because no entry says otherwise, was not made in the same second.
fn settled(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    if seconds.abs_diff(now.cast_signed()) < 600 { -1 } else { seconds }
}

/// The mode that becomes of one that `unzip` restores: everybody may read, and execute what anybody may;
/// nobody but the owner may write, nobody gets another user's rights.
fn ruled(mode: u32) -> u32 {
    mode & 0o755 | if mode & 0o111 == 0 { 0o444 } else { 0o555 }
}
