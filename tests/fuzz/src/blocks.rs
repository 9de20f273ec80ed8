//! Tars: what a mutated one needs to be read again, and small ones to start from.

use crate::tars::{BLOCK, entry, record, sum};

/// Corrects the checksums of what is still like a header.
pub fn repair(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(BLOCK).filter(|block| block[257..262] == *b"ustar") {
        sum(block);
    }
}

/// Tars to start from: entries, and how many of them are in the lower layer.
pub fn seeds() -> Vec<Vec<u8>> {
    let file = |name: &str, contents: &str| entry(name, b'0', "", contents.as_bytes());
    let directory = |name: &str| entry(name, b'5', "", b"");
    let link = |name: &str, target: &str| entry(name, b'2', target, b"");
    let hard = |name: &str, target: &str| entry(name, b'1', target, b"");
    let pax = |key: &str, value: &str| entry("x", b'x', "", &record(key, value));
    let long = "long/".repeat(30) + "name";
    vec![
        layers(&[directory("d/"), file("d/a", "1")], &[file("d/.wh.a", ""), file("d/b", "2")]),
        layers(
            &[file("d/a", "1"), file("d/b/c", "1")],
            &[file("d/.wh..wh..opq", ""), file("d/x", "")],
        ),
        layers(&[file("a", "1")], &[directory("a/"), file("a/b", "2")]),
        layers(&[file("a/b", "1")], &[file("a", "2"), hard("c", "a")]),
        layers(&[link("l", "../canary")], &[file("l/x", "2"), hard("h", "l")]),
        layers(&[file("a", "1"), hard("b", "a"), link("l", "/etc"), hard("c", "b")], &[]),
        layers(&[pax("path", &long), file("short", "1")], &[]),
        layers(&[pax("size", "3"), file("a", "1"), pax("linkpath", "b"), link("l", "a")], &[]),
        layers(&[pax("SCHILY.xattr.user.a", "1"), pax("mtime", "1.5"), file("a", "1")], &[]),
        layers(&[entry("././@LongLink", b'L', "", long.as_bytes()), file("a", "1")], &[]),
        layers(&[entry("././@LongLink", b'K', "", long.as_bytes()), link("l", "a")], &[]),
        layers(&[entry("g", b'g', "", &record("comment", "1")), file("a", "1")], &[]),
        layers(&[entry("p", b'6', "", b""), entry("c", b'3', "", b""), file("../up", "1")], &[]),
        layers(&[file("/absolute", "1"), file("./a", "1"), directory("./")], &[]),
    ]
}

fn layers(lower: &[Vec<u8>], upper: &[Vec<u8>]) -> Vec<u8> {
    let tar = |entries: &[Vec<u8>]| [entries.concat(), vec![0; 2 * BLOCK]].concat();
    let (lower, upper) = (tar(lower), if upper.is_empty() { Vec::new() } else { tar(upper) });
    let blocks = u16::try_from(lower.len() / BLOCK).unwrap_or_default().to_le_bytes();
    [lower, upper, blocks.to_vec()].concat()
}
