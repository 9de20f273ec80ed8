//! Downloads from servers that behave in every way a server can: all end in the deployed tree, or in a
//! clear error and nothing.

mod server;

use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use self::server::{Deed, FRESH, Server};
use super::*;
use crate::causes::causes;
use crate::unpack::zip::{Member, file, zip};
use crate::unpack::{Archive, Limits, UnpackError};

/// A connection on which nothing comes for so long is left; where all is well, a busy machine is no stall.
const STALL: Duration = Duration::from_millis(100);
const PATIENT: Duration = Duration::from_secs(20);

/// Small files, then one large one, then small ones again: 1.3 MB.
fn package() -> &'static [u8] {
    static PACKAGE: OnceLock<Vec<u8>> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        let mut random = Random(7);
        let mut noise = |length: usize| -> Vec<u8> {
            (0..length.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).collect()
        };
        let small =
            |at: usize, bytes: Vec<u8>| file(format!("d{}/f{at}", at % 7), bytes).deflated();
        let mut members: Vec<Member> = (0..60).map(|at| small(at, noise(3_000))).collect();
        members.push(file("large", noise(1_050_000)));
        members.extend((60..100).map(|at| small(at, noise(2_000))));
        zip(&members)
    })
}

fn sha256(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(bytes))
}

fn described(server: &Server) -> Package {
    Package {
        name: "function package".to_owned(),
        location: Location::Url(server.url.clone().into()),
        sha256: Some(sha256(package())),
        size: None,
    }
}

/// Windows and segments far smaller than the package.
fn options(connections: usize) -> Options {
    let pause = Duration::from_millis(1);
    Options {
        connections,
        window: 320 << 10,
        allowed: 2 << 20,
        patience: Patience { tries: 5, pause, longest: 4 * pause, stall: STALL },
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "printed by failing tests")]
enum Failed {
    Fetch(FetchError),
    Unpack(UnpackError),
}

/// Fetches and unpacks, as a run does.
async fn fetched(
    package: &Package,
    root: &Path,
    options: Options,
    renewal: Option<Renewal>,
) -> Result<(), Failed> {
    let client = client::with(rustls::RootCertStore::empty())
        .map_err(|fault| FetchError { package: "client".to_owned(), fault });
    let client = OnceCell::new_with(Some(client.map_err(Failed::Fetch)?));
    let fetcher = Fetcher { options, client };
    let mut opened = fetcher.open(package, renewal).await.map_err(Failed::Fetch)?;
    let (source, root) = (opened.source.clone(), root.to_owned());
    let unpacking = tokio::task::spawn_blocking(move || {
        let archive = Archive { name: "function package", source: source.as_source() };
        crate::unpack::one(archive, &root, &Limits::default())
    });
    let (received, unpacked) = tokio::join!(opened.receive(), unpacking);
    received.map_err(Failed::Fetch)?;
    unpacked.unwrap().map(drop).map_err(Failed::Unpack)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs a script; returns what came of it, the ranges that were asked for, and how often a new address.
fn played(script: &[Deed], connections: usize) -> (Result<(), Failed>, Vec<String>, u32) {
    let server = Server::new(package(), script);
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("root");
    let renewed = Arc::new(AtomicU32::new(0));
    let (count, url) = (Arc::clone(&renewed), format!("{}{FRESH}", server.url));
    let renewal: Renewal = Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        let url = url.clone();
        Box::pin(async move { Ok(url.into()) })
    });
    let package = described(&server);
    let mut options = options(connections);
    if script.is_empty() {
        options.patience.stall = PATIENT;
    }
    let ended = fetched(&package, &root, options, Some(renewal));
    let ended = runtime().block_on(async { timeout(Duration::from_mins(1), ended).await });
    let ended = ended.unwrap_or_else(|_| panic!("{script:?} hangs"));
    match &ended {
        Ok(()) => assert_eq!(sum(&root), expected(), "{script:?}"),
        Err(error) => {
            let left: Vec<_> = std::fs::read_dir(parent.path()).unwrap().collect();
            assert!(left.is_empty(), "{script:?}: {error:?} left {left:?}");
        }
    }
    (ended, server.ranges(), renewed.load(Ordering::Relaxed))
}

/// A checksum of names and contents below a directory.
fn sum(root: &Path) -> u32 {
    let mut open = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let mut sum = crc32fast::Hasher::new();
    for path in files {
        sum.update(path.strip_prefix(root).unwrap().as_os_str().as_encoded_bytes());
        sum.update(&std::fs::read(path).unwrap());
    }
    sum.finalize()
}

fn expected() -> u32 {
    static EXPECTED: OnceLock<u32> = OnceLock::new();
    *EXPECTED.get_or_init(|| {
        let root = tempfile::tempdir().unwrap();
        let archive = Archive { name: "package", source: &package() };
        crate::unpack::one(archive, &root.path().join("root"), &Limits::default()).unwrap();
        sum(&root.path().join("root"))
    })
}

#[test]
fn the_directory_is_asked_for_at_the_same_time_and_the_rest_once() {
    let (ended, ranges, _) = played(&[], 1);
    ended.unwrap();
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    assert!(
        ranges.contains(&"0-".to_owned()) && ranges.contains(&format!("-{TAIL}")),
        "{ranges:?}"
    );
}

#[test]
fn a_cut_download_goes_on_where_it_was() {
    let (ended, ranges, _) = played(&[Deed::Cut(500_000), Deed::Cut(500_000)], 1);
    ended.unwrap();
    let begun: Vec<_> = ranges.iter().filter(|range| *range == "0-").collect();
    assert_eq!(begun.len(), 1, "{ranges:?}");
}

#[test]
fn a_stalled_connection_is_left_for_another() {
    let stall = Deed::Stall(100_000, 20 * STALL);
    played(&[stall, stall, stall], 1).0.unwrap();
}

#[test]
fn a_server_without_ranges_gives_the_same_tree() {
    played(&[Deed::Whole, Deed::Whole], 4).0.unwrap();
    played(&[Deed::Unmeasured, Deed::Unmeasured], 4).0.unwrap();
}

#[test]
fn an_expired_address_is_replaced_once() {
    let (ended, _, renewed) = played(&[Deed::Expired], 1);
    ended.unwrap();
    assert_eq!(renewed, 1);
    let (ended, _, renewed) = played(&[Deed::Status(403); 9], 1);
    let Err(Failed::Fetch(FetchError { fault, .. })) = ended else { panic!("{ended:?}") };
    assert!(matches!(fault, Fault::Denied { status: 403 }) && renewed == 1, "{fault}");
}

/// The fault of a script of one misdeed again and again.
fn fault(deed: Deed) -> Fault {
    let (ended, ..) = played(&[deed; 40], 1);
    let Err(Failed::Fetch(FetchError { fault, .. })) = ended else { panic!("{ended:?}") };
    fault
}

#[test]
fn each_misdeed_has_its_own_error() {
    assert!(matches!(fault(Deed::Status(404)), Fault::Status { status: 404 }));
    assert!(matches!(fault(Deed::Status(302)), Fault::Redirect { status: 302 }));
    assert!(matches!(fault(Deed::Status(416)), Fault::Changed { .. }));
    assert!(matches!(fault(Deed::Status(503)), Fault::Network { tries: 5, .. }));
    assert!(matches!(fault(Deed::Garbage), Fault::Network { .. }));
    assert!(matches!(fault(Deed::Longer(1)), Fault::Answer { .. }));
    assert!(matches!(fault(Deed::Fewer(9)), Fault::Answer { .. }));
}

#[test]
fn other_bytes_than_those_deployed_are_refused() {
    let server = Server::new(package(), &[]);
    let package = Package { sha256: Some("AAAA".to_owned()), ..described(&server) };
    let root = tempfile::tempdir().unwrap();
    let ended = runtime().block_on(fetched(&package, root.path(), options(1), None));
    let Err(Failed::Fetch(FetchError { fault, .. })) = ended else { panic!("{ended:?}") };
    assert!(
        matches!(fault, Fault::Digest { .. }) && root.path().read_dir().unwrap().next().is_none()
    );
}

#[test]
fn an_object_that_is_replaced_on_the_way_is_refused() {
    let (ended, ..) = played(&[Deed::Honest, Deed::Replaced], 1);
    let changed = |ended| match ended {
        // The directory's answer is not trusted, and asked for again.
        Ok(()) => true,
        Err(Failed::Fetch(error)) => matches!(error.fault, Fault::Changed { .. }),
        Err(Failed::Unpack(_)) => false,
    };
    assert!(changed(ended));
    let replaced = [Deed::Cut(300_000), Deed::Cut(300_000), Deed::Replaced, Deed::Replaced];
    let (ended, ..) = played(&replaced, 1);
    assert!(ended.is_err() && changed(ended));
}

#[test]
fn a_directory_that_is_not_in_the_digest_is_refused() {
    // The byte is in the directory: either the two views differ, or the stream's digest is wrong.
    for script in [
        [Deed::Corrupt(package().len() - 500), Deed::Honest],
        [Deed::Honest, Deed::Corrupt(package().len() - 500)],
    ] {
        assert!(played(&script, 1).0.is_err(), "{script:?}");
    }
}

#[test]
fn a_url_is_not_quoted() {
    let url = "http://127.0.0.1:1/x?X-Amz-Signature=canary".to_owned();
    let package =
        Package { name: "p".into(), location: Location::Url(url.into()), sha256: None, size: None };
    let opened = runtime().block_on(Fetcher::new(options(1)).open(&package, None));
    let error = opened.unwrap_err();
    assert!(!format!("{error} {error:?} {package:?}").contains("canary"), "{error}");
    // Said once, with its causes.
    assert_eq!(causes(&error).matches("could not be downloaded").count(), 1, "{error}");
}

#[test]
fn a_package_that_is_too_large_is_not_fetched() {
    let server = Server::new(package(), &[]);
    let options = Options { allowed: 1 << 20, ..options(1) };
    let opened = runtime().block_on(Fetcher::new(options).open(&described(&server), None));
    assert!(
        matches!(opened.unwrap_err().fault, Fault::Large { allowed, .. } if allowed == 1 << 20)
    );
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn deed(&mut self) -> Deed {
        let at = self.below(package().len());
        match self.below(16) {
            0..4 => Deed::Honest,
            4 | 5 => Deed::Cut(at),
            6 => Deed::Cut(self.below(3)),
            7 => Deed::Stall(at, 2 * STALL),
            8 => Deed::Slow,
            9 => Deed::Corrupt(at),
            10 => Deed::Status([403, 416, 500, 503, 429, 404, 302, 400][self.below(8)]),
            11 => Deed::Status([500, 503, 429, 403][self.below(4)]),
            12 => [Deed::Whole, Deed::Unmeasured][self.below(2)],
            13 => Deed::Longer(1 + self.next() % 1000),
            14 => Deed::Fewer(1 + self.next() % 100_000),
            _ => [Deed::Replaced, Deed::Garbage][self.below(2)],
        }
    }
}

#[test]
fn a_thousand_random_schedules_end_in_the_tree_or_in_nothing() {
    let (next, good) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= 1000 {
                        return;
                    }
                    let mut random = Random(seed as u64 + 1);
                    (0..8).for_each(|_| _ = random.next());
                    let script: Vec<Deed> = (0..random.below(10)).map(|_| random.deed()).collect();
                    let (ended, ..) = played(&script, 1 + random.below(4));
                    good.fetch_add(usize::from(ended.is_ok()), Ordering::Relaxed);
                }
            });
        }
    });
    // Both ends are seen.
    let good = good.into_inner();
    assert!((200..900).contains(&good), "{good} good ends");
}
