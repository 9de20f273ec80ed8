//! Who is to learn of the end of which process. The one place that reaps, orphans too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::mpsc;

use super::kills::Kills;
use super::{Group, memory, reap_one};
use crate::session::Exit;

/// Where ends are told.
pub type Ended = mpsc::UnboundedSender<(Group, Exit)>;

/// The processes whose ends somebody waits for.
#[derive(Debug, Clone)]
pub struct Exits(Arc<Mutex<Waited>>);

#[derive(Debug)]
struct Waited {
    by_group: HashMap<Group, Ended>,
    kills: Kills,
}

impl Default for Exits {
    fn default() -> Self {
        Self::new()
    }
}

impl Exits {
    /// Before any process is started.
    pub fn new() -> Self {
        let kills = Kills::new(memory::kills(), Instant::now());
        Self(Arc::new(Mutex::new(Waited { by_group: HashMap::new(), kills })))
    }

    /// How many processes the kernel has killed for want of memory since then, whoever had started them. The more often
    /// that is asked, the better it is known whose ends they are.
    pub fn out_of_memory(&self) -> u64 {
        let mut waited = self.waited();
        waited.kills.see(memory::kills(), Instant::now());
        waited.kills.all()
    }

    pub(super) fn expect(&self, group: Group, ended: Ended) {
        self.waited().by_group.insert(group, ended);
    }

    /// Reaps whatever has ended and tells those who wait for it.
    pub fn reap(&self) {
        let mut waited = self.waited();
        while let Some((leader, exit)) = reap_one() {
            let group = Group { leader };
            if let Some(ended) = waited.by_group.remove(&group) {
                let _ = ended.send((group, waited.explain(exit)));
            }
        }
    }

    fn waited(&self) -> MutexGuard<'_, Waited> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waited {
    /// A SIGKILL of the kernel's, for want of memory, is told from any other.
    fn explain(&mut self, exit: Exit) -> Exit {
        if exit != Exit::Signal(9) || !self.kills.explain(memory::kills(), Instant::now()) {
            return exit;
        }
        Exit::OutOfMemory
    }
}
