//! The least that this machine must spend on a package, as JSON: CPU time in ms of receiving it, hashing it, inflating
//! its entries, checking them and writing their files. `limit URL DIR`; DIR is new and belongs on tmpfs.
//!
//! `limit` is what two cores can do at best: half of the sum, but not less than the longest deflate stream, which is
//! serial. The buffer stays in the cache, paths are one name long, nothing is checked twice: no program spends less.

use flate2::{Decompress, FlushDecompress, Status};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{Cursor, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zip::{CompressionMethod, ZipArchive};

const PIECE: usize = 256 << 10;

struct Entry {
    path: PathBuf,
    /// Where its deflate stream is; nothing if it is stored.
    stream: Option<(usize, usize)>,
    size: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, directory] = arguments.as_slice() else {
        return Err("usage: limit URL DIR".into());
    };
    // In memory before the clock runs, as its pages are no part of receiving.
    let mut package = vec![1; length(url)?];
    let receive = cpu(|| receive(url, &mut package))?;
    let sha256 = cpu(|| Ok(Sha256::digest(&package)))?;
    let entries = entries(&package)?;
    let inflate = cpu(|| entries.iter().try_for_each(|entry| inflate_one(entry, &package)))?;
    let largest =
        entries.iter().filter(|entry| entry.stream.is_some()).max_by_key(|entry| entry.size);
    let longest = cpu(|| largest.map_or(Ok(()), |entry| inflate_one(entry, &package)))?;
    let unpacked = entries.iter().map(|entry| entry.size).sum();
    let crc32 = cpu(|| Ok(checksum(unpacked)))?;
    let directories = directories(&entries);
    let write = cpu(|| write(&directories, &entries, Path::new(directory)))?;
    let limit = ((receive + sha256 + inflate + crc32 + write) / 2.0).max(longest);
    let figures = serde_json::json!({
        "receive": receive, "sha256": sha256, "inflate": inflate, "longest": longest, "crc32": crc32, "write": write,
        "limit": limit, "files": entries.len(), "packed": package.len(), "unpacked": unpacked,
    });
    Ok(writeln!(std::io::stdout(), "{figures}")?)
}

/// CPU time of a step, in milliseconds.
fn cpu<T>(step: impl FnOnce() -> Result<T, Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    let now = || clock.now().map(|time| Duration::from(time).as_secs_f64() * 1e3);
    let before = now()?;
    std::hint::black_box(step()?);
    Ok(now()? - before)
}

/// Asks for a URL; the answer's Content-Length and its body.
fn request(method: &str, url: &str) -> Result<(usize, TcpStream), Box<dyn Error>> {
    let rest = url.strip_prefix("http://").ok_or("expected an http:// URL")?;
    let (host, path) = rest.split_once('/').ok_or("expected a URL with a path")?;
    let mut stream = TcpStream::connect(host)?;
    write!(stream, "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head)?;
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    Ok((length.ok_or("expected a Content-Length")?.parse()?, stream))
}

fn length(url: &str) -> Result<usize, Box<dyn Error>> {
    Ok(request("HEAD", url)?.0)
}

fn receive(url: &str, package: &mut [u8]) -> Result<(), Box<dyn Error>> {
    Ok(request("GET", url)?.1.read_exact(package)?)
}

fn entries(package: &[u8]) -> Result<Vec<Entry>, Box<dyn Error>> {
    let mut archive = ZipArchive::new(Cursor::new(package))?;
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index)?;
        let start = usize::try_from(file.data_start().ok_or("expected data")?)?;
        let end = start + usize::try_from(file.compressed_size())?;
        let stream = (file.compression() == CompressionMethod::Deflated).then_some((start, end));
        if file.is_file() || file.is_symlink() {
            let path = file.enclosed_name().ok_or("expected a path inside the directory")?;
            entries.push(Entry { path, stream, size: usize::try_from(file.size())? });
        }
    }
    Ok(entries)
}

fn inflate_one(entry: &Entry, package: &[u8]) -> Result<(), Box<dyn Error>> {
    let Some((start, end)) = entry.stream else { return Ok(()) };
    thread_local!(static STATE: std::cell::RefCell<(Decompress, Vec<u8>)> = (Decompress::new(false), vec![1; PIECE]).into());
    STATE.with_borrow_mut(|(decompress, piece)| {
        decompress.reset(false);
        loop {
            let read = start + usize::try_from(decompress.total_in())?;
            if decompress.decompress(&package[read..end], piece, FlushDecompress::None)?
                == Status::StreamEnd
            {
                break;
            }
        }
        let matches = usize::try_from(decompress.total_out())? == entry.size;
        if matches {
            Ok(())
        } else {
            Err(format!("{}: not as long as declared", entry.path.display()).into())
        }
    })
}

/// CRC-32 of that many bytes.
fn checksum(bytes: usize) -> u32 {
    let piece = vec![1; PIECE];
    let mut hasher = crc32fast::Hasher::new();
    for start in (0..bytes).step_by(PIECE) {
        hasher.update(&piece[..PIECE.min(bytes - start)]);
    }
    hasher.finalize()
}

/// Each once, parents first.
fn directories(entries: &[Entry]) -> BTreeSet<&Path> {
    entries.iter().flat_map(|entry| entry.path.ancestors().skip(1)).collect()
}

/// Files as long as the package's, each opened by its name alone.
fn write(
    directories: &BTreeSet<&Path>,
    entries: &[Entry],
    root: &Path,
) -> Result<(), Box<dyn Error>> {
    directories.iter().try_for_each(|path| fs::create_dir(root.join(path)))?;
    let root = root.canonicalize()?;
    let piece = vec![1; PIECE];
    let mut here = None;
    for entry in entries {
        if here != entry.path.parent() {
            here = entry.path.parent();
            std::env::set_current_dir(root.join(here.unwrap_or(Path::new(""))))?;
        }
        let name = entry.path.file_name().ok_or("expected a name")?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(name)?;
        for start in (0..entry.size).step_by(PIECE) {
            file.write_all(&piece[..PIECE.min(entry.size - start)])?;
        }
    }
    Ok(())
}
