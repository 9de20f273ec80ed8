//! Makes small tars, entry by entry. Source: POSIX `pax`, "ustar Interchange Format".

/// Everything in a tar comes in blocks of this many bytes.
pub(super) const BLOCK: usize = 512;

/// Corrects a header's checksum.
pub(super) fn sum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// An entry of 2025-01-01: name, kind, link target, contents.
pub(super) fn entry(name: &str, kind: u8, target: &str, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; BLOCK];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes[157..157 + target.len()].copy_from_slice(target.as_bytes());
    for (at, value) in [(100, 0o644), (108, 0), (116, 0), (329, 0), (337, 0)] {
        bytes[at..at + 7].copy_from_slice(format!("{value:07o}").as_bytes());
    }
    for (at, value) in [(124, contents.len()), (136, 1_735_689_600)] {
        bytes[at..at + 11].copy_from_slice(format!("{value:011o}").as_bytes());
    }
    bytes[156] = kind;
    bytes[257..265].copy_from_slice(b"ustar\x0000");
    sum(&mut bytes);
    bytes.extend(contents);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

/// A PAX record.
pub(super) fn record(key: &str, value: &str) -> Vec<u8> {
    let plain = key.len() + value.len() + 3;
    let length = (plain..plain + 9).find(|length| length.to_string().len() + plain == *length);
    format!("{} {key}={value}\n", length.unwrap_or_default()).into_bytes()
}
