//! Layers side by side: each lane takes the next layer, lowest first, and has one thread that inflates
//! it and one that unpacks it. The first error stops all lanes.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};

use crate::unpack::{Fault, UnpackError};

use super::archive::{Archive, Trouble};
use super::budget::Budget;
use super::contents::Contents;
use super::inflate::inflate;
use super::layer::{Stop, Unpacking};
use super::pipe::{Outlet, pipe};
use super::stage::Stage;
use super::{Handling, Layer};

/// The least number of lanes: layers that are still being downloaded keep no processor busy.
const LEAST: usize = 3;

/// What all lanes share.
struct Lanes<'a> {
    stage: &'a Stage,
    budget: &'a Budget,
    handling: Handling,
    waiting: Mutex<VecDeque<(usize, Layer)>>,
    done: Mutex<Vec<(usize, Contents)>>,
    error: Mutex<Option<UnpackError>>,
}

/// Unpacks each layer into its own directory; the result is in their order.
pub(super) fn run(
    layers: Vec<Layer>,
    stage: &Stage,
    budget: &Budget,
    handling: Handling,
) -> Result<Vec<Contents>, UnpackError> {
    let lanes = available_parallelism().map_or(1, usize::from).max(LEAST).min(layers.len());
    let waiting = Mutex::new(layers.into_iter().enumerate().collect());
    let (done, error) = (Mutex::default(), Mutex::default());
    let shared = Lanes { stage, budget, handling, waiting, done, error };
    thread::scope(|scope| {
        for _ in 1..lanes {
            // Where no thread can be had, the others do its work.
            let _ = thread::Builder::new().spawn_scoped(scope, || shared.work());
        }
        shared.work();
    });
    let mut done = shared.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    let error = shared.error.into_inner().unwrap_or_else(PoisonError::into_inner);
    error.map_or_else(|| Ok(done.into_iter().map(|(_, contents)| contents).collect()), Err)
}

impl Lanes<'_> {
    fn work(&self) {
        while let Some((index, layer)) = self.next() {
            match self.layer(index, layer) {
                Ok(contents) => lock(&self.done).push((index, contents)),
                Err(error) => {
                    self.stage.stop();
                    lock(&self.error).get_or_insert(error);
                }
            }
        }
    }

    fn next(&self) -> Option<(usize, Layer)> {
        lock(&self.waiting).pop_front().filter(|_| !self.stage.stopped())
    }

    fn layer(&self, index: usize, layer: Layer) -> Result<Contents, UnpackError> {
        let Layer { name, compression, diff_id, bytes } = layer;
        let directory = self.stage.layer(index)?;
        let (inlet, mut outlet) = pipe(diff_id.is_some());
        let contents = Contents::new(name.clone(), directory);
        thread::scope(|scope| {
            let name = name.as_str();
            let inflating = move || inflate(name, compression, bytes, &inlet);
            let spawned = thread::Builder::new().spawn_scoped(scope, inflating);
            spawned.map_err(|source| UnpackError::Read {
                archive: name.to_owned(),
                offset: 0,
                source,
            })?;
            let unpacked = self.unpack(index == 0, contents, &mut outlet, diff_id.is_some());
            let unpacked = unpacked.map_err(|stop| told(stop, name, &mut outlet))?;
            digest(outlet, diff_id, name)?;
            Ok(unpacked)
        })
    }

    fn unpack(
        &self,
        lowest: bool,
        contents: Contents,
        outlet: &mut Outlet,
        sealed: bool,
    ) -> Result<Contents, Stop> {
        let Self { stage, budget, handling, .. } = *self;
        let mut archive = Archive::new(outlet, budget, sealed);
        let unpacking = Unpacking { stage, budget, handling, lowest, contents, last: None };
        unpacking.all(&mut archive)
    }
}

/// The error, now that the layer's name is known, and why its bytes did not come.
fn told(stop: Stop, name: &str, outlet: &mut Outlet) -> UnpackError {
    match stop {
        Stop::Write(error) => error,
        Stop::Trouble(Trouble::Refusal(refusal)) => refusal.within(name),
        Stop::Trouble(Trouble::Read(source)) => outlet
            .failure()
            .unwrap_or_else(|| UnpackError::Read { archive: name.to_owned(), offset: 0, source }),
    }
}

/// The whole layer has been read: is it the one that the image names?
fn digest(outlet: Outlet, declared: Option<[u8; 32]>, name: &str) -> Result<(), UnpackError> {
    let found = outlet.digest();
    match (found, declared) {
        (Some(found), Some(declared)) if found != declared => {
            let fault = Fault::Digest { found: hex(&found), declared: hex(&declared) };
            Err(UnpackError::Archive { archive: name.to_owned(), fault })
        }
        _ => Ok(()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
