//! A network that falls silent when it is told to: what is sent goes nowhere, and no connection ends. The way in which
//! services fail that nobody hears of.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The way to a service.
#[derive(Debug)]
pub struct Hush {
    url: String,
    silent: Arc<AtomicBool>,
}

impl Hush {
    /// In front of this endpoint.
    pub fn before(endpoint: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let target = endpoint.trim_start_matches("http://").to_owned();
        let silent = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&silent);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(service) = TcpStream::connect(&target) else { continue };
                for (from, to) in [(&client, &service), (&service, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let silent = Arc::clone(&shared);
                    std::thread::spawn(move || pass(from, to, &silent));
                }
            }
        });
        Self { url, silent }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on nothing passes.
    pub fn falls(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    /// From now on everything passes that is sent from now on.
    pub fn lifts(&self) {
        self.silent.store(false, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut bytes = [0; 1 << 14];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if !silent.load(Ordering::SeqCst) && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    if !silent.load(Ordering::SeqCst) {
        let _ = to.shutdown(Shutdown::Write);
    }
}
