//! The hazards of tars, as packages of code, and what must come of each. What only images have (layers
//! over each other, whiteouts, owners) is not here: no command unpacks them without running them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::hazards::Outcome::Refused;
use super::hazards::{Hazard, row, tree};
use super::tars::{BLOCK, entry, record, sum};

/// All of them.
pub(super) fn tar_hazards() -> Vec<Hazard> {
    let kinds: [fn() -> Vec<Hazard>; 8] =
        [twice, names, links, hard_links, records, headers, ends, packed];
    kinds.into_iter().flat_map(|kind| kind()).collect()
}

fn file(name: &str, contents: &str) -> Vec<u8> {
    entry(name, b'0', "", contents.as_bytes())
}

fn directory(name: &str) -> Vec<u8> {
    entry(name, b'5', "", b"")
}

fn link(name: &str, target: &str) -> Vec<u8> {
    entry(name, b'2', target, b"")
}

fn hard(name: &str, target: &str) -> Vec<u8> {
    entry(name, b'1', target, b"")
}

/// PAX records for the next entry.
fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let records: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
    entry("PaxHeaders/x", b'x', "", &records)
}

/// A tar of these entries, with its end.
fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 2 * BLOCK]].concat()
}

/// An entry with some bytes of its header changed, and a right checksum.
fn with(mut entry: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    entry[at..at + bytes.len()].copy_from_slice(bytes);
    sum(&mut entry[..BLOCK]);
    entry
}

/// One path more than once, which tars may have: the last one counts.
fn twice() -> Vec<Hazard> {
    let conflict = Refused("it is no directory, but");
    vec![
        row("tar: a file twice", tar(&[file("a", "1"), file("a", "2")]), tree(&["a: 2"])),
        row(
            "tar: a directory twice",
            tar(&[directory("d/"), file("d/a", "1"), directory("d/")]),
            tree(&["d/", "d/a: 1"]),
        ),
        row(
            "tar: a file over a link",
            tar(&[link("a", "../canary"), file("a", "2")]),
            tree(&["a: 2"]),
        ),
        row("tar: a link over a file", tar(&[file("a", "1"), link("a", "b")]), tree(&["a -> b"])),
        row(
            "tar: a directory over a link",
            tar(&[link("d", ".."), directory("d/"), file("d/canary", "1")]),
            tree(&["d/", "d/canary: 1"]),
        ),
        row(
            "tar: a file over a directory",
            tar(&[file("d/a", "1"), file("d", "2")]),
            tree(&["d: 2"]),
        ),
        row("tar: a file, then below it", tar(&[file("a", "1"), file("a/b", "2")]), conflict),
    ]
}

/// Names that leave, by way of headers, records and long names.
fn names() -> Vec<Hazard> {
    let one = |name: &str| tar(&[file("good", "x"), file(name, "1")]);
    let long = |kind: u8, name: &str| entry("././@LongLink", kind, "", name.as_bytes());
    let (up, absolute) = (Refused("contains '..'"), Refused("is absolute"));
    let deep = "d/".repeat(60) + "f";
    let tree_of_deep = || {
        let mut lines: Vec<String> = (1..=60).map(|depth| "d/".repeat(depth)).collect();
        lines.push(format!("{deep}: 1"));
        lines.sort();
        tree(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    };
    vec![
        row("tar: ../", one("../canary"), up.clone()),
        row("tar: ../ inside", one("a/../../canary"), up.clone()),
        row("tar: absolute", one("/canary"), absolute.clone()),
        row("tar: empty", one(""), Refused("is empty")),
        row(
            "tar: ../ in a record",
            tar(&[pax(&[("path", "../canary")]), file("a", "1")]),
            up.clone(),
        ),
        row(
            "tar: absolute in a record",
            tar(&[pax(&[("path", "/canary")]), file("a", "1")]),
            absolute,
        ),
        row(
            "tar: ../ in a long name",
            tar(&[long(b'L', "../canary\0"), file("a", "1")]),
            up.clone(),
        ),
        row("tar: ../ in a prefix", tar(&[with(file("canary", "1"), 345, b"..")]), up),
        row(
            "tar: a long name",
            tar(&[long(b'L', &format!("{deep}\0")), file("a", "1")]),
            tree_of_deep(),
        ),
        row(
            "tar: a long name in a record",
            tar(&[pax(&[("path", &deep)]), file("a", "1")]),
            tree_of_deep(),
        ),
        row(
            "tar: two names",
            tar(&[long(b'L', "b\0"), pax(&[("path", "c")]), file("a", "1")]),
            Refused("one name"),
        ),
        row(
            "tar: a whiteout is a name like any other",
            one(".wh.good"),
            tree(&[".wh.good: 1", "good: x"]),
        ),
        row("tar: the root itself", tar(&[directory("./"), file("./a", "1")]), tree(&["a: 1"])),
    ]
}

/// Symbolic links, and what may not be reached through them.
fn links() -> Vec<Hazard> {
    let through = |target: &str, name: &str| tar(&[link("l", target), file(name, "1")]);
    let conflict = Refused("it is no directory, but");
    let device = Refused("a device or pipe");
    vec![
        row(
            "tar: links as they are",
            tar(&[link("a", "/etc/passwd"), link("b", "../canary"), link("c", "c")]),
            tree(&["a -> /etc/passwd", "b -> ../canary", "c -> c"]),
        ),
        row("tar: through a link upwards", through("..", "l/canary"), conflict.clone()),
        row("tar: through an absolute link", through("/tmp", "l/canary"), conflict),
        row("tar: a link without target", tar(&[link("l", "")]), Refused("link target is empty")),
        row(
            "tar: a link with contents",
            tar(&[entry("l", b'2', "a", b"1")]),
            Refused("with contents"),
        ),
        row("tar: a character device", tar(&[entry("c", b'3', "", b"")]), device.clone()),
        row("tar: a block device", tar(&[entry("b", b'4', "", b"")]), device.clone()),
        row("tar: a pipe", tar(&[entry("p", b'6', "", b"")]), device),
        row(
            "tar: a set-user-id file",
            tar(&[with(file("a", "1"), 100, b"0004755")]),
            tree(&["a*: 1"]),
        ),
        row("tar: of another user", tar(&[with(file("a", "1"), 108, b"0001750")]), tree(&["a: 1"])),
    ]
}

/// Hard links, which lead to earlier entries and nowhere else.
fn hard_links() -> Vec<Hazard> {
    let to =
        |target: &str| tar(&[file("a", "1"), link("l", ".."), directory("d/"), hard("h", target)]);
    vec![
        row("tar: a hard link", tar(&[file("a", "1"), hard("h", "a")]), tree(&["a: 1", "h: 1"])),
        row(
            "tar: a hard link to a hard link",
            tar(&[file("a", "1"), hard("h", "a"), hard("i", "h")]),
            tree(&["a: 1", "h: 1", "i: 1"]),
        ),
        row("tar: a hard link to itself", tar(&[file("a", "1"), hard("a", "a")]), tree(&["a: 1"])),
        row(
            "tar: a hard link, then another file",
            tar(&[file("a", "1"), hard("h", "a"), file("h", "2")]),
            tree(&["a: 1", "h: 2"]),
        ),
        row("tar: a hard link upwards", to("../canary"), Refused("'..'")),
        row("tar: a hard link to an absolute path", to("/etc/passwd"), Refused("absolute")),
        row("tar: a hard link through a link", to("l/canary"), Refused("link target")),
        row("tar: a hard link to a directory", to("d"), Refused("link target is a directory")),
        row("tar: a hard link to nothing", to("nothing"), Refused("link target")),
        row(
            "tar: a hard link to a later file",
            tar(&[hard("h", "a"), file("a", "1")]),
            Refused("link target"),
        ),
        row(
            "tar: a hard link with contents",
            tar(&[file("a", "1"), entry("h", b'1', "a", b"2")]),
            Refused("with contents"),
        ),
    ]
}

/// Records that say something else than the header, or nothing that can be understood.
fn records() -> Vec<Hazard> {
    let inner = file("smuggled", "1");
    let outer =
        |header: &[u8; 11]| with([entry("a", b'0', "", b""), inner.clone()].concat(), 124, header);
    let size = inner.len().to_string();
    let raw = |records: &[u8]| tar(&[entry("x", b'x', "", records), file("a", "1")]);
    let whole = format!("a: {size} bytes");
    vec![
        row(
            "tar: a size only in records, an entry in the contents",
            tar(&[pax(&[("size", &size)]), outer(b"00000000000")]),
            tree(&[&whole]),
        ),
        row(
            "tar: another size in records",
            tar(&[pax(&[("size", &size)]), outer(b"00000000001")]),
            Refused("one size"),
        ),
        row(
            "tar: records without an entry",
            tar(&[pax(&[("path", "b")])]),
            Refused("an entry behind the records"),
        ),
        row(
            "tar: records twice",
            tar(&[pax(&[("path", "b")]), pax(&[("path", "c")]), file("a", "1")]),
            Refused("once before an entry"),
        ),
        row("tar: a record that is too long", raw(b"99 path=b\n"), Refused("record")),
        row("tar: a record without a length", raw(b"path=b\n"), Refused("record")),
        row("tar: a record without a line's end", raw(b"9 path=bc"), Refused("record")),
        row("tar: a path with NUL", raw(&record("path", "b\0c")), Refused("without NUL")),
        row("tar: a size that is no number", raw(&record("size", "1x")), Refused("record")),
        row(
            "tar: times with fractions, attributes",
            tar(&[pax(&[("mtime", "1735689600.5"), ("SCHILY.xattr.user.a", "1")]), file("a", "1")]),
            tree(&["a: 1"]),
        ),
    ]
}

/// Headers that are none.
fn headers() -> Vec<Hazard> {
    let size = |size: &[u8]| tar(&[with(file("a", "1"), 124, size)]);
    let mut damaged = tar(&[file("good", "x"), file("a", "1")]);
    damaged[2 * BLOCK] ^= 1;
    vec![
        row("tar: a wrong checksum", damaged, Refused("checksum")),
        row(
            "tar: a size that is no number",
            size(b"0000000000x"),
            Refused("a number in each field"),
        ),
        row("tar: a negative size", size(&[0xff; 12]), Refused("a number in each field")),
        row(
            "tar: a size of 63 bits",
            size(&[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Refused("bytes unpacked"),
        ),
        row("tar: 1 GiB", size(b"10000000000"), Refused("bytes unpacked")),
        row(
            "tar: a base-256 size",
            size(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            tree(&["a: 1"]),
        ),
    ]
}

/// Ends that are none, and what comes behind them.
fn ends() -> Vec<Hazard> {
    let whole = tar(&[file("a", "1"), file("b", "2")]);
    let cut = |length: usize| whole[..length].to_vec();
    let behind = |bytes: &[u8]| [&whole, bytes].concat();
    vec![
        row("tar: cut off in contents", cut(3 * BLOCK + 1), Refused("end of the file")),
        row("tar: cut off in a header", cut(2 * BLOCK + 9), Refused("end of the file")),
        row("tar: no end", cut(4 * BLOCK), Refused("mark of its end")),
        row("tar: one block of zeros", cut(5 * BLOCK), tree(&["a: 1", "b: 2"])),
        row("tar: zeros behind", behind(&[0; 10_000]), tree(&["a: 1", "b: 2"])),
        row("tar: something behind", behind(b"junk"), Refused("nothing but zeros behind the end")),
        row("tar: two tars", behind(&whole), Refused("nothing but zeros behind the end")),
        row("tar: no entries", tar(&[]), tree(&[])),
    ]
}

/// Tars that are packed with gzip.
fn packed() -> Vec<Hazard> {
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory does not fail")
    };
    let whole = tar(&[file("a", "1")]);
    let one = gzip(&whole);
    let mut damaged = one.clone();
    let crc = damaged.len() - 8;
    damaged[crc] ^= 1;
    let bomb =
        gzip(&[with(entry("a", b'0', "", b""), 124, b"02000000000"), vec![0; 256 << 20]].concat());
    let zeros = gzip(&vec![0; 64 << 20]);
    vec![
        row("tar.gz", one.clone(), tree(&["a: 1"])),
        row(
            "tar.gz in two members",
            [gzip(&whole[..700]), gzip(&whole[700..])].concat(),
            tree(&["a: 1"]),
        ),
        row("tar.gz cut off", one[..one.len() - 9].to_vec(), Refused("data")),
        row("tar.gz without its checksum", one[..one.len() - 4].to_vec(), Refused("data")),
        row("tar.gz of another checksum", damaged, Refused("data")),
        row("tar.gz, something behind", [&one[..], b"junk"].concat(), Refused("data")),
        row("tar.gz of 256 MiB", bomb, Refused("bytes unpacked")),
        row("tar.gz of zeros and nothing else", zeros, tree(&[])),
        row("tar.gz of no tar", gzip(b"<html></html>"), Refused("expected")),
    ]
}
