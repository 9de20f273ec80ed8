//! Makes a mutated zip file plausible again, so that mutations get past the checks of lengths, offsets
//! and checksums. What cannot be understood is left as it is.

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";

/// Lets the end record point to the central directory, and the directory to the local headers.
pub fn layout(bytes: &mut [u8]) {
    let Some(end) = last(bytes, END).filter(|at| at + 22 <= bytes.len()) else { return };
    let heads = all(&bytes[..end], CENTRAL);
    let Some(start) = heads.first().copied() else { return };
    let locals = all(&bytes[..start], LOCAL);
    for (head, local) in heads.iter().zip(&locals).filter(|(head, _)| **head + 46 <= end) {
        put(bytes, head + 42, *local);
    }
    let count = u16::try_from(heads.len()).unwrap_or(u16::MAX).to_le_bytes();
    bytes[end + 4..end + 8].fill(0);
    bytes[end + 8..end + 10].copy_from_slice(&count);
    bytes[end + 10..end + 12].copy_from_slice(&count);
    put(bytes, end + 12, end - start);
    put(bytes, end + 16, start);
}

/// Lets both headers of each stored entry tell the truth about its data.
pub fn checksums(bytes: &mut [u8]) {
    let Some(end) = last(bytes, END) else { return };
    for head in all(&bytes[..end], CENTRAL) {
        let _ = checksum(bytes, head);
    }
}

fn checksum(bytes: &mut [u8], head: usize) -> Option<()> {
    let local = u32_at(bytes, head + 42)?;
    let data = local + 30 + u16_at(bytes, local + 26)? + u16_at(bytes, local + 28)?;
    let packed = u32_at(bytes, head + 20)?;
    let contents = bytes.get(data..data.checked_add(packed)?)?;
    let plain = match u16_at(bytes, head + 10)? {
        0 => contents.to_vec(),
        8 => inflate(contents),
        _ => return None,
    };
    let (crc, size) = (crc32fast::hash(&plain), plain.len());
    for at in [head + 16, local + 14] {
        // A local header that leaves it to a descriptor keeps doing so.
        if at == head + 16 || u16_at(bytes, local + 6)? & 8 == 0 {
            bytes.get_mut(at..at + 4)?.copy_from_slice(&crc.to_le_bytes());
            put(bytes, at + 4, packed);
            put(bytes, at + 8, size);
        }
    }
    Some(())
}

/// A package of the one entry in `input`, behind its mode, its method and the length of its data: whose
/// central directory has the name of the local header, and the true size and checksum.
pub fn described(input: &[u8]) -> Option<Vec<u8>> {
    let ([mode, method, low, high], entry) = input.split_first_chunk()?;
    let method = if method % 2 == 0 { 0 } else { 8_u16 };
    let mode = [0o100_644_u32, 0o120_777, 0o040_755, 0o100_755][usize::from(mode % 4)] << 16;
    let packed = u16::from_le_bytes([*low, *high]);
    let name_length = u16_at(entry, 26)?;
    let data = 30 + name_length + u16_at(entry, 28)?;
    let contents = entry.get(data..data + usize::from(packed))?;
    let plain = if method == 0 { contents.to_vec() } else { inflate(contents) };
    let numbers = [crc32fast::hash(&plain), packed.into(), u32::try_from(plain.len()).ok()?];
    let lengths = [&entry[26..28], &[0; 8]].concat();
    let head =
        [CENTRAL, &[20, 3, 20, 0, 0, 0], &method.to_le_bytes(), &[0, 0, 0x21, 0x5a]].concat();
    let numbers = numbers.map(u32::to_le_bytes).concat();
    let place = [mode.to_le_bytes(), [0; 4]].concat();
    let directory = [&head, &numbers, &lengths, &place, entry.get(30..30 + name_length)?].concat();
    let at = [directory.len(), entry.len()].map(|at| u32::try_from(at).unwrap_or(0).to_le_bytes());
    let end = [END, &[0, 0, 0, 0, 1, 0, 1, 0], &at.concat(), &[0, 0]].concat();
    Some([entry, &directory, &end].concat())
}

fn inflate(packed: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut plain = Vec::new();
    let _ = flate2::read::DeflateDecoder::new(packed).take(1 << 20).read_to_end(&mut plain);
    plain
}

fn put(bytes: &mut [u8], at: usize, value: usize) {
    if let (Some(slot), Ok(value)) = (bytes.get_mut(at..at + 4), u32::try_from(value)) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?).into())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

fn all(bytes: &[u8], signature: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(4).enumerate();
    windows.filter(|(_, window)| *window == signature).map(|(at, _)| at).collect()
}

fn last(bytes: &[u8], signature: &[u8]) -> Option<usize> {
    all(bytes, signature).pop()
}
