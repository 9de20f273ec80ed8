//! An HTTP server for one package that follows a script of misdeeds, one for each request; when the
//! script is at its end it is honest.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Deed {
    Honest,
    /// The connection is closed after so many bytes.
    Cut(usize),
    /// Nothing more comes after so many bytes, for so long.
    Stall(usize, Duration),
    /// Bytes come in small pieces.
    Slow,
    /// One byte at this place of the package is another.
    Corrupt(usize),
    Status(u16),
    /// The first address is not taken any more, by as many requests as may come; a fresh one is.
    Expired,
    /// Everything, whatever was asked for.
    Whole,
    /// The same without a length.
    Unmeasured,
    /// The package has so many bytes more than it has.
    Longer(u64),
    /// Fewer bytes than were asked for, and honestly so.
    Fewer(u64),
    /// It is another object now.
    Replaced,
    /// No HTTP.
    Garbage,
}

/// What a fresh address has and the first one has not.
pub(super) const FRESH: &str = "?fresh";

pub(super) struct Server {
    pub(super) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    package: Vec<u8>,
    script: Mutex<VecDeque<Deed>>,
    /// `Range` headers that came.
    ranges: Mutex<Vec<String>>,
}

impl Server {
    pub(super) fn new(package: &[u8], script: &[Deed]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/package", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            package: package.to_vec(),
            script: Mutex::new(script.iter().copied().collect()),
            ranges: Mutex::default(),
        });
        let server = Self { url, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                // The server is gone: only this thread knows it still.
                if Arc::strong_count(&shared) == 1 {
                    return;
                }
                let shared = Arc::clone(&shared);
                thread::spawn(move || drop(shared.serve(&stream.unwrap())));
            }
        });
        server
    }

    pub(super) fn ranges(&self) -> Vec<String> {
        self.shared.ranges.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let address = self.url.trim_start_matches("http://").trim_end_matches("/package");
        self.shared = Arc::new(Shared {
            package: Vec::new(),
            script: Mutex::default(),
            ranges: Mutex::default(),
        });
        let _ = TcpStream::connect(address);
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        loop {
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                if line == "\r\n" {
                    break;
                }
                head.push(line.trim_end().to_owned());
            }
            let asked = head.iter().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned)
            });
            self.ranges.lock().unwrap().push(asked.clone().unwrap_or_default());
            let deed = self.deed(head[0].contains(FRESH));
            if !self.answer(stream, asked.as_deref(), deed)? {
                return Ok(());
            }
        }
    }

    /// What happens to a request of the first address, or of a fresh one.
    fn deed(&self, fresh: bool) -> Deed {
        let mut script = self.script.lock().unwrap();
        if script.front() == Some(&Deed::Expired) {
            if !fresh {
                return Deed::Status(403);
            }
            script.pop_front();
        }
        script.pop_front().unwrap_or(Deed::Honest)
    }

    /// Says whether the connection can go on.
    fn answer(&self, mut out: &TcpStream, asked: Option<&str>, deed: Deed) -> io::Result<bool> {
        let total = self.package.len() as u64;
        let mut range = asked.and_then(|asked| parse(asked, total)).unwrap_or(0..total);
        let mut bytes = self.package.clone();
        let etag = if deed == Deed::Replaced { "\"two\"" } else { "\"one\"" };
        match deed {
            Deed::Garbage => return out.write_all(b"SSH-2.0-x\r\n\r\n").map(|()| false),
            Deed::Expired => unreachable!("a status by now"),
            Deed::Status(status) => {
                let location = "Location: http://127.0.0.1:1/elsewhere";
                write!(out, "HTTP/1.1 {status} X\r\n{location}\r\nContent-Length: 0\r\n\r\n")?;
                return Ok(true);
            }
            Deed::Whole => {
                write!(out, "HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: {total}\r\n\r\n")?;
                return out.write_all(&bytes).map(|()| true);
            }
            Deed::Unmeasured => {
                write!(out, "HTTP/1.1 200 OK\r\nETag: {etag}\r\nConnection: close\r\n\r\n")?;
                return out.write_all(&bytes).map(|()| false);
            }
            Deed::Corrupt(at) => bytes[at] ^= 1,
            Deed::Fewer(count) => range.end = range.end.saturating_sub(count).max(range.start + 1),
            _ => {}
        }
        let told = if let Deed::Longer(more) = deed { total + more } else { total };
        let (first, last) = (range.start, range.end - 1);
        write!(
            out,
            "HTTP/1.1 206 Partial Content\r\nETag: {etag}\r\nContent-Range: bytes {first}-{last}/{told}\r\n"
        )?;
        write!(out, "Content-Length: {}\r\n\r\n", range.end - range.start)?;
        let body =
            &bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        match deed {
            Deed::Cut(count) => {
                out.write_all(&body[..count.min(body.len())])?;
                return Ok(false);
            }
            Deed::Stall(count, time) => {
                out.write_all(&body[..count.min(body.len())])?;
                thread::sleep(time);
                return Ok(false);
            }
            Deed::Slow => {
                for piece in body.chunks(40_000) {
                    out.write_all(piece)?;
                    thread::sleep(Duration::from_millis(1));
                }
            }
            _ => out.write_all(body)?,
        }
        Ok(true)
    }
}

fn parse(asked: &str, total: u64) -> Option<Range<u64>> {
    let (first, last) = asked.split_once('-')?;
    Some(match (first.parse().ok(), last.parse::<u64>().ok()) {
        (Some(first), last) => first..last.map_or(total, |last| last + 1).min(total),
        (None, last) => total.saturating_sub(last?)..total,
    })
}
